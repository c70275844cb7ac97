#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_4_9_0_1_starts_with_the_quota_of_the_client) {
  for (const auto quota : {1U, 3U}) {
    const auto topic = unique("t");
    auto c = connected({.properties = prop::receive_maximum(quota)});
    c.subscribe(topic, 2);
    auto sender = connected();
    for (unsigned i = 0; i < quota + 2; ++i)
      sender.publish({.topic = topic, .payload = "x", .qos = 1 + i % 2});
    for (unsigned i = 0; i < quota; ++i)
      c.expect_publish();
    c.expect_quiet();
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_9_0_2_sends_no_more_than_the_quota_allows) {
  const auto topic = unique("t");
  auto c = connected({.properties = prop::receive_maximum(2)});
  c.subscribe(topic, 2);
  auto sender = connected();
  for (const auto qos : {1U, 2U, 2U, 1U, 1U, 1U})
    sender.publish({.topic = topic, .payload = "x", .qos = qos});
  const auto one = c.expect_publish();
  const auto two = c.expect_publish();
  c.expect_quiet(60ms);
  c.send(ack(PUBACK, one.id)); // PUBACK gives one back
  const auto three = c.expect_publish();
  c.expect_quiet(60ms);
  c.send(ack(PUBREC, two.id)); // PUBREC does not
  c.expect(PUBREL);
  c.expect_quiet(60ms);
  c.send(ack(PUBCOMP, two.id)); // PUBCOMP does
  c.expect_publish();
  c.expect_quiet(60ms);
  c.send(ack(PUBREC, three.id, 0x80)); // so does a PUBREC that refuses
  c.expect_publish();
  c.expect_quiet(60ms);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_9_0_3_goes_on_with_all_else_at_quota_zero) {
  const auto topic = unique("t");
  auto c = connected({.properties = prop::receive_maximum(1)});
  c.subscribe(topic, 1);
  auto sender = connected();
  sender.publish({.topic = topic, .payload = "1", .qos = 1});
  sender.publish({.topic = topic, .payload = "2", .qos = 1});
  const auto first = c.expect_publish();
  const auto other = unique("t");
  auto watcher = subscriber(v, other, 2);
  for (const auto qos : {0U, 1U, 2U}) { // the other direction is open
    c.publish({.topic = other, .payload = "3", .qos = qos});
    BOOST_TEST(watcher.receive_message().payload == "3");
  }
  c.subscribe(other, 0);
  c.unsubscribe({other});
  c.ping();
  c.send(ack(PUBACK, first.id));
  BOOST_TEST(c.expect_publish().payload == "2");
}

BOOST_AUTO_TEST_CASE(mqtt5_4_13_1_1_closes_on_malformed_packets_and_errors) {
  const auto double_property =
    prop::payload_format(1) + prop::payload_format(1);
  for (const auto& bad :
       {framed(0x00, ""), // packet type 0
        raw({0x20, 0x03, 0x00, 0x00, 0x00}), framed(0x90, u16(1) + u16(0)),
        framed(0xB0, u16(1) + u16(0)), raw({0xD0, 0x00}), // of a server
        framed(0x82, u16(1)), framed(0x32, text("t")),    // cut short
        framed(0xC0, "x"), framed(0x40, ""), framed(0x62, u8(1)),
        publish(v, {.topic = "t", .properties = double_property}),
        publish(v, {.topic = "t", .properties = prop::payload_format(2)}),
        publish(v, {.topic = "t", .properties = prop::session_expiry(1)}),
        publish(v, {.topic = "t", .properties = raw({0x7E, 0x00})}),
        subscribe(v, 1, {{"t", 0}}, prop::subscription_identifier(0)),
        disconnect(0, prop::session_expiry(5))}) // it was 0 in CONNECT
    expect_violation(v, bad, {code::malformed, code::protocol_error});
  expect_violation(v, raw({0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F}),
                   {code::malformed, code::packet_too_large});
}

BOOST_AUTO_TEST_CASE(mqtt5_4_13_2_1_closes_with_a_code_of_an_error) {
  auto c = connected();
  c.send(with_flags(pingreq(), 1));
  BOOST_TEST(c.expect(DISCONNECT).reason >= 0x80U);
  c.expect_closed();
  client refused{v};
  refused.send(
    connect(v, {.client_id = unique("c"),
                .properties = prop::authentication_method("UNKNOWN")}));
  BOOST_TEST(refused.expect(CONNACK).reason >= 0x80U);
  refused.expect_closed();
  auto leaving = connected();
  leaving.send(disconnect(0x80));
  leaving.expect_closed();
}
