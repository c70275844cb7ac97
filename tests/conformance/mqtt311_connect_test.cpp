#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {
constexpr auto v = version::mqtt311;
}

BOOST_AUTO_TEST_CASE(mqtt311_1_5_3_1_closes_on_ill_formed_strings) {
  scenario::closes_on_ill_formed_strings(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_1_5_3_2_closes_on_a_null_character) {
  scenario::closes_on_a_null_character(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_1_5_3_3_keeps_a_byte_order_mark) {
  scenario::keeps_a_byte_order_mark(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_2_2_2_1_emits_the_listed_flags) {
  scenario::emits_the_listed_flags(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_2_2_2_2_closes_on_wrong_fixed_header_flags) {
  scenario::closes_on_wrong_fixed_header_flags(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_2_3_1_1_closes_on_identifier_0) {
  scenario::closes_on_identifier_0(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_2_3_1_4_gives_each_delivery_in_flight_its_own_identifier) {
  scenario::gives_each_delivery_in_flight_its_own_identifier(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_2_3_1_5_sends_no_identifier_with_qos_0) {
  scenario::sends_no_identifier_with_qos_0(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_2_3_1_6_acknowledges_with_the_identifier_of_the_publish) {
  scenario::acknowledges_with_the_identifier_of_the_publish(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_2_3_1_7_answers_with_the_identifier_of_the_request) {
  scenario::answers_with_the_identifier_of_the_request(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_0_1_closes_unless_connect_comes_first) {
  scenario::closes_unless_connect_comes_first(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_0_2_closes_on_a_second_connect) {
  scenario::closes_on_a_second_connect(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_1_refuses_another_protocol_name) {
  scenario::refuses_another_protocol_name(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_3_refuses_the_reserved_connect_flag) {
  scenario::refuses_the_reserved_connect_flag(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_4_continues_a_stored_session) {
  scenario::continues_a_stored_session(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_6_forgets_the_session_on_a_clean_start) {
  scenario::forgets_the_session_on_a_clean_start(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_1_2_8_publishes_the_will_unless_disconnect_removed_it) {
  scenario::publishes_the_will_unless_disconnect_removed_it(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_1_2_9_refuses_a_connect_without_its_will_fields) {
  scenario::refuses_a_connect_without_its_will_fields(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_10_publishes_a_will_once) {
  scenario::publishes_a_will_once(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_13_refuses_will_qos_without_will) {
  scenario::refuses_will_qos_without_will(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_14_refuses_will_qos_3) {
  scenario::refuses_will_qos_3(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_15_refuses_will_retain_without_will) {
  scenario::refuses_will_retain_without_will(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_1_2_16_does_not_retain_a_will_without_will_retain) {
  scenario::does_not_retain_a_will_without_will_retain(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_17_retains_a_will_with_will_retain) {
  scenario::retains_a_will_with_will_retain(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_18_refuses_a_user_name_without_its_flag) {
  scenario::refuses_a_user_name_without_its_flag(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_1_2_19_refuses_a_user_name_flag_without_the_field) {
  scenario::refuses_a_user_name_flag_without_the_field(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_20_refuses_a_password_without_its_flag) {
  scenario::refuses_a_password_without_its_flag(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_1_2_21_refuses_a_password_flag_without_the_field) {
  scenario::refuses_a_password_flag_without_the_field(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_24_closes_after_one_and_a_half_keep_alive) {
  scenario::closes_after_one_and_a_half_keep_alive(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_1_3_1_reads_the_payload_of_connect_in_its_order) {
  scenario::reads_the_payload_of_connect_in_its_order(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_3_2_keeps_sessions_by_client_identifier) {
  scenario::keeps_sessions_by_client_identifier(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_1_3_3_refuses_a_connect_without_client_identifier_field) {
  scenario::refuses_a_connect_without_client_identifier_field(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_3_4_refuses_an_ill_formed_client_identifier) {
  scenario::refuses_an_ill_formed_client_identifier(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_1_3_5_accepts_plain_client_identifiers_of_1_to_23_bytes) {
  scenario::accepts_plain_client_identifiers_of_1_to_23_bytes(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_3_10_refuses_an_ill_formed_will_topic) {
  scenario::refuses_an_ill_formed_will_topic(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_3_11_refuses_an_ill_formed_user_name) {
  scenario::refuses_an_ill_formed_user_name(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_4_1_closes_on_a_malformed_connect) {
  scenario::closes_on_a_malformed_connect(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_4_5_ignores_what_follows_a_refused_connect) {
  scenario::ignores_what_follows_a_refused_connect(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_2_0_1_sends_connack_before_anything_else) {
  scenario::sends_connack_before_anything_else(v);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_2_refuses_an_unsupported_level) {
  for (const auto level : {0U, 1U, 3U, 6U, 0x7FU}) {
    client c{v};
    c.send(connect(v, {.client_id = unique("c"), .level = level}));
    BOOST_TEST(hex(c.expect(CONNACK).whole) == "20 02 00 01");
    c.expect_closed();
  }
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_5_queues_qos_1_and_2_for_who_is_away) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  c.disconnect();
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "1", .qos = 1});
  sender.publish({.topic = topic, .payload = "2", .qos = 2});
  auto again = lasting_client(v, id);
  const auto first = again.receive_message();
  BOOST_TEST((first.payload == "1" && first.qos() == 1));
  const auto second = again.receive_message();
  BOOST_TEST((second.payload == "2" && second.qos() == 2));
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_7_keeps_retained_beyond_the_session) {
  const auto topic = unique("t");
  auto sender = connected(v); // Clean Session: its state ends with it
  sender.publish({.topic = topic, .payload = "kept", .qos = 1, .retain = true});
  sender.disconnect();
  expect_retained(v, topic, "kept");
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_11_refuses_will_fields_without_will) {
  // The fields of a will behind the client identifier, Will Flag 0.
  expect_bad_connect(v, connect(v, {.client_id = unique("c"),
                                    .will = will_options{.topic = "will/topic"},
                                    .flags = 0x02}));
  // Will QoS and Will Retain without Will Flag.
  expect_bad_connect(v, connect(v, {.client_id = unique("c"), .flags = 0x2A}));
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_12_publishes_nothing_without_a_will) {
  auto watcher = subscriber(v, "#");
  while (watcher.anything_within(watching))
    watcher.receive(); // what is retained
  connected(v).drop();
  watcher.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_22_refuses_a_password_without_user_name) {
  expect_bad_connect(
    v, connect(v, {.client_id = unique("c"), .password = "secret"}));
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_3_6_gives_an_empty_identifier_a_session) {
  const auto topic = unique("t");
  client one{v};
  one.connect({.client_id = ""});
  client other{v}; // would take the first one over if it had the same name
  other.connect({.client_id = ""});
  one.subscribe(topic, 1);
  other.publish({.topic = topic, .payload = "x", .qos = 1});
  BOOST_TEST(one.receive_message().payload == "x");
  other.ping();
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_3_7_refuses_an_empty_lasting_identifier) {
  client c{v};
  c.send(connect(v, {.client_id = "", .clean = false}));
  c.expect_refused({0x02});
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_3_8_answers_an_empty_lasting_identifier_by_2) {
  client c{v};
  c.send(connect(v, {.client_id = "", .clean = false}));
  BOOST_TEST(hex(c.expect(CONNACK).whole) == "20 02 00 02");
  c.expect_closed();
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_3_9_answers_a_refused_identifier_by_2) {
  client c{v, broker_with({"mqtt.max_clientid_len=30"})};
  c.send(connect(v, {.client_id = std::string(31, 'a')}));
  BOOST_TEST(hex(c.expect(CONNACK).whole) == "20 02 00 02");
  c.expect_closed();
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_4_2_closes_the_older_connection) {
  const auto id = unique("c");
  auto older = connected(v, {.client_id = id});
  auto newer = connected(v, {.client_id = id});
  older.expect_closed();
  newer.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_4_3_heeds_clean_session_each_time) {
  const auto id = unique("c");
  BOOST_TEST(!connected(v, {.client_id = id}).connack.session_present);
  BOOST_TEST(!lasting_client(v, id).connack.session_present);
  BOOST_TEST(lasting_client(v, id).connack.session_present);
  BOOST_TEST(!connected(v, {.client_id = id}).connack.session_present);
  BOOST_TEST(!lasting_client(v, id).connack.session_present);
  // The same where the older connection is still open.
  auto open = lasting_client(v, id);
  BOOST_TEST(open.connack.session_present);
  BOOST_TEST(!connected(v, {.client_id = id}).connack.session_present);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_4_4_answers_an_accepted_connect) {
  client c{v};
  c.send(connect(v, {.client_id = unique("c")}));
  BOOST_TEST(hex(c.receive().whole) == "20 02 00 00");
  c.expect_quiet(50ms);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_2_2_1_has_no_session_after_clean_session) {
  const auto id = unique("c");
  auto c = lasting_client(v, id);
  c.subscribe(unique("t"), 1);
  c.disconnect();
  const auto in = connected(v, {.client_id = id}).connack;
  BOOST_TEST(hex(in.whole) == "20 02 00 00");
}

BOOST_AUTO_TEST_CASE(mqtt311_3_2_2_2_tells_of_a_stored_session) {
  const auto id = unique("c");
  lasting_client(v, id).disconnect();
  BOOST_TEST(hex(lasting_client(v, id).connack.whole) == "20 02 01 00");
}

BOOST_AUTO_TEST_CASE(mqtt311_3_2_2_3_tells_that_there_is_no_session) {
  BOOST_TEST(hex(lasting_client(v, unique("c")).connack.whole)
             == "20 02 00 00");
}

BOOST_AUTO_TEST_CASE(mqtt311_3_2_2_4_has_no_session_in_a_refusal) {
  const auto id = unique("c");
  lasting_client(v, id).disconnect();
  client c{v};
  c.send(connect(v, {.client_id = id, .clean = false, .level = 6}));
  const auto in = c.expect(CONNACK);
  BOOST_TEST(in.reason != 0U);
  BOOST_TEST(!in.session_present);
}

BOOST_AUTO_TEST_CASE(mqtt311_3_2_2_5_closes_after_a_refusal) {
  for (const auto& bad : {connect(v, {.client_id = "", .clean = false}),
                          connect(v, {.client_id = "a", .level = 9})}) {
    client c{v};
    c.send(bad);
    BOOST_TEST(c.expect(CONNACK).reason != 0U);
    c.expect_closed();
  }
}

BOOST_AUTO_TEST_CASE(mqtt311_3_2_2_6_just_closes_where_no_code_fits) {
  client c{v};
  c.send(connect(v, {.client_id = unique("c"), .flags = 0x1E}));
  c.expect_closed();
}
