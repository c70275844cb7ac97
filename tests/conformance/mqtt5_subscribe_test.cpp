#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_8_1_1_closes_on_wrong_subscribe_flags) {
  scenario::closes_on_wrong_subscribe_flags(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_8_3_1_closes_on_an_ill_formed_filter_in_subscribe) {
  scenario::closes_on_an_ill_formed_filter_in_subscribe(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_3_2_closes_on_a_subscribe_without_filter) {
  scenario::closes_on_a_subscribe_without_filter(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_4_1_answers_subscribe_with_suback) {
  scenario::answers_subscribe_with_suback(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_4_2_answers_subscribe_with_its_identifier) {
  scenario::answers_subscribe_with_its_identifier(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_4_3_replaces_a_subscription) {
  scenario::replaces_a_subscription(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_8_4_4_sends_retained_again_on_replacement_and_loses_nothing) {
  scenario::sends_retained_again_on_replacement_and_loses_nothing(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_4_5_treats_many_filters_like_several_requests) {
  scenario::treats_many_filters_like_several_requests(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_4_6_sends_a_code_for_each_filter) {
  scenario::sends_a_code_for_each_filter(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_4_7_grants_a_qos_or_fails) {
  scenario::grants_a_qos_or_fails(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_4_8_delivers_with_the_lower_qos) {
  scenario::delivers_with_the_lower_qos(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_9_3_1_sends_suback_codes_in_the_order_of_the_filters) {
  scenario::sends_suback_codes_in_the_order_of_the_filters(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_10_1_1_closes_on_wrong_unsubscribe_flags) {
  scenario::closes_on_wrong_unsubscribe_flags(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_10_3_1_closes_on_an_ill_formed_filter_in_unsubscribe) {
  scenario::closes_on_an_ill_formed_filter_in_unsubscribe(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_10_3_2_closes_on_an_unsubscribe_without_filter) {
  scenario::closes_on_an_unsubscribe_without_filter(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_10_4_1_compares_filters_of_unsubscribe_literally) {
  scenario::compares_filters_of_unsubscribe_literally(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_10_4_2_delivers_nothing_new_after_unsubscribe) {
  scenario::delivers_nothing_new_after_unsubscribe(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_10_4_3_completes_deliveries_after_unsubscribe) {
  scenario::completes_deliveries_after_unsubscribe(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_10_4_4_answers_unsubscribe_with_its_identifier) {
  scenario::answers_unsubscribe_with_its_identifier(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_10_4_5_answers_unsubscribe_of_nothing) {
  scenario::answers_unsubscribe_of_nothing(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_10_4_6_unsubscribes_many_filters_with_one_answer) {
  scenario::unsubscribes_many_filters_with_one_answer(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_3_3_sends_nothing_back_with_no_local) {
  const auto topic = unique("t");
  const auto id = unique("c");
  auto c = lasting_client(v, id);
  c.subscribe(topic, no_local | 1);
  c.publish({.topic = topic, .payload = "own", .qos = 1});
  connected().publish({.topic = topic, .payload = "other", .qos = 1});
  BOOST_TEST(c.receive_message().payload == "other");
  c.expect_quiet(); // its PUBACK has been read
  c.ping();         // the acknowledgement has arrived
  c.drop();
  auto again = lasting_client(v, id); // it is the same client
  again.publish({.topic = topic, .payload = "own", .qos = 1});
  again.expect_quiet();
  again.subscribe(topic, 1);
  again.publish({.topic = topic, .payload = "own", .qos = 1});
  BOOST_TEST(again.receive_message().payload == "own");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_3_4_refuses_no_local_on_a_shared_subscription) {
  expect_violation(v, subscribe(v, 1, {{"$share/g/t", no_local}}),
                   {code::protocol_error});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_3_5_refuses_reserved_subscription_options) {
  for (const auto options : {0x40U, 0x80U, 0xC0U, 0x41U})
    expect_violation(v, subscribe(v, 1, {{"t", options}}), {code::malformed});
  // Values that are reserved within the other bits: QoS 3, Retain Handling 3.
  for (const auto options : {0x03U, 0x30U})
    expect_violation(v, subscribe(v, 1, {{"t", options}}),
                     {code::malformed, code::protocol_error});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_9_3_2_sends_only_the_listed_suback_codes) {
  using codes = std::vector<unsigned>;
  const std::vector<filter> many{{"a", 2},          {"a+", 1},
                                 {"$share/g/a", 1}, {"$share/g", 1},
                                 {"$share/+/a", 1}, {"#", retain_handling_2}};
  constexpr auto invalid = code::topic_filter_invalid;
  auto c = connected(); // the decoder knows the table
  BOOST_TEST(c.subscribe(many).reasons
               == (codes{2, invalid, 1, invalid, invalid, 0}),
             boost::test_tools::per_element());
  constexpr auto no_share = code::shared_subscriptions_not_supported;
  auto alone = connected({}, broker_with({"mqtt.shared_subscription=false"}));
  BOOST_TEST(
    alone.connack.number(property_id::shared_subscription_available).value_or(1)
    == 0U);
  BOOST_TEST(alone.subscribe({{"$share/g/a", 1}, {"a", 1}}).reasons
               == (codes{no_share, 1}),
             boost::test_tools::per_element());
  constexpr auto no_wildcard = code::wildcard_subscriptions_not_supported;
  auto plain = connected({}, broker_with({"mqtt.wildcard_subscription=false"}));
  BOOST_TEST(plain.connack.number(property_id::wildcard_subscription_available)
               .value_or(1)
             == 0U);
  BOOST_TEST(plain.subscribe({{"a/+", 1}, {"a", 1}}).reasons
               == (codes{no_wildcard, 1}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(mqtt5_3_11_3_1_sends_unsuback_codes_in_their_order) {
  const auto root = unique("t");
  auto c = connected();
  c.subscribe({{root + "/1", 0}, {root + "/2", 0}, {root + "/3", 0}});
  const auto answer = c.unsubscribe(
    {root + "/none", root + "/3", root + "/1", root + "/none", root + "/2"});
  constexpr auto none = code::no_subscription_existed;
  BOOST_TEST(answer.reasons == (std::vector<unsigned>{none, 0, 0, none, 0}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(mqtt5_3_11_3_2_sends_a_listed_unsuback_code_each) {
  auto c = connected(); // the decoder knows the table
  std::vector<std::string> filters;
  for (int i = 0; i < 20; ++i) {
    filters.push_back(unique("t"));
    if (i % 2 == 0)
      c.subscribe(filters.back(), 0);
    BOOST_TEST(c.unsubscribe(filters).reasons.size() == filters.size());
  }
  const auto bad = c.unsubscribe({"a/#/b", "$share/g"});
  BOOST_TEST(bad.reasons.size() == 2U);
  for (const auto reason : bad.reasons)
    BOOST_TEST((reason == code::topic_filter_invalid
                || reason == code::no_subscription_existed));
}
