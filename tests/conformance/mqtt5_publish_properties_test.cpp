#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

#include <set>
#include <thread>

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

using enum property_id;

/// What `c` receives when somebody publishes with these properties.
packet forwarded(client& c, const std::string& topic, const bytes& properties) {
  auto sender = connected();
  sender.publish({.topic = topic, .payload = "x", .properties = properties});
  return c.expect_publish();
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_4_forwards_the_payload_format_indicator) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic);
  for (const auto indicator : {0U, 1U}) {
    const auto in = forwarded(c, topic, prop::payload_format(indicator));
    BOOST_TEST(in.number(payload_format_indicator).value_or(0) == indicator);
  }
  BOOST_TEST(!forwarded(c, topic, {}).has(payload_format_indicator));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_5_deletes_what_expired_before_delivery) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 1);
  c.disconnect();
  auto sender = connected();
  sender.publish({.topic = topic,
                  .payload = "short",
                  .qos = 1,
                  .retain = true,
                  .properties = prop::message_expiry(1)});
  sender.publish({.topic = topic,
                  .payload = "long",
                  .qos = 1,
                  .properties = prop::message_expiry(100)});
  std::this_thread::sleep_for(1300ms);
  auto again = lasting_client(v, id);
  BOOST_TEST(again.receive_message().payload == "long");
  again.expect_quiet(50ms);
  expect_retained(v, topic, std::nullopt);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_6_forwards_what_is_left_of_the_expiry) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 1);
  auto here = subscriber(v, topic);
  c.disconnect();
  connected().publish({.topic = topic,
                       .payload = "x",
                       .qos = 1,
                       .retain = true,
                       .properties = prop::message_expiry(10)});
  BOOST_TEST(here.expect_publish().number(message_expiry_interval).value_or(0)
             == 10U);
  std::this_thread::sleep_for(1200ms);
  const auto queued =
    lasting_client(v, id).receive_message().number(message_expiry_interval);
  BOOST_TEST((queued.value_or(0) == 9 || queued.value_or(0) == 8));
  auto late = connected();
  late.subscribe(topic, 0);
  const auto kept = late.expect_publish().number(message_expiry_interval);
  BOOST_TEST((kept.value_or(0) == 9 || kept.value_or(0) == 8));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_7_forgets_aliases_with_the_connection) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto o = lasting(v, id);
  o.properties += prop::topic_alias_maximum(5);
  auto c = connected(o);
  c.subscribe(topic, 0);
  c.publish(
    {.topic = topic, .payload = "1", .properties = prop::topic_alias(1)});
  c.publish({.topic = "", .payload = "2", .properties = prop::topic_alias(1)});
  BOOST_TEST(watcher.expect_publish().payload == "1");
  const auto in = watcher.expect_publish();
  BOOST_TEST(in.payload == "2");
  BOOST_TEST(in.topic == topic);
  c.expect_publish();
  c.expect_publish();
  c.disconnect();
  auto again = connected(o); // the same session
  BOOST_TEST(again.connack.session_present);
  connected().publish({.topic = topic, .payload = "3", .qos = 1});
  BOOST_TEST(again.expect_publish().topic == topic); // first use, in full
  again.publish(
    {.topic = "", .payload = "4", .properties = prop::topic_alias(1)});
  again.expect_disconnect({code::protocol_error, code::topic_alias_invalid});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_8_refuses_alias_0) {
  expect_violation(
    v, publish(v, {.topic = "t", .properties = prop::topic_alias(0)}),
    {code::topic_alias_invalid});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_9_refuses_aliases_over_the_maximum) {
  auto& server = broker_with({"mqtt.max_topic_alias=10"});
  for (const auto alias : {11U, 0x0100U, 65'535U}) {
    auto c = connected({}, server);
    c.send(publish(v, {.topic = "t", .properties = prop::topic_alias(alias)}));
    c.expect_disconnect({code::topic_alias_invalid});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_11_sends_aliases_within_the_clients_maximum) {
  for (const auto maximum : {1U, 3U}) {
    const auto root = unique("t");
    auto c = connected({.properties = prop::topic_alias_maximum(maximum)});
    c.subscribe(root + "/#", 1);
    auto sender = connected();
    for (unsigned i = 0; i < 24; ++i) {
      sender.publish({.topic = root + "/" + std::to_string(i % 6),
                      .payload = "x",
                      .qos = i % 2});
      const auto in = c.receive_message();
      BOOST_TEST(in.number(topic_alias).value_or(1) <= maximum);
    }
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_12_takes_every_alias_up_to_its_maximum) {
  const auto root = unique("t");
  auto c = connected();
  const auto maximum = c.connack.number(topic_alias_maximum).value_or(0);
  BOOST_REQUIRE(maximum > 0);
  c.subscribe(root + "/#", 0);
  for (const auto alias : {1U, (maximum + 1) / 2, maximum}) {
    const auto topic = root + "/" + std::to_string(alias);
    c.publish({.topic = topic, .properties = prop::topic_alias(alias)});
    c.publish({.topic = "", .properties = prop::topic_alias(alias)});
    BOOST_TEST(c.expect_publish().topic == topic);
    BOOST_TEST(c.expect_publish().topic == topic);
  }
  // A mapping can be changed.
  c.publish({.topic = root, .properties = prop::topic_alias(1)});
  c.publish({.topic = "", .properties = prop::topic_alias(1)});
  BOOST_TEST(c.expect_publish().topic == root);
  BOOST_TEST(c.expect_publish().topic == root);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_13_refuses_an_ill_formed_response_topic) {
  for (const auto& bad : ill_formed_strings())
    expect_violation(
      v, publish(v, {.topic = "t", .properties = prop::response_topic(bad)}),
      {code::malformed, code::topic_name_invalid});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_14_refuses_wildcards_in_a_response_topic) {
  for (const auto* bad : {"a/+", "#", "a/b#", "+a"})
    expect_violation(
      v, publish(v, {.topic = "t", .properties = prop::response_topic(bad)}),
      {code::malformed, code::protocol_error, code::topic_name_invalid});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_15_forwards_the_response_topic) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic);
  for (const auto* response : {"a", "/a//b/", "\xC3\xA4 $x"})
    BOOST_TEST(forwarded(c, topic, prop::response_topic(response))
                 .text(response_topic)
                 .value_or("")
               == response);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_16_forwards_the_correlation_data) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic);
  bytes all;
  for (unsigned i = 0; i < 256; ++i)
    all += u8(i);
  for (const auto& data : {all, bytes{}, bytes{"\0", 1}}) {
    const auto in = forwarded(c, topic, prop::correlation_data(data));
    BOOST_TEST(in.has(correlation_data));
    BOOST_TEST((in.text(correlation_data) == data));
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_17_forwards_all_user_properties) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic);
  const auto seen = forwarded(c, topic,
                              prop::user("a", "1") + prop::user("a", "1")
                                + prop::user("", "") + prop::user("b", ""))
                      .user_properties();
  BOOST_TEST((std::multiset<std::string>{seen.begin(), seen.end()}
              == std::multiset<std::string>{"a=1", "a=1", "=", "b="}));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_18_keeps_user_properties_in_order) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic);
  // Among other properties, which may come in any place.
  const auto in = forwarded(
    c, topic,
    prop::user("z", "1") + prop::content_type("x") + prop::user("a", "2")
      + prop::message_expiry(100) + prop::user("m", "3")
      + prop::correlation_data("k") + prop::user("a", "1"));
  BOOST_TEST(in.user_properties()
               == (std::vector<std::string>{"z=1", "a=2", "m=3", "a=1"}),
             boost::test_tools::per_element());
  BOOST_TEST(in.text(content_type).value_or("") == "x");
  BOOST_TEST(in.text(correlation_data).value_or("") == "k");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_19_refuses_an_ill_formed_content_type) {
  for (const auto& bad : ill_formed_strings())
    expect_violation(
      v, publish(v, {.topic = "t", .properties = prop::content_type(bad)}),
      {code::malformed});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_20_forwards_the_content_type) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic);
  for (const auto* type : {"application/json; charset=utf-8", "", "\xC3\xA4"}) {
    const auto in = forwarded(c, topic, prop::content_type(type));
    BOOST_TEST(in.has(content_type));
    BOOST_TEST(in.text(content_type).value_or("-") == type);
  }
}
