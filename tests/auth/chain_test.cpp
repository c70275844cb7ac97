// Several authenticators, one after the other.

#include "auth/authentication_chain.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>

using namespace troupe::auth;
using outcome = authentication_answer::outcome;
using troupe::protocol::reason_code;

namespace {

/// Does what the test says, and counts how often it was asked.
class scripted final : public authenticator {
public:
  using act = std::function<void(const answered&)>;
  explicit scripted(act x) : act_(std::move(x)) {}
  std::string_view name() const noexcept override { return "scripted"; }
  void authenticate(std::shared_ptr<const credentials>,
                    answered then) override {
    ++asked;
    act_(then);
  }
  std::optional<std::uint64_t> version_of(std::string_view) const override {
    return 0;
  }
  int asked = 0;

private:
  act act_;
};

authentication_answer answer(outcome what, const std::string& name = {}) {
  authentication_answer x;
  x.what = what;
  x.who.user_name = name;
  return x;
}

std::shared_ptr<scripted> says(outcome what, const std::string& name = {}) {
  return std::make_shared<scripted>(
    [=](const authenticator::answered& then) { then(answer(what, name)); });
}

struct result {
  int count = 0;
  chain_answer last;
};

std::shared_ptr<const credentials> client(std::optional<std::string> name,
                                          std::optional<std::string> password) {
  auto made = std::make_shared<credentials>();
  made->who.user_name = std::move(name);
  made->password = std::move(password);
  return made;
}

std::shared_ptr<result>
ask(authentication_chain::list all, bool anonymous = false,
    std::shared_ptr<const credentials> who = client("alice", "secret")) {
  auto made = std::make_shared<result>();
  // The chain goes at once: what is under way does not need it.
  authentication_chain{std::move(all)}.authenticate(std::move(who), anonymous,
                                                    [made](chain_answer x) {
                                                      ++made->count;
                                                      made->last = std::move(x);
                                                    });
  return made;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_first_that_does_not_ignore_decides) {
  for (const auto what : {outcome::allow, outcome::deny}) {
    const auto first = says(outcome::ignore);
    const auto second = says(what, "a");
    const auto third = says(outcome::allow, "b");
    const auto seen = ask({first, second, third});
    BOOST_TEST(seen->count == 1);
    BOOST_TEST(seen->last.allowed() == (what == outcome::allow));
    BOOST_TEST((seen->last.by == second) == (what == outcome::allow));
    BOOST_TEST(first->asked == 1);
    BOOST_TEST(third->asked == 0);
  }
}

BOOST_AUTO_TEST_CASE(the_clients_own_name_is_taken_where_none_is_said) {
  BOOST_TEST(ask({says(outcome::allow)})->last.said.who.user_name == "alice");
  BOOST_TEST(ask({says(outcome::allow, "x")})->last.said.who.user_name == "x");
}

BOOST_AUTO_TEST_CASE(answers_may_come_later_and_only_the_first_counts) {
  authenticator::answered kept;
  const auto late = std::make_shared<scripted>(
    [&](const authenticator::answered& then) { kept = then; });
  const auto second = says(outcome::allow);
  const auto seen = ask({late, second});
  BOOST_TEST(seen->count == 0);
  kept(answer(outcome::ignore));
  BOOST_TEST(seen->count == 1);
  BOOST_TEST(seen->last.allowed());
  kept(answer(outcome::deny));
  kept(answer(outcome::ignore));
  BOOST_TEST(seen->count == 1);
  BOOST_TEST(second->asked == 1);
}

BOOST_AUTO_TEST_CASE(an_authenticator_that_throws_or_forgets_denies) {
  const auto after = says(outcome::allow);
  for (const auto& x :
       {std::make_shared<scripted>([](const authenticator::answered&) {
          throw std::runtime_error("out of order");
        }),
        std::make_shared<scripted>([](const authenticator::answered&) {})}) {
    const auto seen = ask({x, after}, true);
    BOOST_TEST(seen->count == 1);
    BOOST_TEST((seen->last.said.what == outcome::deny));
    BOOST_TEST((seen->last.said.reason == reason_code::not_authorized));
    BOOST_TEST(seen->last.by == nullptr);
  }
  BOOST_TEST(after->asked == 0);
  // What it said before it threw stays said.
  const auto both =
    std::make_shared<scripted>([](const authenticator::answered& then) {
      then(answer(outcome::ignore));
      throw std::runtime_error("out of order");
    });
  BOOST_TEST(ask({both, after})->last.allowed());
}

BOOST_AUTO_TEST_CASE(who_is_anonymous_is_allowed_only_where_that_is_said) {
  const authentication_chain::list some{says(outcome::ignore)};
  for (const bool allowed : {false, true}) {
    const auto nameless = ask(some, allowed, client({}, {}));
    BOOST_TEST(nameless->last.allowed() == allowed);
    BOOST_TEST(nameless->last.by == nullptr);
    if (!allowed)
      BOOST_TEST((nameless->last.said.reason == reason_code::not_authorized));
    // A name that nobody knows is no anonymous client, nor is a password.
    for (const auto& who : {client("alice", "x"), client("alice", {}),
                            client("", {}), client({}, "token")}) {
      const auto seen = ask(some, allowed, who);
      BOOST_TEST(!seen->last.allowed());
      BOOST_TEST(
        (seen->last.said.reason == reason_code::bad_user_name_or_password));
    }
    // Where nobody could know a name, anything goes or nothing.
    for (const auto& who : {client({}, {}), client("alice", "x")})
      BOOST_TEST(ask({}, allowed, who)->last.allowed() == allowed);
  }
  BOOST_TEST(ask({}, true)->last.said.who.user_name == "alice");
}
