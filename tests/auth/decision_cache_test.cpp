// What a client was told before.

#include "auth/decision_cache.hpp"
#include "tests/auth/acl_support.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using auth::decision;

namespace {

struct fixture {
  auth::decision_cache::options how;
  auth::decision_cache cache{how};
  auth::decision_cache::clock::time_point now{1h};

  std::string_view find(const auth::request& what,
                        std::uint64_t generation = 1) {
    const auto found = cache.find(what, generation, now);
    return found ? to_text(*found) : "none";
  }
  void store(const auth::request& what, decision d,
             std::uint64_t generation = 1, bool fixed = true) {
    cache.store(what, d, generation, fixed, now);
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_decision_is_found_for_the_same_request_alone,
                        fixture) {
  BOOST_TEST(find(publish("a")) == "none");
  store(publish("a"), decision::allow);
  store(publish("b"), decision::deny);
  BOOST_TEST(find(publish("a")) == "allow");
  BOOST_TEST(find(publish("b")) == "deny");
  BOOST_TEST(find(publish("aa")) == "none");
  BOOST_TEST(find(subscribe("a")) == "none");
  auto other = publish("a");
  other.retain = true;
  BOOST_TEST(find(other) == "none");
  other = publish("a");
  other.qos = protocol::qos::exactly_once;
  BOOST_TEST(find(other) == "none");
  store(other, decision::deny);
  BOOST_TEST(find(publish("a")) == "allow");
  BOOST_TEST(find(other) == "deny");
  store(other, decision::allow);
  BOOST_TEST(find(other) == "allow");
  BOOST_TEST(cache.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(another_generation_drops_all, fixture) {
  store(publish("a"), decision::allow);
  BOOST_TEST(find(publish("a"), 2) == "none");
  BOOST_TEST(find(publish("a"), 1) == "none");
  BOOST_TEST(cache.size() == 0U);
  store(publish("a"), decision::deny, 2);
  BOOST_TEST(find(publish("a"), 2) == "deny");
}

BOOST_FIXTURE_TEST_CASE(a_late_answer_of_older_rules_is_not_kept, fixture) {
  store(publish("a"), decision::deny, 2);
  store(publish("a"), decision::allow, 1);
  store(publish("b"), decision::allow, 1);
  BOOST_TEST(find(publish("a"), 2) == "deny");
  BOOST_TEST(find(publish("b"), 2) == "none");
}

BOOST_FIXTURE_TEST_CASE(answers_that_may_change_live_for_their_time, fixture) {
  store(publish("a"), decision::allow, 1, false);
  store(publish("b"), decision::allow, 1, true);
  now += 59s;
  BOOST_TEST(find(publish("a")) == "allow");
  now += 1s;
  BOOST_TEST(find(publish("a")) == "none");
  BOOST_TEST(find(publish("b")) == "allow");
  store(publish("a"), decision::deny, 1, false);
  BOOST_TEST(find(publish("a")) == "deny");
  BOOST_TEST(cache.size() == 2U);
  how.ttl = 0s;
  store(publish("c"), decision::allow, 1, false);
  BOOST_TEST(find(publish("c")) == "none");
}

BOOST_FIXTURE_TEST_CASE(the_table_is_bounded_and_keeps_what_is_used, fixture) {
  how.entries = 4;
  std::vector<std::string> topics;
  for (int i = 0; i != 100; ++i)
    topics.push_back("topic/" + std::to_string(i));
  store(publish("kept"), decision::allow);
  for (const auto& topic : topics) {
    BOOST_TEST(find(publish("kept")) == "allow", topic);
    store(publish(topic), decision::deny);
    BOOST_TEST(find(publish(topic)) == "deny", topic);
    // The hand gives back what was marked only by this test.
    store(publish(topic), decision::deny);
  }
  BOOST_TEST(cache.size() == 4U);
  BOOST_TEST(find(publish(topics[0])) == "none");
}

BOOST_FIXTURE_TEST_CASE(nothing_is_kept_that_is_too_long_or_no_decision,
                        fixture) {
  store(publish(std::string(513, 'a')), decision::allow);
  store(publish("a"), decision::ignore);
  store(publish("a"), decision::later);
  BOOST_TEST(cache.size() == 0U);
  how.entries = 0;
  store(publish("a"), decision::allow);
  BOOST_TEST(cache.size() == 0U);
  BOOST_TEST(sizeof cache == 16U);
}
