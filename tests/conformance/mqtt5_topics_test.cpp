#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

/// Two members of a shared subscription, one of which has a message.
struct share {
  client chosen;
  std::string chosen_id;
  client other;
};

share share_of_two(unsigned qos = 2) {
  const auto topic = unique("t");
  const auto shared = "$share/" + topic + "/" + topic;
  const std::string ids[] = {unique("c"), unique("c")};
  auto first = lasting_client(v, ids[0]);
  auto second = lasting_client(v, ids[1]);
  first.subscribe(shared, 2);
  second.subscribe(shared, 2);
  connected().publish({.topic = topic, .payload = "x", .qos = qos});
  for (int i = 0; i < 20; ++i) {
    if (first.anything_within(50ms))
      return {std::move(first), ids[0], std::move(second)};
    if (second.anything_within(50ms))
      return {std::move(second), ids[1], std::move(first)};
  }
  throw unexpected{"no member receives the message"};
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_4_7_0_1_closes_on_wildcards_in_a_topic_name) {
  scenario::closes_on_wildcards_in_a_topic_name(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_7_1_1_refuses_filters_with_a_misplaced_hash) {
  scenario::refuses_filters_with_a_misplaced_hash(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_7_1_2_refuses_filters_with_a_misplaced_plus) {
  scenario::refuses_filters_with_a_misplaced_plus(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_7_2_1_hides_dollar_topics_from_wildcards) {
  scenario::hides_dollar_topics_from_wildcards(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_7_3_1_refuses_empty_topics_and_filters) {
  scenario::refuses_empty_topics_and_filters(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_7_3_2_refuses_null_in_topics_and_filters) {
  scenario::refuses_null_in_topics_and_filters(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_7_3_3_takes_topics_of_65535_bytes) {
  scenario::takes_topics_of_65535_bytes(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_7_3_4_matches_code_points_exactly) {
  scenario::matches_code_points_exactly(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_1_asks_for_a_share_name) {
  const auto topic = unique("t");
  auto c = connected();
  BOOST_TEST(c.subscribe("$share//" + topic, 1).reasons.at(0)
             == code::topic_filter_invalid);
  // Only with that very prefix it is a shared subscription.
  auto other = connected();
  c.subscribe("$share/g/" + topic, 0);
  other.subscribe("$SHARE/g/" + topic, 0);
  connected().publish({.topic = topic, .payload = "x", .qos = 1});
  BOOST_TEST(c.expect_publish().payload == "x");
  other.expect_quiet(50ms);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_2_refuses_bad_share_names_and_filters) {
  for (const auto* bad :
       {"$share/g", "$share/g/", "$share/+/t", "$share/#/t", "$share/a+b/t",
        "$share/a#/t", "$share/g/a#", "$share/g/a/#/b", "$share/"}) {
    BOOST_TEST_CONTEXT(bad) {
      auto c = connected();
      c.send(subscribe(v, 1, {{bad, 1}}));
      const auto in = c.receive();
      if (in.type == SUBACK)
        BOOST_TEST(in.reasons.at(0) == code::topic_filter_invalid);
      else
        BOOST_TEST((in.type == DISCONNECT && in.reason >= 0x80));
    }
  }
  const auto topic = unique("t");
  auto c = connected();
  c.subscribe("$share/a b-\xC3\xA4/" + topic + "/+/#", 0);
  connected().publish({.topic = topic + "/1/2", .payload = "x", .qos = 1});
  BOOST_TEST(c.expect_publish().payload == "x");
}

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_3_respects_the_qos_of_the_chosen_member) {
  const auto topic = unique("t");
  std::vector<client> members;
  for (const auto qos : {0U, 1U, 2U}) {
    members.push_back(connected());
    members.back().subscribe("$share/" + topic + "/" + topic, qos);
  }
  auto sender = connected();
  constexpr int count = 30;
  for (int i = 0; i < count; ++i)
    sender.publish({.topic = topic, .payload = "x", .qos = 2});
  int received = 0;
  for (unsigned qos = 0; qos < 3; ++qos)
    while (members[qos].anything_within(watching)) {
      BOOST_TEST(members[qos].receive_message().qos() == qos);
      ++received;
    }
  BOOST_TEST(received == count);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_4_completes_qos_2_to_the_same_member) {
  for (const auto received : {false, true}) {
    auto s = share_of_two();
    const auto in = s.chosen.expect_publish();
    if (received) { // and the PUBREL is what the member misses
      s.chosen.send(ack(PUBREC, in.id));
      s.chosen.expect(PUBREL);
    }
    s.chosen.drop();
    s.other.expect_quiet();
    auto again = lasting_client(v, s.chosen_id);
    if (received) {
      BOOST_TEST(again.expect(PUBREL).id == in.id);
    } else {
      const auto repeated = again.expect_publish();
      BOOST_TEST(repeated.id == in.id);
      BOOST_TEST(repeated.payload == in.payload);
      BOOST_TEST(repeated.dup());
    }
    s.other.expect_quiet(50ms);
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_5_sends_begun_qos_2_to_no_other_member) {
  auto s = share_of_two();
  s.chosen.expect_publish();
  s.chosen.drop();
  auto ended = connected({.client_id = s.chosen_id}); // Clean Start
  BOOST_TEST(!ended.connack.session_present);
  s.other.expect_quiet();
  ended.expect_quiet(50ms);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_6_passes_a_refused_message_to_nobody) {
  for (const auto qos : {1U, 2U}) {
    auto s = share_of_two(qos);
    const auto in = s.chosen.expect_publish();
    s.chosen.send(ack(qos == 1 ? PUBACK : PUBREC, in.id, 0x83));
    s.chosen.expect_quiet();
    s.other.expect_quiet(50ms);
  }
}
