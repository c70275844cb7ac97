#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_12_4_1_answers_pingreq) {
  scenario::answers_pingreq(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_1_1_closes_on_wrong_disconnect_flags) {
  scenario::closes_on_wrong_disconnect_flags(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_0_1_sends_no_disconnect_before_connack) {
  for (const auto& bad :
       {publish(v, {.topic = "t"}), pingreq(), disconnect(0x81),
        framed(0xF0, ""), framed(0x00, "x"),
        raw({0x10, 0xFF, 0xFF, 0xFF, 0xFF}), connect(v, {.client_id = "a\xFF"}),
        connect(v, {.client_id = "a", .flags = 0x03}),
        connect(v, {.client_id = "a",
                   .properties = prop::authentication_method("UNKNOWN")})}) {
    client c{v};
    c.send(bad);
    BOOST_TEST_CONTEXT("after " << hex(bad)) {
      c.expect_refused({code::malformed, code::protocol_error,
                        code::client_identifier_not_valid,
                        code::bad_authentication_method, code::not_authorized});
    }
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_2_1_takes_codes_that_a_client_may_send_only) {
  for (const auto listed : {0x00U, 0x04U, 0x80U, 0x81U, 0x82U, 0x83U, 0x90U,
                            0x93U, 0x94U, 0x95U, 0x96U, 0x97U, 0x98U, 0x99U}) {
    auto c = connected();
    c.send(disconnect(listed));
    c.expect_closed();
  }
  for (const auto other :
       {0x01U, 0x18U, 0x55U, 0x8BU, 0x8DU, 0x8EU, 0x9AU, 0x9CU, 0xA2U, 0xFFU})
    expect_violation(v, disconnect(other),
                     {code::malformed, code::protocol_error});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_2_2_sends_no_session_expiry_in_disconnect) {
  const auto id = unique("c");
  auto older = connected(lasting(v, id, 100));
  auto newer = connected(lasting(v, id, 100));
  const auto taken = older.expect(DISCONNECT);
  BOOST_TEST(!taken.has(property_id::session_expiry_interval));
  newer.send(with_flags(pingreq(), 1));
  const auto violated = newer.expect(DISCONNECT);
  BOOST_TEST(!violated.has(property_id::session_expiry_interval));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_4_1_sends_nothing_after_its_disconnect) {
  const auto topic = unique("t");
  const auto id = unique("c");
  auto c = connected({.client_id = id});
  c.subscribe(topic, 0);
  // Requests and publications behind what earns the DISCONNECT.
  bytes more;
  for (int i = 0; i < 20; ++i)
    more += publish(v, {.topic = topic, .payload = "x"}) + pingreq();
  c.send(with_flags(pingreq(), 1) + more);
  c.expect(DISCONNECT);
  c.expect_closed();
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_4_2_closes_after_its_disconnect) {
  const auto id = unique("c");
  auto older = connected({.client_id = id});
  auto newer = connected({.client_id = id});
  BOOST_TEST(older.expect(DISCONNECT).reason == code::session_taken_over);
  older.expect_closed();
  newer.send(publish(v, {.topic = "a/#", .payload = "x"}));
  newer.expect(DISCONNECT);
  newer.expect_closed();
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_4_3_drops_or_keeps_the_will_as_the_code_says) {
  scenario::drops_the_will_on_disconnect(v);
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  const connect_options o{.will = will_options{.topic = topic}};
  connected(o).disconnect(0x00);
  watcher.expect_quiet();
  connected(o).disconnect(0x04);
  BOOST_TEST(watcher.expect_publish().payload == "gone");
  connected(o).disconnect(0x80);
  BOOST_TEST(watcher.expect_publish().payload == "gone");
}
