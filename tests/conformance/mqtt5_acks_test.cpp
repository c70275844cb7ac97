#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

#include <utility>

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

/// A client that owes the acknowledgement of a PUBLISH, and the identifier.
std::pair<client, unsigned> with_one_in_flight(unsigned qos) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, qos);
  connected().publish({.topic = topic, .payload = "x", .qos = qos});
  const auto id = c.expect_publish().id;
  return {std::move(c), id};
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_6_1_1_closes_on_wrong_pubrel_flags) {
  scenario::closes_on_wrong_pubrel_flags(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_4_2_1_sends_and_takes_listed_puback_codes_only) {
  const auto topic = unique("t");
  auto c = connected();
  const auto nobody =
    c.publish({.topic = topic, .payload = "x", .qos = 1}).reason;
  BOOST_TEST((nobody == code::no_matching_subscribers || nobody == 0));
  auto watcher = subscriber(v, topic);
  BOOST_TEST(c.publish({.topic = topic, .payload = "x", .qos = 1}).reason
             == code::success);
  for (const auto listed :
       {0x00U, 0x10U, 0x80U, 0x83U, 0x87U, 0x90U, 0x91U, 0x97U, 0x99U}) {
    auto in_flight = with_one_in_flight(1);
    in_flight.first.send(ack(PUBACK, in_flight.second, listed));
    in_flight.first.ping();
  }
  for (const auto other : {0x01U, 0x18U, 0x55U, 0x81U, 0x92U, 0xFFU}) {
    auto in_flight = with_one_in_flight(1);
    in_flight.first.send(ack(PUBACK, in_flight.second, other));
    in_flight.first.expect_disconnect({code::malformed, code::protocol_error});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_5_2_1_sends_and_takes_listed_pubrec_codes_only) {
  const auto topic = unique("t");
  auto c = connected();
  const auto nobody =
    c.publish({.topic = topic, .payload = "x", .qos = 2}).reason;
  BOOST_TEST((nobody == code::no_matching_subscribers || nobody == 0));
  for (const auto listed : {0x00U, 0x10U}) {
    auto in_flight = with_one_in_flight(2);
    in_flight.first.send(ack(PUBREC, in_flight.second, listed));
    BOOST_TEST(in_flight.first.expect(PUBREL).reason == code::success);
  }
  for (const auto listed : {0x80U, 0x83U, 0x87U, 0x90U, 0x91U, 0x97U, 0x99U}) {
    auto in_flight = with_one_in_flight(2);
    in_flight.first.send(ack(PUBREC, in_flight.second, listed));
    in_flight.first.ping(); // that was the end of it
  }
  for (const auto other : {0x01U, 0x18U, 0x55U, 0x81U, 0x92U, 0xFFU}) {
    auto in_flight = with_one_in_flight(2);
    in_flight.first.send(ack(PUBREC, in_flight.second, other));
    in_flight.first.expect_disconnect({code::malformed, code::protocol_error});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_6_2_1_sends_and_takes_listed_pubrel_codes_only) {
  auto c = connected();
  c.send(ack(PUBREC, 77)); // nothing was sent under this identifier
  const auto unknown = c.expect(PUBREL);
  BOOST_TEST(unknown.id == 77U);
  BOOST_TEST(unknown.reason == code::packet_identifier_not_found);
  for (const auto listed : {0x00U, 0x92U}) {
    c.send(publish(v, {.topic = "t", .payload = "x", .qos = 2, .id = 5}));
    c.expect(PUBREC);
    c.send(ack(PUBREL, 5, listed));
    BOOST_TEST(c.expect(PUBCOMP).id == 5U);
  }
  for (const auto other : {0x01U, 0x10U, 0x80U, 0x91U, 0xFFU})
    expect_violation(v, ack(PUBREL, 5, other),
                     {code::malformed, code::protocol_error});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_7_2_1_sends_and_takes_listed_pubcomp_codes_only) {
  auto c = connected();
  c.send(ack(PUBREL, 77)); // nothing was received under this identifier
  const auto unknown = c.expect(PUBCOMP);
  BOOST_TEST(unknown.id == 77U);
  BOOST_TEST(unknown.reason == code::packet_identifier_not_found);
  for (const auto listed : {0x00U, 0x92U}) {
    auto in_flight = with_one_in_flight(2);
    in_flight.first.send(ack(PUBREC, in_flight.second));
    BOOST_TEST(in_flight.first.expect(PUBREL).reason == code::success);
    in_flight.first.send(ack(PUBCOMP, in_flight.second, listed));
    in_flight.first.ping();
  }
  for (const auto other : {0x01U, 0x10U, 0x80U, 0x91U, 0xFFU})
    expect_violation(v, ack(PUBCOMP, 5, other),
                     {code::malformed, code::protocol_error});
}
