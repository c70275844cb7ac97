#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {
constexpr auto v = version::mqtt311;
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_1_1_closes_on_wrong_subscribe_flags) {
  scenario::closes_on_wrong_subscribe_flags(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_8_3_1_closes_on_an_ill_formed_filter_in_subscribe) {
  scenario::closes_on_an_ill_formed_filter_in_subscribe(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_3_3_closes_on_a_subscribe_without_filter) {
  scenario::closes_on_a_subscribe_without_filter(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_4_1_answers_subscribe_with_suback) {
  scenario::answers_subscribe_with_suback(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_4_2_answers_subscribe_with_its_identifier) {
  scenario::answers_subscribe_with_its_identifier(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_8_4_4_treats_many_filters_like_several_requests) {
  scenario::treats_many_filters_like_several_requests(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_4_5_grants_a_qos_or_fails) {
  scenario::grants_a_qos_or_fails(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_4_6_delivers_with_the_lower_qos) {
  scenario::delivers_with_the_lower_qos(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_9_3_1_sends_suback_codes_in_the_order_of_the_filters) {
  scenario::sends_suback_codes_in_the_order_of_the_filters(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_10_1_1_closes_on_wrong_unsubscribe_flags) {
  scenario::closes_on_wrong_unsubscribe_flags(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_10_3_1_closes_on_an_ill_formed_filter_in_unsubscribe) {
  scenario::closes_on_an_ill_formed_filter_in_unsubscribe(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_10_3_2_closes_on_an_unsubscribe_without_filter) {
  scenario::closes_on_an_unsubscribe_without_filter(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_10_4_1_compares_filters_of_unsubscribe_literally) {
  scenario::compares_filters_of_unsubscribe_literally(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_10_4_2_delivers_nothing_new_after_unsubscribe) {
  scenario::delivers_nothing_new_after_unsubscribe(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_10_4_3_completes_deliveries_after_unsubscribe) {
  scenario::completes_deliveries_after_unsubscribe(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_10_4_4_answers_unsubscribe_with_its_identifier) {
  scenario::answers_unsubscribe_with_its_identifier(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_10_4_5_answers_unsubscribe_of_nothing) {
  scenario::answers_unsubscribe_of_nothing(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_10_4_6_unsubscribes_many_filters_with_one_answer) {
  scenario::unsubscribes_many_filters_with_one_answer(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_12_4_1_answers_pingreq) {
  scenario::answers_pingreq(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_14_1_1_closes_on_wrong_disconnect_flags) {
  scenario::closes_on_wrong_disconnect_flags(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_14_4_3_drops_the_will_on_disconnect) {
  scenario::drops_the_will_on_disconnect(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_3_2_refuses_wildcards_where_switched_off) {
  auto c = connected(v, {}, broker_with({"mqtt.wildcard_subscription=false"}));
  const auto answer = c.subscribe({{"a/+", 0}, {"a/b", 1}, {"#", 2}, {"+", 1}});
  BOOST_TEST(answer.reasons == (std::vector<unsigned>{0x80, 1, 0x80, 0x80}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_3_4_closes_on_reserved_bits_of_the_qos_byte) {
  for (const auto options : {0x03U, 0x04U, 0x08U, 0x10U, 0x40U, 0x80U})
    expect_violation(v, subscribe(v, 1, {{"t", options}}), {});
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_4_3_replaces_a_subscription) {
  scenario::replaces_a_subscription(v);
  scenario::sends_retained_again_on_replacement_and_loses_nothing(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_9_3_2_sends_only_the_listed_suback_codes) {
  auto c = connected(v); // the decoder refuses codes beside 0, 1, 2, 0x80
  for (const auto* filter : {"a", "a/#", "a#", "+b", "a/#/b", "$share/g",
                             "$share/g/a", "$share/+/a", "$SYS/#", ""}) {
    c.send(subscribe(v, 1, {{filter, 2}}));
    if (const auto in = c.receive(); in.type == SUBACK)
      BOOST_TEST((in.reasons.at(0) == 2 || in.reasons.at(0) == 0x80));
    else
      BOOST_TEST((in.type == PUBLISH));
    while (c.anything_within(10ms))
      c.receive();
  }
}

BOOST_AUTO_TEST_CASE(mqtt311_3_14_4_1_closes_after_disconnect) {
  auto c = connected(v);
  c.send(disconnect());
  c.expect_closed();
}

BOOST_AUTO_TEST_CASE(mqtt311_3_14_4_2_ignores_what_follows_disconnect) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto c = connected(v);
  c.send(disconnect() + publish(v, {.topic = topic, .payload = "x"})
         + pingreq());
  c.expect_closed();
  watcher.expect_quiet();
}
