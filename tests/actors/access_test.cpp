// Authenticators and authorizers that do not answer at once, or never.

#include "tests/actors/manual_node.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <mutex>
#include <thread>

using namespace troupe;
using namespace troupe::test;

namespace {

const auto each = boost::test_tools::per_element();
using texts = std::vector<std::string>;

/// Keeps questions until the test answers them.
class slow_authorizer final : public auth::authorizer {
public:
  struct question {
    std::string topic;
    answered then;
  };

  std::string_view name() const noexcept override { return "slow"; }
  auth::decision authorize(const auth::identity&, const auth::request& what,
                           const answered& then) override {
    const std::lock_guard lock(mutex_);
    ++asked;
    open.push_back({std::string{what.topic}, then});
    return auth::decision::later;
  }

  std::deque<question> open;
  int asked = 0;

private:
  std::mutex mutex_;
};

class slow_authenticator final : public auth::authenticator {
public:
  std::string_view name() const noexcept override { return "slow"; }
  void authenticate(std::shared_ptr<const auth::credentials> what,
                    answered then) override {
    open.push_back({std::string{what->who.client_id}, std::move(then)});
  }
  std::optional<std::uint64_t> version_of(std::string_view) const override {
    return 1;
  }
  struct question {
    std::string client_id;
    answered then;
  };
  std::deque<question> open;
};

/// A node of one reactor with a slow authorizer, and what it asked.
struct asking_node {
  explicit asking_node(std::size_t cache_entries = 32)
    : node([&] {
        auto options = options_with(1);
        options.access = rules(cache_entries, 1);
        return options;
      }()) {}

  std::shared_ptr<const actors::access_control>
  rules(std::size_t cache_entries, std::uint64_t generation) {
    auto made = std::make_shared<actors::access_control>();
    made->allow_anonymous = true;
    made->authorization = std::make_shared<const auth::authorization_chain>(
      std::vector<std::shared_ptr<auth::authorizer>>{authorizer},
      auth::authorization_chain::options{});
    made->authorizers_wait = true;
    made->cache.entries = cache_entries;
    made->authentication_timeout = 5s;
    made->generation = generation;
    return made;
  }

  /// The oldest question; on a thread of its own, as a database would.
  void answer(auth::decision what) {
    BOOST_REQUIRE(!authorizer->open.empty());
    const auto then = std::move(authorizer->open.front().then);
    authorizer->open.pop_front();
    std::thread([&] { then(what); }).join();
    node.run_until_idle();
  }
  void answer_all(auth::decision what) {
    while (!authorizer->open.empty())
      answer(what);
  }
  /// Subscribed to `filter`, which was allowed.
  client& reader(const std::string& filter) {
    auto& made = node.connect(0, {.id = "reader"});
    made.subscribe(filter);
    node.run_until_idle();
    answer_all(auth::decision::allow);
    BOOST_REQUIRE(made.subacks.size() == 1U);
    return made;
  }

  std::shared_ptr<slow_authorizer> authorizer =
    std::make_shared<slow_authorizer>();
  manual_node node;
};

} // namespace

BOOST_AUTO_TEST_CASE(what_waits_for_an_answer_stays_in_order) {
  asking_node x;
  auto& reader = x.reader("#");
  auto& writer = x.node.connect(0, {.id = "writer"});
  const auto before = x.node["packets.publish.received"];
  for (const std::string topic : {"a", "b", "a", "c"})
    for (const auto q : {qos::at_most_once, qos::exactly_once})
      writer.publish(topic, topic, {.qos = q});
  writer.ping();
  x.node.run_until_idle();
  BOOST_TEST(reader.got.empty());
  BOOST_TEST(writer.pings == 0U);
  BOOST_TEST(x.authorizer->open.size() == 1U); // one at a time
  x.answer_all(auth::decision::allow);
  x.node.settle();
  BOOST_TEST(
    reader.payloads() == (texts{"a", "a", "b", "b", "a", "a", "c", "c"}), each);
  BOOST_TEST(writer.pings == 1U);
  BOOST_TEST(writer.completed == 4U); // QoS 2, once each
  BOOST_TEST(x.node["packets.publish.received"] - before == 8U);
  BOOST_TEST(x.node["messages.received"] == 8U);
}

BOOST_AUTO_TEST_CASE(a_late_no_is_told_like_another) {
  asking_node x;
  auto& reader = x.reader("#");
  auto& writer = x.node.connect(0, {.id = "writer"});
  const auto first = writer.publish("a", "1");
  const auto second = writer.publish("b", "2", {.qos = qos::exactly_once});
  writer.publish("c", "3", {.qos = qos::at_most_once});
  x.node.run_until_idle();
  x.answer(auth::decision::deny);
  x.answer(auth::decision::deny);
  x.answer(auth::decision::allow);
  x.node.settle();
  BOOST_TEST((writer.answers.at(first) == reason_code::not_authorized));
  BOOST_TEST((writer.answers.at(second) == reason_code::not_authorized));
  BOOST_TEST(reader.payloads() == texts{"3"}, each);
  BOOST_TEST(x.node["authorization.deny.publish"] == 2U);
  writer.subscribe("d");
  x.node.run_until_idle();
  x.answer(auth::decision::deny);
  BOOST_TEST_REQUIRE(writer.subacks.size() == 1U);
  BOOST_TEST((writer.subacks.back() == reason_code::not_authorized));
  BOOST_TEST(x.node["authorization.deny.subscribe"] == 1U);
}

BOOST_AUTO_TEST_CASE(answers_are_kept_or_asked_for_each_packet_once) {
  for (const std::size_t entries : {0U, 32U}) {
    asking_node x(entries);
    auto& writer = x.node.connect(0, {.id = "writer"});
    for (int i = 0; i < 5; ++i) {
      writer.publish("a", "x");
      x.node.run_until_idle();
      x.answer_all(auth::decision::allow);
    }
    BOOST_TEST(x.authorizer->asked == (entries == 0 ? 5 : 1));
    BOOST_TEST(writer.accepted == 5U);
  }
}

BOOST_AUTO_TEST_CASE(
  what_was_allowed_just_now_is_for_the_same_and_these_rules) {
  asking_node x;
  auto& writer = x.node.connect(0, {.id = "writer"});
  writer.publish("a", "x");
  x.node.run_until_idle();
  x.answer(auth::decision::allow);
  const auto hits = x.node["authorization.cache_hit"];
  for (int i = 0; i < 5; ++i)
    writer.publish("a", "x");
  x.node.run_until_idle();
  BOOST_TEST(x.authorizer->asked == 1);
  BOOST_TEST(writer.accepted == 6U);
  BOOST_TEST(x.node["authorization.cache_hit"] - hits == 5U);
  const auto denied = [&](std::uint16_t packet) {
    x.node.run_until_idle();
    x.answer(auth::decision::deny);
    return writer.answers.at(packet) == reason_code::not_authorized;
  };
  BOOST_TEST(denied(writer.publish("b", "x")));
  BOOST_TEST(denied(writer.publish("a", "x", {.retain = true})));
  BOOST_TEST(denied(writer.publish("a", "x", {.qos = qos::exactly_once})));
  writer.publish("a", "x");
  x.node.run_until_idle();
  BOOST_TEST(x.authorizer->asked == 4);
  x.node.set_access(x.rules(32, 2)); // in the same moment
  BOOST_TEST(denied(writer.publish("a", "x")));
}

BOOST_AUTO_TEST_CASE(a_subscription_of_many_filters_needs_an_answer_for_each) {
  // SUBSCRIBE with Packet Identifier 1 and the filters a, b, c of QoS 0.
  using namespace std::string_literals;
  const auto packet = "\x82\x0F\0\1\0"
                      "\0\1a\0\0\1b\0\0\1c\0"s;
  for (const std::size_t entries : {0U, 32U}) {
    asking_node x(entries);
    auto& one = x.node.connect(0, {.id = "one"});
    one.send(packet);
    x.node.run_until_idle();
    x.answer(auth::decision::allow);
    x.answer(auth::decision::deny);
    x.answer(auth::decision::allow);
    BOOST_TEST(x.authorizer->open.empty());
    BOOST_TEST(x.authorizer->asked == 3);
    BOOST_TEST_REQUIRE(one.subacks.size() == 3U);
    BOOST_TEST((one.subacks[0] == reason_code::success));
    BOOST_TEST((one.subacks[1] == reason_code::not_authorized));
    BOOST_TEST((one.subacks[2] == reason_code::success));
  }
}

BOOST_AUTO_TEST_CASE(who_is_never_answered_is_denied_after_a_while) {
  asking_node x;
  auto& reader = x.reader("#");
  auto& writer = x.node.connect(0, {.id = "writer"});
  const auto first = writer.publish("a", "1");
  writer.ping();
  x.node.run_until_idle();
  x.node.advance(4s);
  BOOST_TEST(writer.pings == 0U);
  x.node.advance(2s);
  BOOST_TEST((writer.answers.at(first) == reason_code::not_authorized));
  BOOST_TEST(writer.pings == 1U);
  BOOST_TEST(reader.got.empty());
  // Too late: it changes nothing for what was denied, and holds from now on.
  x.answer(auth::decision::allow);
  BOOST_TEST(reader.got.empty());
  writer.publish("a", "2");
  x.node.run_until_idle();
  BOOST_TEST(reader.payloads() == texts{"2"}, each);
}

BOOST_AUTO_TEST_CASE(a_question_that_is_dropped_is_a_no) {
  asking_node x;
  auto& writer = x.node.connect(0, {.id = "writer"});
  const auto first = writer.publish("a", "1");
  x.node.run_until_idle();
  x.authorizer->open.clear();
  x.node.run_until_idle();
  BOOST_TEST((writer.answers.at(first) == reason_code::not_authorized));
}

BOOST_AUTO_TEST_CASE(new_rules_that_answer_late_take_subscriptions_away) {
  asking_node x;
  auto& reader = x.reader("a/#");
  reader.subscribe("b");
  x.node.run_until_idle();
  x.answer(auth::decision::allow);
  x.node.set_access(x.rules(32, 2));
  BOOST_TEST(x.authorizer->open.size() == 2U);
  reader.ping(); // it is not stopped by the questions
  x.node.run_until_idle();
  BOOST_TEST(reader.pings == 1U);
  x.answer(auth::decision::allow);
  BOOST_TEST(!reader.disconnected.has_value());
  x.answer(auth::decision::deny);
  x.node.run_until_idle();
  BOOST_REQUIRE(reader.disconnected.has_value());
  BOOST_TEST((*reader.disconnected == reason_code::not_authorized));
  BOOST_TEST(x.node["client.ended.subscription"] == 1U);
}

BOOST_AUTO_TEST_CASE(rules_that_change_meanwhile_are_asked_again) {
  asking_node x;
  auto& writer = x.node.connect(0, {.id = "writer"});
  const auto first = writer.publish("a", "1");
  x.node.run_until_idle();
  x.node.set_access(x.rules(32, 2));
  x.answer(auth::decision::allow); // by the old ones
  BOOST_TEST(!writer.answers.contains(first));
  x.answer(auth::decision::deny);
  BOOST_TEST((writer.answers.at(first) == reason_code::not_authorized));
}

BOOST_AUTO_TEST_CASE(an_answer_for_a_client_that_left_harms_nobody) {
  asking_node x;
  auto& writer = x.node.connect(0, {.id = "writer"});
  writer.publish("a", "1");
  x.node.run_until_idle();
  writer.drop();
  x.node.run_until_idle();
  x.answer(auth::decision::allow);
  auto& next = x.node.connect(0, {.id = "next"});
  next.ping();
  x.node.run_until_idle();
  BOOST_TEST(next.pings == 1U);
}

BOOST_AUTO_TEST_CASE(a_will_waits_for_its_answer) {
  asking_node x;
  for (const auto what : {auth::decision::allow, auth::decision::deny}) {
    auto& one = x.node.attach(0);
    one.connect({.id = "one", .will_topic = "w"});
    one.publish("behind", "CONNECT");
    x.node.run_until_idle();
    BOOST_TEST(one.connacks == 0U);
    x.answer(what);
    BOOST_TEST(one.connacks == 1U);
    const bool good = what == auth::decision::allow;
    BOOST_TEST(
      (one.connack_reason
       == (good ? reason_code::success : reason_code::not_authorized)));
    x.answer_all(auth::decision::allow);
    BOOST_TEST(one.accepted == (good ? 1U : 0U));
    one.drop();
    x.node.run_until_idle();
    x.answer_all(auth::decision::deny);
  }
}

// ---- authenticators --------------------------------------------------------

namespace {

struct logging_in {
  logging_in()
    : node([&] {
        auto options = options_with(1);
        auto made = std::make_shared<actors::access_control>();
        made->authenticators = {authenticator};
        made->authentication =
          std::make_shared<const auth::authentication_chain>(
            made->authenticators);
        made->authentication_timeout = 5s;
        options.access = made;
        return options;
      }()) {}

  client& come(const std::string& id) {
    auto& made = node.attach(0);
    made.connect({.id = id});
    made.publish("behind", id);
    node.run_until_idle();
    BOOST_TEST(made.connacks == 0U);
    return made;
  }
  void answer(auth::authentication_answer::outcome what) {
    auto then = std::move(authenticator->open.front().then);
    authenticator->open.pop_front();
    auth::authentication_answer said;
    said.what = what;
    said.who.version = 1;
    std::thread([&] { then(said); }).join();
    node.run_until_idle();
  }

  std::shared_ptr<slow_authenticator> authenticator =
    std::make_shared<slow_authenticator>();
  manual_node node;
};

using outcome = auth::authentication_answer::outcome;

} // namespace

BOOST_AUTO_TEST_CASE(who_is_recognised_late_comes_in_with_what_it_sent) {
  logging_in x;
  auto& good = x.come("good");
  auto& bad = x.come("bad");
  x.answer(outcome::allow);
  BOOST_TEST((good.connack_reason == reason_code::success));
  BOOST_TEST(good.accepted == 1U);
  x.answer(outcome::deny);
  BOOST_TEST(bad.connacks == 1U);
  BOOST_TEST((bad.connack_reason == reason_code::not_authorized));
  BOOST_TEST(bad.accepted == 0U);
  BOOST_TEST(x.node["authentication.failure"] == 1U);
}

BOOST_AUTO_TEST_CASE(who_is_not_recognised_in_time_is_refused) {
  logging_in x;
  auto& one = x.come("one");
  x.node.advance(6s);
  BOOST_TEST(one.connacks == 1U);
  BOOST_TEST((one.connack_reason == reason_code::server_unavailable));
  x.answer(outcome::allow); // nobody is there any more
  BOOST_TEST(one.accepted == 0U);
  auto& silent = x.come("silent");
  x.authenticator->open.clear(); // drops the question
  x.node.run_until_idle();
  BOOST_TEST((silent.connack_reason == reason_code::not_authorized));
}

BOOST_AUTO_TEST_CASE(rules_that_change_during_the_login_hold_for_who_comes) {
  logging_in x;
  auto& one = x.come("one");
  auto now = std::make_shared<actors::access_control>(); // nobody is known
  now->generation = 2;
  x.node.set_access(now);
  x.answer(outcome::allow); // by the authenticator of before
  BOOST_TEST(one.accepted == 0U);
  BOOST_REQUIRE(one.disconnected.has_value());
  BOOST_TEST((*one.disconnected == reason_code::not_authorized));
  BOOST_TEST(x.node["client.ended.account"] == 1U);
}
