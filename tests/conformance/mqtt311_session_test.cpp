#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {
constexpr auto v = version::mqtt311;
}

BOOST_AUTO_TEST_CASE(mqtt311_4_1_0_2_keeps_session_state_while_connected) {
  scenario::keeps_session_state_while_connected(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_3_1_1_sends_qos_0_without_dup) {
  scenario::sends_qos_0_without_dup(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_4_4_0_1_sends_what_is_unacknowledged_again_on_resume_only) {
  scenario::sends_what_is_unacknowledged_again_on_resume_only(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_5_0_1_adds_a_message_to_every_matching_session) {
  scenario::adds_a_message_to_every_matching_session(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_6_0_5_keeps_every_topic_in_order_by_default) {
  scenario::keeps_every_topic_in_order_by_default(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_6_0_6_keeps_the_order_of_publishing) {
  scenario::keeps_the_order_of_publishing(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_7_1_1_closes_on_wildcards_in_a_topic_name) {
  scenario::closes_on_wildcards_in_a_topic_name(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_7_1_2_refuses_filters_with_a_misplaced_hash) {
  scenario::refuses_filters_with_a_misplaced_hash(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_7_1_3_refuses_filters_with_a_misplaced_plus) {
  scenario::refuses_filters_with_a_misplaced_plus(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_7_2_1_hides_dollar_topics_from_wildcards) {
  scenario::hides_dollar_topics_from_wildcards(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_7_3_1_refuses_empty_topics_and_filters) {
  scenario::refuses_empty_topics_and_filters(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_7_3_2_refuses_null_in_topics_and_filters) {
  scenario::refuses_null_in_topics_and_filters(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_7_3_3_takes_topics_of_65535_bytes) {
  scenario::takes_topics_of_65535_bytes(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_7_3_4_matches_code_points_exactly) {
  scenario::matches_code_points_exactly(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_7_1_1_1_understands_packets_however_the_transport_splits_them) {
  scenario::understands_packets_however_the_transport_splits_them(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_1_0_1_stores_session_state_for_the_session) {
  // All parts of it: subscriptions, both kinds of flow in both directions.
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  c.send(publish(v, {.topic = "x", .payload = "x", .qos = 2, .id = 5}));
  c.expect(PUBREC);
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "1", .qos = 1});
  const auto unacknowledged = c.expect_publish();
  c.drop();
  sender.publish({.topic = topic, .payload = "2", .qos = 1});
  auto again = lasting_client(v, id);
  BOOST_TEST(again.connack.session_present);
  BOOST_TEST(again.receive_message().id == unacknowledged.id);
  BOOST_TEST(again.receive_message().payload == "2");
  again.send(ack(PUBREL, 5));
  BOOST_TEST(again.expect(PUBCOMP).id == 5U);
  again.drop();
  sender.publish({.topic = topic, .payload = "3", .qos = 1});
  BOOST_TEST(lasting_client(v, id).receive_message().payload == "3");
}

BOOST_AUTO_TEST_CASE(mqtt311_4_3_2_1_sends_qos_1_as_listed) {
  scenario::sends_qos_1_first_with_a_fresh_identifier_and_no_dup(v);
  scenario::keeps_a_qos_1_message_until_puback(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_3_2_2_receives_qos_1_as_listed) {
  scenario::takes_an_identifier_as_a_new_message_after_puback(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_3_3_1_sends_qos_2_as_listed) {
  scenario::sends_qos_2_first_with_a_fresh_identifier_and_no_dup(v);
  scenario::keeps_a_qos_2_message_until_pubrec(v);
  scenario::answers_pubrec_with_pubrel(v);
  scenario::keeps_a_pubrel_until_pubcomp(v);
  scenario::never_publishes_again_after_pubrel(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_3_3_2_receives_qos_2_as_listed) {
  scenario::delivers_a_repeated_qos_2_message_once(v);
  scenario::answers_pubrel_with_pubcomp(v);
  scenario::takes_an_identifier_as_a_new_message_after_pubcomp(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_4_8_0_1_closes_only_the_connection_that_errs) {
  auto other = connected(v);
  for (const auto& bad :
       {framed(0x00, ""), framed(0xF0, ""), raw({0x20, 0x02, 0x00, 0x00}),
        raw({0xD0, 0x00}), framed(0x90, u16(1) + u8(0)), framed(0xB0, u16(1)),
        raw({0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F})})
    expect_violation(v, bad, {});
  other.ping();
}

BOOST_AUTO_TEST_CASE(
  mqtt311_4_8_0_2_closes_where_a_packet_cannot_be_processed) {
  // It does not fit into what the server sets aside for a packet.
  auto c = connected(v, {}, broker_with({"mqtt.max_packet_size=1KB"}));
  c.send(publish(v, {.topic = "t", .payload = bytes(2000, 'x')}));
  c.expect_closed();
}

BOOST_AUTO_TEST_CASE(mqtt311_7_0_0_2_needs_no_extension) {
  // One round of everything with default settings and plain packets.
  const auto topic = unique("t");
  const auto id = unique("c");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  auto sender = connected(v);
  for (const auto qos : {0U, 1U, 2U}) {
    sender.publish({.topic = topic, .payload = "x", .qos = qos});
    BOOST_TEST(c.receive_message().qos() == qos);
  }
  c.unsubscribe({topic});
  c.ping();
  c.disconnect();
  sender.disconnect();
}
