#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_1_5_4_1_closes_on_ill_formed_strings) {
  scenario::closes_on_ill_formed_strings(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_1_5_4_2_closes_on_a_null_character) {
  scenario::closes_on_a_null_character(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_1_5_4_3_keeps_a_byte_order_mark) {
  scenario::keeps_a_byte_order_mark(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_2_2_1_2_sends_no_identifier_with_qos_0) {
  scenario::sends_no_identifier_with_qos_0(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_2_2_1_3_closes_on_identifier_0) {
  scenario::closes_on_identifier_0(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_2_2_1_4_gives_each_delivery_in_flight_its_own_identifier) {
  scenario::gives_each_delivery_in_flight_its_own_identifier(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_2_2_1_5_acknowledges_with_the_identifier_of_the_publish) {
  scenario::acknowledges_with_the_identifier_of_the_publish(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_2_2_1_6_answers_with_the_identifier_of_the_request) {
  scenario::answers_with_the_identifier_of_the_request(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_1_5_5_1_writes_and_asks_for_the_shortest_lengths) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic);
  auto sender = connected();
  // Around the sizes at which the Remaining Length takes a byte more. The
  // decoder refuses one that is longer than need be.
  for (const auto size : {127U, 128U, 16'383U, 16'384U}) {
    const bytes payload(size - topic.size() - 3, 'x');
    sender.publish({.topic = topic, .payload = payload});
    const auto in = c.expect_publish();
    BOOST_TEST(in.body.size() == size);
    BOOST_TEST(in.whole.size() - size
               == (size < 128      ? 2U
                   : size < 16'384 ? 3U
                                   : 4U));
  }
  for (const auto& bad :
       {raw({0xC0, 0x80, 0x00}),                     // Remaining Length
        raw({0xC0, 0x80, 0x80, 0x80, 0x80, 0x00}),   // of five bytes
        framed(0x30, text("t") + raw({0x80, 0x00})), // Property Length
        framed(0x82, u16(1) + variable(3) + raw({0x0B, 0x81, 0x00}) + text("t")
                       + u8(0))}) // an identifier
    expect_violation(v, bad, {code::malformed});
}

BOOST_AUTO_TEST_CASE(mqtt5_1_5_7_1_closes_on_ill_formed_user_properties) {
  const bytes null{"a\0", 2};
  for (const auto& bad :
       {prop::user("name", "a\xFF"), prop::user("a\xFF", "value"),
        prop::user("name", null), prop::user(null, "value"),
        prop::user("good", "good") + prop::user("\xED\xA0\x80", "")}) {
    expect_violation(v, publish(v, {.topic = "t", .properties = bad}),
                     {code::malformed});
    expect_violation(v, subscribe(v, 1, {{"t", 0}}, bad), {code::malformed});
    expect_violation(v, unsubscribe(v, 1, {"t"}, bad), {code::malformed});
    expect_violation(v, disconnect(0, bad), {code::malformed});
    expect_bad_connect(
      v, connect(v, {.client_id = unique("c"), .properties = bad}));
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_2_1_3_1_closes_on_wrong_flags_and_sends_right_ones) {
  scenario::emits_the_listed_flags(v);
  scenario::closes_on_wrong_fixed_header_flags(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_2_2_2_1_states_the_length_of_no_properties) {
  const auto topic = unique("t");
  auto c = connected();
  c.send(subscribe(v, 1, {{topic, 0}}));
  BOOST_TEST(hex(c.expect(SUBACK).whole) == "90 04 00 01 00 00");
  c.send(publish(v, {.topic = topic, .payload = "x"}));
  BOOST_TEST(hex(c.expect(PUBLISH).whole)
             == hex(framed(0x30, text(topic) + u8(0) + "x")));
  c.send(unsubscribe(v, 2, {topic}));
  BOOST_TEST(hex(c.expect(UNSUBACK).whole) == "B0 04 00 02 00 00");
  // Without that byte a packet ends early.
  expect_violation(v, framed(0x30, text("t")), {code::malformed});
  expect_violation(v, framed(0xE0, u8(0) + raw({0x05})), {code::malformed});
}
