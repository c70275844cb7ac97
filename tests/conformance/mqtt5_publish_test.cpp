#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

#include <set>

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_1_sets_dup_when_it_delivers_again) {
  scenario::sets_dup_when_it_delivers_again(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_3_does_not_pass_on_the_dup_of_the_publisher) {
  scenario::does_not_pass_on_the_dup_of_the_publisher(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_4_closes_on_qos_3) {
  scenario::closes_on_qos_3(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_5_replaces_the_retained_message) {
  scenario::replaces_the_retained_message(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_3_1_6_clears_the_retained_message_with_an_empty_one) {
  scenario::clears_the_retained_message_with_an_empty_one(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_7_never_retains_an_empty_message) {
  scenario::never_retains_an_empty_message(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_3_1_8_leaves_the_retained_message_alone_without_retain) {
  scenario::leaves_the_retained_message_alone_without_retain(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_3_2_1_begins_the_publish_with_a_well_formed_topic) {
  scenario::begins_the_publish_with_a_well_formed_topic(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_2_closes_on_wildcards_in_a_topic_name) {
  scenario::closes_on_wildcards_in_a_topic_name(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_3_delivers_only_what_a_filter_matches) {
  scenario::delivers_only_what_a_filter_matches(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_1_answers_a_publish_by_its_qos) {
  scenario::answers_a_publish_by_its_qos(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_2_delivers_an_overlap_at_the_highest_qos) {
  scenario::delivers_an_overlap_at_the_highest_qos(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_2_sends_and_takes_qos_0_without_dup_only) {
  scenario::sends_qos_0_without_dup(v);
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  expect_violation(v, publish(v, {.topic = topic, .payload = "x", .dup = true}),
                   {code::malformed});
  watcher.expect_quiet(50ms);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_9_sends_retained_on_every_subscribe) {
  const auto root = unique("t");
  auto sender = connected();
  for (const auto* one : {"a", "b"})
    sender.publish(
      {.topic = root + "/" + one, .payload = one, .qos = 1, .retain = true});
  auto c = connected();
  for (int i = 0; i < 2; ++i) {
    c.subscribe(root + "/+", 0);
    std::set<bytes> seen;
    for (int j = 0; j < 2; ++j) {
      const auto in = c.expect_publish();
      BOOST_TEST(in.retain());
      seen.insert(in.payload);
    }
    BOOST_TEST((seen == std::set<bytes>{"a", "b"}));
    c.expect_quiet(50ms);
  }
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_3_1_10_sends_retained_for_a_new_subscription_only) {
  const auto topic = unique("t");
  connected().publish(
    {.topic = topic, .payload = "kept", .qos = 1, .retain = true});
  auto c = connected();
  c.subscribe(topic, retain_handling_1);
  BOOST_TEST(c.expect_publish().payload == "kept");
  c.subscribe(topic, retain_handling_1 | 1);
  c.expect_quiet();
  c.unsubscribe({topic});
  c.subscribe(topic, retain_handling_1);
  BOOST_TEST(c.expect_publish().payload == "kept");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_11_sends_no_retained_where_not_wanted) {
  const auto topic = unique("t");
  connected().publish(
    {.topic = topic, .payload = "kept", .qos = 1, .retain = true});
  auto c = connected();
  c.subscribe(topic, retain_handling_2);
  c.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_12_forwards_without_retain_by_default) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 1);
  auto sender = connected();
  sender.publish({.topic = topic, .payload = "x", .qos = 1, .retain = true});
  BOOST_TEST(!c.receive_message().retain());
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_13_forwards_retain_as_published) {
  const auto topic = unique("t");
  auto c = connected();
  c.subscribe(topic, retain_as_published | 1);
  auto sender = connected();
  sender.publish({.topic = topic, .payload = "x", .qos = 1, .retain = true});
  BOOST_TEST(c.receive_message().retain());
  sender.publish({.topic = topic, .payload = "y", .qos = 1});
  BOOST_TEST(!c.receive_message().retain());
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_3_sends_the_identifiers_that_match) {
  const auto root = unique("t");
  auto c = connected();
  c.subscribe(root + "/#", 1, prop::subscription_identifier(1));
  c.subscribe(root + "/a", 1, prop::subscription_identifier(268'435'455));
  c.subscribe(root + "/+", 1); // without identifier
  c.subscribe(root + "/b", 1, prop::subscription_identifier(3));
  c.publish({.topic = root + "/a", .payload = "x", .qos = 1});
  std::multiset<std::uint32_t> seen;
  do
    for (const auto id :
         c.receive_message().numbers(property_id::subscription_identifier))
      seen.insert(id);
  while (c.anything_within(watching));
  BOOST_TEST((seen == std::multiset<std::uint32_t>{1, 268'435'455}));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_4_lists_all_identifiers_in_a_single_copy) {
  const auto root = unique("t");
  auto c = connected();
  c.subscribe(root + "/#", 1, prop::subscription_identifier(200));
  c.subscribe(root + "/a", 1, prop::subscription_identifier(7));
  // The same identifier for two subscriptions that match stands there twice
  // or once; a replaced one is gone.
  c.subscribe(root + "/b", 1, prop::subscription_identifier(5));
  c.subscribe(root + "/b", 1, prop::subscription_identifier(6));
  auto sender = connected();
  const auto identifiers = [&](const std::string& topic) {
    sender.publish({.topic = topic, .payload = "x", .qos = 1});
    auto ids =
      c.receive_message().numbers(property_id::subscription_identifier);
    while (c.anything_within(watching)) // where the server sends more copies
      for (const auto id :
           c.receive_message().numbers(property_id::subscription_identifier))
        ids.push_back(id);
    return std::set<std::uint32_t>{ids.begin(), ids.end()};
  };
  BOOST_TEST((identifiers(root + "/a") == std::set<std::uint32_t>{7, 200}));
  BOOST_TEST((identifiers(root + "/b") == std::set<std::uint32_t>{6, 200}));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_5_names_in_each_copy_its_own_subscription) {
  // A shared subscription gets a copy of its own.
  const auto topic = unique("t");
  auto c = connected();
  c.subscribe(topic, 1, prop::subscription_identifier(11));
  c.subscribe("$share/" + topic + "/" + topic, 1,
              prop::subscription_identifier(12));
  connected().publish({.topic = topic, .payload = "x", .qos = 1});
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 2; ++i) {
    const auto ids =
      c.receive_message().numbers(property_id::subscription_identifier);
    BOOST_TEST(ids.size() == 1U);
    seen.insert(ids.begin(), ids.end());
  }
  BOOST_TEST((seen == std::set<std::uint32_t>{11, 12}));
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_3_4_6_refuses_subscription_identifiers_in_publish) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  expect_violation(v,
                   publish(v, {.topic = topic,
                               .properties = prop::subscription_identifier(1)}),
                   {code::protocol_error});
  watcher.expect_quiet(50ms);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_7_closes_on_more_than_its_receive_maximum) {
  auto c = connected({}, broker_with({"mqtt.receive_maximum=5"}));
  BOOST_TEST(c.connack.number(property_id::receive_maximum).value_or(65'535)
             == 5U);
  for (unsigned id = 1; id <= 5; ++id) {
    c.send(publish(v, {.topic = "t", .payload = "x", .qos = 2, .id = id}));
    c.expect(PUBREC);
  }
  c.ping();
  c.send(ack(PUBREL, 1)); // makes room for one
  c.expect(PUBCOMP);
  c.send(publish(v, {.topic = "t", .payload = "x", .qos = 2, .id = 6}));
  c.expect(PUBREC);
  c.send(publish(v, {.topic = "t", .payload = "x", .qos = 2, .id = 7}));
  c.expect_disconnect({code::receive_maximum_exceeded});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_9_stays_within_the_clients_receive_maximum) {
  const auto topic = unique("t");
  auto c = connected({.properties = prop::receive_maximum(1)});
  c.subscribe(topic, 2);
  auto sender = connected();
  for (const auto* payload : {"1", "2", "3"})
    sender.publish({.topic = topic, .payload = payload, .qos = 1});
  for (const auto* payload : {"1", "2", "3"}) {
    const auto in = c.expect_publish();
    BOOST_TEST(in.payload == payload);
    c.expect_quiet(60ms); // until it is acknowledged
    c.send(ack(PUBACK, in.id));
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_10_delays_nothing_else_with_a_full_window) {
  const auto topic = unique("t");
  auto c = connected({.properties = prop::receive_maximum(1)});
  c.subscribe(topic, 2);
  auto sender = connected();
  sender.publish({.topic = topic, .payload = "1", .qos = 2});
  sender.publish({.topic = topic, .payload = "2", .qos = 2});
  const auto first = c.expect_publish();
  c.ping();
  c.send(subscribe(v, 100, {{unique("t"), 0}}));
  c.expect(SUBACK);
  c.send(unsubscribe(v, 101, {unique("t")}));
  c.expect(UNSUBACK);
  c.send(publish(v, {.topic = "t", .payload = "x", .qos = 1, .id = 102}));
  c.expect(PUBACK);
  c.send(publish(v, {.topic = "t", .payload = "x", .qos = 2, .id = 103}));
  c.expect(PUBREC);
  c.send(ack(PUBREL, 103));
  c.expect(PUBCOMP);
  c.send(ack(PUBREC, first.id));
  c.expect(PUBREL);
  c.ping(); // still one unacknowledged
  c.send(ack(PUBCOMP, first.id));
  BOOST_TEST(c.expect_publish().payload == "2");
}
