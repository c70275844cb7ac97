#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

#include <set>

using namespace troupe::test;

namespace {
constexpr auto v = version::mqtt311;
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_1_1_sets_dup_when_it_delivers_again) {
  scenario::sets_dup_when_it_delivers_again(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_1_2_sends_qos_0_without_dup) {
  scenario::sends_qos_0_without_dup(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_3_1_3_does_not_pass_on_the_dup_of_the_publisher) {
  scenario::does_not_pass_on_the_dup_of_the_publisher(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_1_4_closes_on_qos_3) {
  scenario::closes_on_qos_3(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_1_5_keeps_message_and_qos_for_later) {
  scenario::replaces_the_retained_message(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_3_1_10_clears_the_retained_message_with_an_empty_one) {
  scenario::clears_the_retained_message_with_an_empty_one(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_1_11_never_retains_an_empty_message) {
  scenario::never_retains_an_empty_message(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_3_1_12_leaves_the_retained_message_alone_without_retain) {
  scenario::leaves_the_retained_message_alone_without_retain(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_3_2_1_begins_the_publish_with_a_well_formed_topic) {
  scenario::begins_the_publish_with_a_well_formed_topic(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_2_2_closes_on_wildcards_in_a_topic_name) {
  scenario::closes_on_wildcards_in_a_topic_name(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_2_3_delivers_only_what_a_filter_matches) {
  scenario::delivers_only_what_a_filter_matches(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_4_1_answers_a_publish_by_its_qos) {
  scenario::answers_a_publish_by_its_qos(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_5_1_delivers_an_overlap_at_the_highest_qos) {
  scenario::delivers_an_overlap_at_the_highest_qos(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_6_1_1_closes_on_wrong_pubrel_flags) {
  scenario::closes_on_wrong_pubrel_flags(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_1_6_sends_the_last_retained_of_each_topic) {
  const auto root = unique("t");
  auto sender = connected(v);
  for (const auto* topic : {"/a", "/b", "/b/c"})
    for (const auto* payload : {"old", "new"})
      sender.publish(
        {.topic = root + topic, .payload = payload, .qos = 1, .retain = true});
  auto c = connected(v);
  c.subscribe(root + "/#", 1);
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    const auto in = c.receive_message();
    BOOST_TEST(in.payload == "new");
    seen.insert(in.topic.substr(root.size()));
  }
  BOOST_TEST((seen == std::set<std::string>{"/a", "/b", "/b/c"}));
  c.expect_quiet(50ms);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_1_7_replaces_retained_by_one_of_qos_0) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto sender = connected(v);
  for (const auto qos : {1U, 0U}) {
    sender.publish({.topic = topic,
                    .payload = qos == 0 ? "new" : "old",
                    .qos = qos,
                    .retain = true});
    watcher.expect_publish(); // now it is there
  }
  auto late = connected(v);
  late.subscribe(topic, 2);
  const auto in = late.receive_message();
  BOOST_TEST(in.payload == "new");
  BOOST_TEST(in.qos() == 0U);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_3_1_8_sets_retain_for_a_new_subscription) {
  const auto topic = unique("t");
  connected(v).publish(
    {.topic = topic, .payload = "kept", .qos = 1, .retain = true});
  auto c = connected(v);
  c.subscribe(topic, 0);
  BOOST_TEST(c.expect_publish().retain());
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_3_1_9_clears_retain_for_a_subscription_there_was) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 1);
  auto sender = connected(v);
  for (const auto qos : {0U, 1U}) {
    sender.publish(
      {.topic = topic, .payload = "live", .qos = qos, .retain = true});
    BOOST_TEST(!c.receive_message().retain());
  }
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_3_5_2_acknowledges_and_drops_what_is_not_allowed) {
  // Nobody but the server publishes below $SYS/.
  const auto topic = "$SYS/" + unique("t");
  auto watcher = subscriber(v, topic);
  auto c = connected(v);
  c.send(publish(v, {.topic = topic, .payload = "x", .qos = 1, .id = 1}));
  BOOST_TEST(c.anything_within(1s));
  try {
    BOOST_TEST(c.expect(PUBACK).id == 1U);
  } catch (const unexpected&) {
    c.expect_closed();
  }
  watcher.expect_quiet();
}
