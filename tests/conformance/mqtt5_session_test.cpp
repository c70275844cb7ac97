#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

#include <set>
#include <thread>

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_4_1_0_1_keeps_session_state_while_connected) {
  scenario::keeps_session_state_while_connected(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_4_2_0_1_understands_packets_however_the_transport_splits_them) {
  scenario::understands_packets_however_the_transport_splits_them(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_1_1_sends_qos_0_without_dup) {
  scenario::sends_qos_0_without_dup(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_2_3_keeps_a_qos_1_message_until_puback) {
  scenario::keeps_a_qos_1_message_until_puback(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_4_3_2_5_takes_an_identifier_as_a_new_message_after_puback) {
  scenario::takes_an_identifier_as_a_new_message_after_puback(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_3_keeps_a_qos_2_message_until_pubrec) {
  scenario::keeps_a_qos_2_message_until_pubrec(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_4_answers_pubrec_with_pubrel) {
  scenario::answers_pubrec_with_pubrel(v);
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  connected().publish({.topic = topic, .payload = "x", .qos = 2});
  const auto in = c.expect_publish();
  c.send(ack(PUBREC, in.id, code::no_matching_subscribers)); // below 0x80
  BOOST_TEST(c.expect(PUBREL).id == in.id);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_5_keeps_a_pubrel_until_pubcomp) {
  scenario::keeps_a_pubrel_until_pubcomp(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_6_never_publishes_again_after_pubrel) {
  scenario::never_publishes_again_after_pubrel(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_10_delivers_a_repeated_qos_2_message_once) {
  scenario::delivers_a_repeated_qos_2_message_once(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_11_answers_pubrel_with_pubcomp) {
  scenario::answers_pubrel_with_pubcomp(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_4_3_3_12_takes_an_identifier_as_a_new_message_after_pubcomp) {
  scenario::takes_an_identifier_as_a_new_message_after_pubcomp(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_4_4_0_1_sends_what_is_unacknowledged_again_on_resume_only) {
  scenario::sends_what_is_unacknowledged_again_on_resume_only(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_5_0_1_adds_a_message_to_every_matching_session) {
  scenario::adds_a_message_to_every_matching_session(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_6_0_5_keeps_the_order_of_publishing) {
  scenario::keeps_the_order_of_publishing(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_6_0_6_keeps_every_topic_in_order_by_default) {
  scenario::keeps_every_topic_in_order_by_default(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_1_0_2_forgets_a_session_when_it_expires) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = connected(lasting(v, id, 1));
  c.subscribe(topic, 1);
  c.drop();
  auto sender = connected();
  sender.publish({.topic = topic, .payload = "x", .qos = 1});
  std::this_thread::sleep_for(1400ms);
  auto again = connected(lasting(v, id, 1));
  BOOST_TEST(!again.connack.session_present);
  sender.publish({.topic = topic, .payload = "y", .qos = 1});
  again.expect_quiet();
  // Without an interval it ends with its connection.
  const auto other = unique("c");
  connected(lasting(v, other, 0)).drop();
  std::this_thread::sleep_for(50ms);
  BOOST_TEST(!connected(lasting(v, other, 0)).connack.session_present);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_2_1_takes_a_free_identifier_for_qos_1) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 1);
  auto sender = connected();
  std::set<unsigned> in_flight;
  for (int i = 0; i < 20; ++i) {
    sender.publish({.topic = topic, .payload = "x", .qos = 1});
    BOOST_TEST(in_flight.insert(c.expect_publish().id).second);
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_2_2_sends_qos_1_first_without_dup) {
  scenario::sends_qos_1_first_with_a_fresh_identifier_and_no_dup(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_2_4_answers_qos_1_with_puback) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto c = connected();
  c.send(publish(v, {.topic = topic, .payload = "x", .qos = 1, .id = 0x0A0B}));
  const auto in = c.expect(PUBACK);
  BOOST_TEST(in.id == 0x0A0BU);
  BOOST_TEST(in.reason == code::success);
  BOOST_TEST(watcher.expect_publish().payload == "x");
  c.ping();
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_1_takes_a_free_identifier_for_qos_2) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  auto sender = connected();
  std::set<unsigned> in_flight;
  for (int i = 0; i < 20; ++i) {
    sender.publish({.topic = topic, .payload = "x", .qos = 2});
    const auto in = c.expect_publish();
    BOOST_TEST(in_flight.insert(in.id).second);
    if (i % 2 == 0) { // the identifier is not free before PUBCOMP
      c.send(ack(PUBREC, in.id));
      c.expect(PUBREL);
    }
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_2_sends_qos_2_first_without_dup) {
  scenario::sends_qos_2_first_with_a_fresh_identifier_and_no_dup(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_7_does_not_expire_what_was_sent) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  auto sender = connected();
  sender.publish({.topic = topic,
                  .payload = "sent",
                  .qos = 2,
                  .properties = prop::message_expiry(1)});
  const auto first = c.expect_publish();
  c.drop();
  std::this_thread::sleep_for(1300ms);
  auto again = lasting_client(v, id);
  const auto in = again.expect_publish();
  BOOST_TEST(in.id == first.id);
  BOOST_TEST(in.dup());
  BOOST_TEST(in.payload == "sent");
  again.acknowledge(in);
  again.ping();
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_8_answers_qos_2_with_pubrec) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto c = connected();
  c.send(publish(v, {.topic = topic, .payload = "x", .qos = 2, .id = 0x0A0B}));
  const auto in = c.expect(PUBREC);
  BOOST_TEST(in.id == 0x0A0BU);
  BOOST_TEST(in.reason == code::success);
  c.send(ack(PUBREL, 0x0A0B));
  c.expect(PUBCOMP);
  BOOST_TEST(watcher.expect_publish().payload == "x");
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_9_starts_anew_after_a_refusing_pubrec) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto c = connected();
  // Nobody but the server publishes below $SYS/.
  c.send(
    publish(v, {.topic = "$SYS/" + topic, .payload = "x", .qos = 2, .id = 9}));
  const auto refused = c.expect(PUBREC);
  BOOST_TEST(refused.id == 9U);
  BOOST_TEST(refused.reason >= 0x80U);
  c.publish({.topic = topic, .payload = "new", .qos = 2, .id = 9});
  BOOST_TEST(watcher.expect_publish().payload == "new");
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_13_ends_the_handshake_of_an_expired_message) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  auto sender = connected();
  sender.send(publish(v, {.topic = topic,
                          .payload = "x",
                          .qos = 2,
                          .id = 3,
                          .properties = prop::message_expiry(1)}));
  sender.expect(PUBREC);
  std::this_thread::sleep_for(1300ms);
  sender.send(ack(PUBREL, 3));
  const auto in = sender.expect(PUBCOMP);
  BOOST_TEST(in.id == 3U);
  BOOST_TEST(in.reason == code::success);
  if (c.anything_within(watching)) { // the other side as well
    const auto out = c.expect_publish();
    std::this_thread::sleep_for(out.qos() == 0 ? 0ms : 1200ms);
    c.acknowledge(out);
    c.ping();
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_4_0_2_settles_a_message_by_a_refusing_answer) {
  for (const auto qos : {1U, 2U}) {
    const auto id = unique("c");
    const auto topic = unique("t");
    auto c = lasting_client(v, id);
    c.subscribe(topic, 2);
    connected().publish({.topic = topic, .payload = "x", .qos = qos});
    const auto in = c.expect_publish();
    c.send(ack(qos == 1 ? PUBACK : PUBREC, in.id, 0x80));
    c.ping(); // no PUBREL
    c.drop();
    lasting_client(v, id).expect_quiet();
  }
}
