// Several authorizers in a row, and rules that are replaced under them.

#include "auth/acl_authorizer.hpp"
#include "auth/authorization_chain.hpp"
#include "tests/auth/acl_support.hpp"

#include <atomic>
#include <stdexcept>
#include <thread>

using namespace troupe;
using namespace troupe::test;
using auth::authorization_chain;
using auth::decision;

namespace {

/// Does as told, and keeps what it was asked.
class scripted final : public auth::authorizer {
public:
  explicit scripted(decision says, bool at_once = false)
    : says_{says},
      at_once_{at_once} {}

  std::string_view name() const noexcept override { return "scripted"; }
  bool answers_at_once() const noexcept override { return at_once_; }
  decision authorize(const auth::identity& who, const auth::request& what,
                     const answered& then) override {
    ++asked;
    client_id = who.client_id;
    topic = what.topic;
    if (throws)
      throw std::runtime_error{"broken"};
    kept = then;
    if (calls_inside)
      then(*calls_inside);
    return says_;
  }

  int asked = 0;
  bool throws = false;
  std::optional<decision> calls_inside;
  std::string client_id;
  std::string topic;
  answered kept;

private:
  decision says_;
  bool at_once_;
};

struct asked_chain {
  explicit asked_chain(std::vector<std::shared_ptr<auth::authorizer>> links,
                       decision no_match = decision::deny)
    : chain{std::move(links), {no_match}} {
    const auto who = client("c", "u");
    const std::string topic = "a/long/topic/that/goes/with/its/request";
    returned = chain.authorize(who.view(), false, publish(topic),
                               [this](const auto& v) { told.push_back(v); });
  }

  authorization_chain chain;
  authorization_chain::verdict returned;
  std::vector<authorization_chain::verdict> told;
};

std::shared_ptr<scripted> link(decision says, bool at_once = false) {
  return std::make_shared<scripted>(says, at_once);
}

} // namespace

BOOST_AUTO_TEST_CASE(the_first_link_that_says_something_decides) {
  for (const bool at_once : {true, false}) {
    const auto last = link(decision::deny, at_once);
    asked_chain asked{
      {link(decision::ignore, at_once), link(decision::allow, at_once), last}};
    BOOST_TEST(to_text(asked.returned.what) == "allow");
    BOOST_TEST(asked.returned.by == "scripted");
    BOOST_TEST(last->asked == 0);
    BOOST_TEST(asked.told.empty());
  }
}

BOOST_AUTO_TEST_CASE(when_no_link_decides_the_options_do) {
  for (const bool at_once : {true, false}) {
    asked_chain denied{{link(decision::ignore, at_once)}};
    BOOST_TEST(to_text(denied.returned.what) == "deny");
    BOOST_TEST(denied.returned.by == "no_match");
    asked_chain allowed{{link(decision::ignore, at_once)}, decision::allow};
    BOOST_TEST(to_text(allowed.returned.what) == "allow");
  }
  const authorization_chain none;
  const auto who = client("c");
  BOOST_TEST(to_text(none.authorize(who.view(), false, publish("a"), {}).what)
             == "deny");
}

BOOST_AUTO_TEST_CASE(a_superuser_is_allowed_everything_and_nobody_is_asked) {
  const auto one = link(decision::deny);
  const authorization_chain chain{{one}, {}};
  const auto who = client("c");
  const auto said = chain.authorize(who.view(), true, publish("a"), {});
  BOOST_TEST(to_text(said.what) == "allow");
  BOOST_TEST(said.by == "superuser");
  BOOST_TEST(one->asked == 0);
}

BOOST_AUTO_TEST_CASE(a_late_answer_goes_on_with_the_links_behind) {
  const auto slow = link(decision::later);
  const auto next = link(decision::allow, true);
  asked_chain asked{{link(decision::ignore, true), slow, next}};
  BOOST_TEST(to_text(asked.returned.what) == "later");
  BOOST_TEST(asked.told.empty());
  asked.chain = {}; // the chain may go
  slow->kept(decision::ignore);
  BOOST_REQUIRE(asked.told.size() == 1U);
  BOOST_TEST(to_text(asked.told[0].what) == "allow");
  BOOST_TEST(next->client_id == "c");
  BOOST_TEST(next->topic == "a/long/topic/that/goes/with/its/request");
  slow->kept(decision::deny); // a second answer counts for nothing
  slow->kept = {};
  BOOST_TEST(asked.told.size() == 1U);
}

BOOST_AUTO_TEST_CASE(late_answers_of_several_links_follow_each_other) {
  const auto first = link(decision::later);
  const auto second = link(decision::later);
  asked_chain asked{{first, second}};
  first->kept(decision::ignore);
  BOOST_TEST(asked.told.empty());
  second->kept(decision::ignore);
  BOOST_REQUIRE(asked.told.size() == 1U);
  BOOST_TEST(to_text(asked.told[0].what) == "deny");
  BOOST_TEST(asked.told[0].by == "no_match");
}

BOOST_AUTO_TEST_CASE(an_answer_inside_the_call_is_told_once) {
  const auto eager = link(decision::later);
  eager->calls_inside = decision::allow;
  asked_chain asked{{eager}};
  BOOST_TEST(to_text(asked.returned.what) == "later");
  BOOST_REQUIRE(asked.told.size() == 1U);
  BOOST_TEST(to_text(asked.told[0].what) == "allow");
  // One that calls and answers as well: its first word counts.
  const auto confused = link(decision::deny);
  confused->calls_inside = decision::allow;
  asked_chain twice{{confused}};
  BOOST_TEST(to_text(twice.returned.what) == "later");
  BOOST_TEST(twice.told.size() == 1U);
}

BOOST_AUTO_TEST_CASE(links_that_fail_deny) {
  for (const bool at_once : {true, false}) {
    const auto broken = link(decision::allow, at_once);
    broken->throws = true;
    asked_chain asked{{broken, link(decision::allow)}, decision::allow};
    BOOST_TEST(to_text(asked.returned.what) == "deny");
    BOOST_TEST(asked.returned.by == "fault");
  }
  // `later` from a link that said it never would.
  asked_chain liar{{link(decision::later, true)}, decision::allow};
  BOOST_TEST(to_text(liar.returned.what) == "deny");
  BOOST_TEST(liar.returned.by == "fault");
}

BOOST_AUTO_TEST_CASE(a_dropped_question_and_a_late_later_deny) {
  const auto forgetful = link(decision::later);
  asked_chain dropped{{forgetful, link(decision::allow)}, decision::allow};
  BOOST_TEST(dropped.told.empty());
  forgetful->kept = {};
  BOOST_REQUIRE(dropped.told.size() == 1U);
  BOOST_TEST(to_text(dropped.told[0].what) == "deny");
  BOOST_TEST(dropped.told[0].by == "fault");

  const auto undecided = link(decision::later);
  asked_chain late{{undecided}, decision::allow};
  undecided->kept(decision::later);
  BOOST_REQUIRE(late.told.size() == 1U);
  BOOST_TEST(to_text(late.told[0].what) == "deny");
}

BOOST_AUTO_TEST_CASE(replaced_rules_count_from_the_next_request_on) {
  const auto made = [](std::string_view text) {
    return std::make_shared<const auth::acl>(rules(text));
  };
  const auto allow = made("[[rule]]\npermission = \"allow\"\ntopics = \"a\"\n");
  const auto open = made("no_match = \"allow\"\n");
  const auto who = client("c");
  auth::acl_authorizer file{allow, {}};
  const auto ask = [&](auth::acl_authorizer& of, std::string_view topic) {
    return to_text(of.authorize(who.view(), publish(topic), {}));
  };
  BOOST_TEST(ask(file, "a") == "allow");
  BOOST_TEST(ask(file, "b") == "deny");
  const auto before = file.generation();
  file.replace(open);
  BOOST_TEST(file.generation() > before);
  BOOST_TEST(ask(file, "b") == "allow");
  BOOST_TEST(file.rules() == open);
  file.replace(made(""));
  BOOST_TEST(ask(file, "a") == "ignore");
  // Two of them on one thread do not take each other's rules.
  auth::acl_authorizer other{allow, {.answers_no_match = false}};
  for (int i = 0; i != 3; ++i) {
    BOOST_TEST(ask(other, "a") == "allow");
    BOOST_TEST(ask(other, "b") == "ignore");
    BOOST_TEST(ask(file, "a") == "ignore");
  }
}

BOOST_AUTO_TEST_CASE(rules_are_replaced_while_others_ask) {
  const auto made = [](const char* what) {
    return std::make_shared<const auth::acl>(
      rules("no_match = \"" + std::string{what} + "\"\n"));
  };
  const auto allow = made("allow");
  const auto deny = made("deny");
  auth::acl_authorizer file{allow, {}};
  std::atomic<int> wrong{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> asking;
  for (int i = 0; i != 3; ++i)
    asking.emplace_back([&] {
      const auto who = client("c");
      while (!done) {
        const auto said = file.authorize(who.view(), publish("a"), {});
        if (said != decision::allow && said != decision::deny)
          ++wrong;
      }
    });
  for (int i = 0; i != 2'000; ++i)
    file.replace(i % 2 == 0 ? deny : allow);
  done = true;
  for (auto& one : asking)
    one.join();
  BOOST_TEST(wrong == 0);
}
