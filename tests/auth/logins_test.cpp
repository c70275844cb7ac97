// Users recognised by password and by certificate.

#include "auth/certificate_authenticator.hpp"
#include "auth/file_authenticator.hpp"
#include "samples.hpp"

#include <future>

using namespace troupe::auth;
using namespace troupe::tests;
using namespace std::chrono_literals;
using outcome = authentication_answer::outcome;
using troupe::protocol::reason_code;

namespace {

std::shared_ptr<const credentials> login(std::optional<std::string> name,
                                         std::optional<std::string> password) {
  auto made = std::make_shared<credentials>();
  made->who.peer = *troupe::net::endpoint::parse("192.0.2.1:1");
  made->who.user_name = std::move(name);
  made->password = std::move(password);
  return made;
}

authentication_answer ask(authenticator& whom,
                          std::shared_ptr<const credentials> what) {
  std::promise<authentication_answer> promise;
  auto answer = promise.get_future();
  whom.authenticate(std::move(what), [&promise](authentication_answer x) {
    promise.set_value(std::move(x));
  });
  BOOST_REQUIRE((answer.wait_for(60s) == std::future_status::ready));
  return answer.get();
}

struct fixture {
  file_authenticator_options options = [] {
    file_authenticator_options x;
    x.decoy = cheap();
    return x;
  }();
  std::shared_ptr<user_source> users = std::make_shared<user_source>(
    table_of("alice:" + cheap_hash("secret") + "\nroot:" + cheap_hash("toor")
             + ":superuser\nno:*\n"));
  std::shared_ptr<hash_pool> pool =
    std::make_shared<hash_pool>(hash_pool_options{});
  file_authenticator file{options, users, pool};

  authentication_answer ask(std::optional<std::string> name,
                            std::optional<std::string> password) {
    return ::ask(file, login(std::move(name), std::move(password)));
  }
};

certificate client_certificate() {
  certificate x;
  x.subject = "CN=alice,O=Bank";
  x.common_name = "alice";
  x.fingerprint = "00ff";
  return x;
}

authentication_answer ask_certificate(certificate_authenticator_options options,
                                      const std::shared_ptr<user_source>& users,
                                      std::optional<certificate> tls) {
  certificate_authenticator one{options, users};
  auto what = std::make_shared<credentials>(*login("bob", "wrong"));
  what->who.tls = std::move(tls);
  return ask(one, what);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(password, fixture)

BOOST_AUTO_TEST_CASE(a_right_password_is_allowed_with_what_the_line_says) {
  for (int i = 0; i < 2; ++i) { // compared, then remembered
    const auto alice = ask("alice", "secret");
    BOOST_TEST((alice.what == outcome::allow));
    BOOST_TEST(alice.who.user_name == "alice");
    BOOST_TEST(!alice.who.superuser);
    BOOST_TEST(alice.who.version == file.version_of("alice").value());
    BOOST_TEST(ask("root", "toor").who.superuser);
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_denied) {
  for (int i = 0; i < 2; ++i) {
    for (const auto* x : {"", "Secret", "secret2", "toor"}) {
      const auto answer = ask("alice", x);
      BOOST_TEST((answer.what == outcome::deny));
      BOOST_TEST((answer.reason == reason_code::bad_user_name_or_password));
    }
    BOOST_TEST((ask("alice", "secret").what == outcome::allow));
  }
  BOOST_TEST((ask("alice", std::nullopt).what == outcome::deny));
  BOOST_TEST((ask("no", "*").what == outcome::deny));
  BOOST_TEST((ask("no", "").what == outcome::deny));
}

BOOST_AUTO_TEST_CASE(who_is_not_in_the_file_is_left_to_others_unless_said) {
  BOOST_TEST((ask(std::nullopt, std::nullopt).what == outcome::ignore));
  BOOST_TEST((ask(std::nullopt, "secret").what == outcome::ignore));
  BOOST_TEST((ask("nobody", "secret").what == outcome::ignore));
  BOOST_TEST((ask("nobody", std::nullopt).what == outcome::ignore));
  options.unknown = unknown_user::deny;
  file_authenticator strict{options, users, pool};
  for (const auto& x : {std::optional<std::string>{"secret"}, {}}) {
    const auto answer = ::ask(strict, login("nobody", x));
    BOOST_TEST((answer.what == outcome::deny));
    BOOST_TEST((answer.reason == reason_code::bad_user_name_or_password));
  }
  BOOST_TEST((::ask(strict, login(std::nullopt, {})).what == outcome::ignore));
}

BOOST_AUTO_TEST_CASE(an_unknown_user_costs_a_comparison_as_a_known_one_does) {
  const auto before = pool->count().run;
  ask("nobody", "x");
  ask("no", "x");
  ask("alice", "x");
  pool->stop();
  BOOST_TEST(pool->count().run == before + 3);
}

BOOST_AUTO_TEST_CASE(what_is_remembered_needs_no_pool_and_forgets_old_lines) {
  BOOST_TEST((ask("alice", "secret").what == outcome::allow));
  pool->stop();
  BOOST_TEST((ask("alice", "secret").what == outcome::allow));
  const auto denied = ask("alice", "secret2");
  BOOST_TEST((denied.what == outcome::deny));
  BOOST_TEST((denied.reason == reason_code::server_busy));
  // The same password, but another salt.
  const auto old = users->now();
  users->replace(table_of("alice:" + cheap_hash("secret") + "\n"));
  BOOST_TEST((ask("alice", "secret").what == outcome::deny));
  users->replace(old);
  BOOST_TEST((ask("alice", "secret").what == outcome::allow));
}

BOOST_AUTO_TEST_CASE(another_file_is_what_counts_as_soon_as_it_is_read) {
  const auto before = ask("alice", "secret");
  users->replace(table_of("alice:" + cheap_hash("new") + ":superuser\n"));
  BOOST_TEST((ask("alice", "secret").what == outcome::deny));
  const auto after = ask("alice", "new");
  BOOST_TEST((after.what == outcome::allow));
  BOOST_TEST(after.who.superuser);
  BOOST_TEST(after.who.version != before.who.version);
  BOOST_TEST(file.version_of("alice").value() == after.who.version);
  BOOST_TEST(!file.version_of("root").has_value());
}

BOOST_AUTO_TEST_CASE(a_file_replaced_while_a_password_waits_counts_for_it) {
  std::promise<void> runs;
  std::promise<void> may_end;
  BOOST_TEST(pool->submit("x", [&](hash_pool::fate) {
    runs.set_value();
    may_end.get_future().wait();
  }));
  runs.get_future().wait();
  std::promise<authentication_answer> promise;
  file.authenticate(login("alice", "secret"), [&](authentication_answer x) {
    promise.set_value(std::move(x));
  });
  users->replace(table_of("root:*\n"));
  may_end.set_value();
  auto answer = promise.get_future();
  BOOST_REQUIRE((answer.wait_for(60s) == std::future_status::ready));
  BOOST_TEST((answer.get().what == outcome::ignore));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(the_cache_knows_what_was_added_and_stays_bounded) {
  verified_cache cache{{64}};
  const auto first = cache.mark_of("alice", 1, "secret");
  BOOST_TEST(!cache.has(first));
  cache.add(first);
  BOOST_TEST(cache.has(first));
  for (const auto& x :
       {cache.mark_of("alice", 2, "secret"),
        cache.mark_of("alice", 1, "Secret"), cache.mark_of("bob", 1, "secret"),
        cache.mark_of("alices", 1, "ecret")})
    BOOST_TEST(!cache.has(x));
  // Looked up all the time, it outlives a thousand others.
  std::vector<verified_cache::mark> others;
  for (int i = 0; i < 1'000; ++i) {
    BOOST_TEST(cache.has(first));
    others.push_back(cache.mark_of("user", 1, std::to_string(i)));
    cache.add(others.back());
  }
  BOOST_TEST(cache.has(others.back()));
  const auto left = std::count_if(others.begin(), others.end(),
                                  [&](const auto& x) { return cache.has(x); });
  BOOST_TEST(left < 64); // one place is the first one's
  BOOST_TEST(left > 32);
  cache.clear();
  BOOST_TEST(!cache.has(first));
  // Another process has another key.
  BOOST_TEST((verified_cache{{64}}.mark_of("alice", 1, "secret") != first));
  verified_cache none{{0}};
  none.add(first);
  BOOST_TEST(!none.has(first));
}

BOOST_AUTO_TEST_CASE(the_cache_may_be_used_by_many_threads) {
  verified_cache cache{{256}};
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> lost{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&cache, &lost, t] {
      const auto own = cache.mark_of("own", 1, std::to_string(t));
      for (int i = 0; i < 5'000; ++i) {
        cache.add(own);
        lost += cache.has(own) ? 0 : 1;
        cache.add(cache.mark_of("x", 1, std::to_string(i)));
      }
    });
  for (auto& x : threads)
    x.join();
  // Others may push it out between the two lines, which is rare.
  BOOST_TEST(lost < 200);
}

BOOST_AUTO_TEST_CASE(a_certificate_says_who_it_is_by_the_field_that_is_set) {
  const auto users =
    std::make_shared<user_source>(table_of("alice:*:superuser\n"));
  certificate_authenticator_options options;
  auto answer = ask_certificate(options, users, client_certificate());
  BOOST_TEST((answer.what == outcome::allow));
  BOOST_TEST(answer.who.user_name == "alice");
  BOOST_TEST(answer.who.superuser);
  BOOST_TEST(answer.who.version == users->version_of("alice").value());
  options.from = certificate_name::subject;
  answer = ask_certificate(options, users, client_certificate());
  BOOST_TEST(answer.who.user_name == "CN=alice,O=Bank");
  BOOST_TEST(!answer.who.superuser);
  options.from = certificate_name::fingerprint;
  answer = ask_certificate(options, nullptr, client_certificate());
  BOOST_TEST(answer.who.user_name == "00ff");
  BOOST_TEST(answer.who.version == 0U);
}

BOOST_AUTO_TEST_CASE(no_certificate_or_name_in_it_is_left_to_others) {
  certificate_authenticator_options options;
  BOOST_TEST(
    (ask_certificate(options, nullptr, std::nullopt).what == outcome::ignore));
  for (const std::string& name :
       {std::string{}, std::string{"a\0b", 3}, std::string{"\xFF"}}) {
    auto x = client_certificate();
    x.common_name = name;
    BOOST_TEST((ask_certificate(options, nullptr, x).what == outcome::ignore));
  }
}

BOOST_AUTO_TEST_CASE(a_certificates_user_may_have_to_be_in_the_file) {
  const auto users = std::make_shared<user_source>(table_of("bob:*\n"));
  certificate_authenticator_options options;
  certificate_authenticator open{options, users};
  const auto without = open.version_of("alice");
  options.user_must_exist = true;
  auto answer = ask_certificate(options, users, client_certificate());
  BOOST_TEST((answer.what == outcome::deny));
  BOOST_TEST((answer.reason == reason_code::not_authorized));
  options.unknown = unknown_user::ignore;
  BOOST_TEST((ask_certificate(options, users, client_certificate()).what
              == outcome::ignore));
  certificate_authenticator strict{options, users};
  BOOST_TEST(!strict.version_of("alice").has_value());
  users->replace(table_of("alice:*:superuser\n"));
  BOOST_TEST((ask_certificate(options, users, client_certificate()).what
              == outcome::allow));
  BOOST_TEST(strict.version_of("alice").has_value());
  // Who was in without a line is another one with it.
  BOOST_TEST((open.version_of("alice") != without));
  BOOST_CHECK_THROW((certificate_authenticator{options, nullptr}),
                    std::invalid_argument);
}
