#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt31;

/// Expects CONNACK with this code and then the end.
void expect_code(client& c, unsigned code) {
  BOOST_TEST(hex(c.expect(CONNACK).whole) == hex(raw({0x20, 2, 0}) + u8(code)));
  c.expect_closed();
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt31_protocol_name_is_mqisdp) {
  connected(v).ping();
  client c{v};
  c.send(connect(v, {.client_id = "a", .protocol_name = "MQTT"}));
  expect_code(c, 1); // level 3 under the name of 3.1.1
  for (const auto* name : {"MQISDP", "MQIsd", "MQIsdpp"}) {
    client other{v};
    other.send(connect(v, {.client_id = "a", .protocol_name = name}));
    other.expect_refused({1});
  }
}

BOOST_AUTO_TEST_CASE(mqtt31_protocol_level_is_3) {
  for (const auto level : {0U, 2U, 4U, 6U, 0x7FU}) {
    client c{v};
    c.send(connect(v, {.client_id = "a", .level = level}));
    expect_code(c, 1);
  }
}

BOOST_AUTO_TEST_CASE(mqtt31_fixed_connect_size_is_12) {
  client c{v};
  c.send(raw({0x10, 0x11,                         // fixed header
              0, 6, 'M', 'Q', 'I', 's', 'd', 'p', // protocol name
              3,                                  // level
              2,                                  // Clean Session
              0, 60,                              // keep alive
              0, 3, 's', 'i', 'x'}));             // client identifier
  BOOST_TEST(hex(c.expect(CONNACK).whole) == "20 02 00 00");
  c.ping();
}

BOOST_AUTO_TEST_CASE(mqtt31_client_id_has_up_to_23_characters) {
  const auto id = unique("c");
  const auto longest = id + std::string(23 - id.size(), 'x');
  connected(v, {.client_id = longest}).ping();
  client c{v};
  c.send(connect(v, {.client_id = longest + "x"}));
  expect_code(c, 2);
  // Characters, not bytes.
  std::string characters;
  for (int i = 0; i < 23; ++i)
    characters += "\xC3\xA4";
  connected(v, {.client_id = characters}).ping();
  auto& lenient = broker_with({"mqtt.strict_clientid_length_3_1=false"});
  connected(v, {.client_id = longest + "x"}, lenient).ping();
}

BOOST_AUTO_TEST_CASE(mqtt31_empty_client_id_is_refused) {
  for (const auto clean : {true, false}) {
    client c{v};
    c.send(connect(v, {.client_id = "", .clean = clean}));
    expect_code(c, 2);
  }
}

BOOST_AUTO_TEST_CASE(mqtt31_client_id_characters_are_free) {
  for (const auto* id : {"a b", "#/+", "$x", "\xC3\xA4\xE2\x82\xAC", "-._~"})
    connected(v, {.client_id = id}).ping();
}

BOOST_AUTO_TEST_CASE(mqtt31_connack_byte_1_is_0) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 1);
  c.drop();
  connected(v).publish({.topic = topic, .payload = "x", .qos = 1});
  auto again = lasting_client(v, id);
  BOOST_TEST(hex(again.connack.whole) == "20 02 00 00");
  BOOST_TEST(again.receive_message().payload == "x"); // resumed all the same
}

BOOST_AUTO_TEST_CASE(mqtt31_connack_codes_fit_the_refusal) {
  client accepted{v};
  accepted.send(connect(v, {.client_id = unique("c")}));
  BOOST_TEST(accepted.expect(CONNACK).reason == 0U);
  client level{v};
  level.send(connect(v, {.client_id = unique("c"), .level = 5}));
  BOOST_TEST(level.expect(CONNACK).reason == 1U);
  client name{v};
  name.send(connect(v, {.client_id = ""}));
  BOOST_TEST(name.expect(CONNACK).reason == 2U);
}

BOOST_AUTO_TEST_CASE(mqtt31_after_refusal_comes_the_end) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  client c{v};
  c.send(connect(v, {.client_id = ""})
         + publish(v, {.topic = topic, .payload = "x"}));
  BOOST_TEST(c.expect(CONNACK).reason == 2U);
  c.expect_closed();
  watcher.expect_quiet(50ms);
}

BOOST_AUTO_TEST_CASE(mqtt31_second_connect_closes) {
  scenario::closes_on_a_second_connect(v);
}

BOOST_AUTO_TEST_CASE(mqtt31_late_or_no_connect_closes) {
  auto& server = broker_with({"mqtt.idle_timeout=1s"});
  auto other = connected(v, {}, server);
  client silent{v, server};
  client slow{v, server};
  slow.send(connect(v, {.client_id = unique("c")}).substr(0, 9));
  BOOST_TEST(!silent.anything_within(700ms));
  silent.expect_closed(1s);
  slow.expect_closed(1s);
  other.ping(); // those that sent it may be as idle as they like
}

BOOST_AUTO_TEST_CASE(mqtt31_same_client_id_again_closes_the_older) {
  const auto id = unique("c");
  auto older = connected(v, {.client_id = id});
  auto newer = connected(v, {.client_id = id});
  older.expect_closed();
  newer.expect_quiet(50ms);
}

BOOST_AUTO_TEST_CASE(mqtt31_user_name_password_flags_may_lack_their_field) {
  for (const auto flags : {0x82U, 0xC2U}) { // neither is there
    client c{v};
    c.send(connect(v, {.client_id = unique("c"), .flags = flags}));
    BOOST_TEST(c.expect(CONNACK).reason == 0U);
    c.ping();
  }
  client c{v}; // only the user name is
  c.send(connect(
    v, {.client_id = unique("c"), .user_name = "somebody", .flags = 0xC2}));
  BOOST_TEST(c.expect(CONNACK).reason == 0U);
}

BOOST_AUTO_TEST_CASE(mqtt31_password_flag_needs_the_user_name_flag) {
  client c{v};
  c.send(connect(v, {.client_id = unique("c"), .password = "secret"}));
  c.expect_refused({4});
  connected(v, {.user_name = "somebody", .password = "longer than twelve"})
    .ping();
}

BOOST_AUTO_TEST_CASE(mqtt31_connect_flags_bit_0_is_ignored) {
  client c{v};
  c.send(connect(v, {.client_id = unique("c"), .flags = 0x03}));
  BOOST_TEST(c.expect(CONNACK).reason == 0U);
  c.ping();
}

BOOST_AUTO_TEST_CASE(mqtt31_will_message_is_published_without_its_length) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic, 1);
  const bytes payload{"a\0\xFF\x80z", 5};
  connected(
    v, {.will = will_options{.topic = topic, .payload = payload, .qos = 1}})
    .drop();
  const auto in = watcher.receive_message();
  BOOST_TEST(hex(in.payload) == hex(payload));
  BOOST_TEST(in.qos() == 1U);
}

BOOST_AUTO_TEST_CASE(mqtt31_clean_session_decides_what_is_kept) {
  scenario::forgets_the_session_on_a_clean_start(v);
  scenario::continues_a_stored_session(v);
  // Nothing is kept of a session that began clean.
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = connected(v, {.client_id = id});
  c.subscribe(topic, 1);
  c.disconnect();
  connected(v).publish({.topic = topic, .payload = "x", .qos = 1});
  lasting_client(v, id).expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt31_suback_grants_and_knows_no_failure) {
  auto c = connected(v);
  for (const auto qos : {0U, 1U, 2U})
    BOOST_TEST(c.subscribe(unique("t"), qos).reasons.at(0) == qos);
  // What is not allowed is granted or closed, never answered by 0x80.
  for (const auto* bad : {"a#", "a/#/b", "+b"}) {
    auto one = connected(v);
    one.send(subscribe(v, 1, {{bad, 1}}));
    try {
      BOOST_TEST(one.expect(SUBACK).reasons.at(0) <= 2U);
    } catch (const unexpected&) {
      one.expect_closed();
    }
  }
}

BOOST_AUTO_TEST_CASE(mqtt31_unauthorised_publish_is_dropped) {
  // Nobody but the server publishes below $SYS/.
  const auto topic = "$SYS/" + unique("t");
  auto watcher = subscriber(v, topic);
  auto c = connected(v);
  c.send(publish(v, {.topic = topic, .payload = "x", .qos = 1, .id = 1}));
  try {
    BOOST_TEST(c.expect(PUBACK).id == 1U);
  } catch (const unexpected&) {
    c.expect_closed();
  }
  watcher.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt31_dup_in_headers_is_accepted) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic, 2);
  auto c = connected(v);
  c.send(with_flags(subscribe(v, 1, {{topic, 2}}), 0x0A));
  BOOST_TEST(c.expect(SUBACK).id == 1U);
  c.send(publish(v, {.topic = topic, .payload = "x", .qos = 2, .id = 2}));
  c.expect_beside_publish(PUBREC);
  c.send(with_flags(ack(PUBREL, 2), 0x0A));
  BOOST_TEST(c.expect_beside_publish(PUBCOMP).id == 2U);
  c.send(with_flags(unsubscribe(v, 3, {topic}), 0x0A));
  BOOST_TEST(c.expect_beside_publish(UNSUBACK).id == 3U);
  BOOST_TEST(watcher.receive_message().payload == "x");
}

BOOST_AUTO_TEST_CASE(mqtt31_unused_header_flags_are_ignored) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 1);
  c.send(with_flags(pingreq(), 0x0F));
  c.expect(PINGRESP);
  c.publish({.topic = topic, .payload = "x", .qos = 1});
  c.send(with_flags(ack(PUBACK, c.expect_publish().id), 0x07));
  c.ping();
  c.send(with_flags(disconnect(), 0x01));
  c.expect_closed();
}

BOOST_AUTO_TEST_CASE(mqtt31_resending_is_answered_each_time) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic, 2);
  auto c = connected(v);
  publish_options o{.topic = topic, .payload = "x", .qos = 2, .id = 1};
  for (const auto dup : {false, true, true}) {
    o.dup = dup;
    c.send(publish(v, o));
    BOOST_TEST(c.expect(PUBREC).id == 1U);
  }
  for (const auto flags : {0x02U, 0x0AU}) {
    c.send(with_flags(ack(PUBREL, 1), flags));
    BOOST_TEST(c.expect(PUBCOMP).id == 1U);
  }
  for (const auto flags : {0x02U, 0x0AU}) {
    c.send(with_flags(subscribe(v, 9, {{unique("t"), 0}}), flags));
    BOOST_TEST(c.expect(SUBACK).id == 9U);
  }
  BOOST_TEST(watcher.receive_message().payload == "x");
  watcher.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt31_message_id_is_not_0) {
  scenario::closes_on_identifier_0(v);
  scenario::acknowledges_with_the_identifier_of_the_publish(v);
  scenario::gives_each_delivery_in_flight_its_own_identifier(v);
}

BOOST_AUTO_TEST_CASE(mqtt31_qos_3_bits_11_close) {
  scenario::closes_on_qos_3(v);
  expect_violation(v, subscribe(v, 1, {{"t", 3}}), {});
}

BOOST_AUTO_TEST_CASE(mqtt31_strings_are_length_prefixed_utf_8) {
  scenario::keeps_a_byte_order_mark(v);
  const auto topic = unique("\xC3\xA4/\xE2\x82\xAC/\xF0\x9F\x8C\xB3/");
  auto c = subscriber(v, topic);
  c.publish({.topic = topic, .payload = "x"});
  BOOST_TEST(c.expect_publish().topic == topic);
  scenario::closes_on_ill_formed_strings(v); // the stricter choice
}

BOOST_AUTO_TEST_CASE(mqtt31_topic_length_is_at_least_32767) {
  const auto start = unique("t");
  const auto topic = start + std::string(32'767 - start.size(), 'x');
  auto c = subscriber(v, topic);
  c.publish({.topic = topic, .payload = "x"});
  BOOST_TEST((c.expect_publish().topic == topic));
}

BOOST_AUTO_TEST_CASE(mqtt31_topics_and_wildcards_hide_what_begins_with_dollar) {
  scenario::hides_dollar_topics_from_wildcards(v);
}

BOOST_AUTO_TEST_CASE(mqtt31_retained_empty_payload_clears_it) {
  scenario::clears_the_retained_message_with_an_empty_one(v);
}

BOOST_AUTO_TEST_CASE(mqtt31_retain_on_delivery_is_for_new_subscriptions) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic);
  connected(v).publish(
    {.topic = topic, .payload = "x", .qos = 1, .retain = true});
  BOOST_TEST(!c.expect_publish().retain());
  expect_retained(v, topic, "x");
}

BOOST_AUTO_TEST_CASE(mqtt31_keep_alive_is_one_and_a_half_times) {
  scenario::closes_after_one_and_a_half_keep_alive(v);
}

BOOST_AUTO_TEST_CASE(mqtt31_disconnect_drops_the_will_and_closes) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto c = connected(v, {.will = will_options{.topic = topic}});
  c.send(disconnect());
  c.expect_closed(); // and not when the client does
  watcher.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt31_malformed_input_closes) {
  for (const auto& bad :
       {framed(0x00, ""), framed(0xF0, ""), raw({0x20, 2, 0, 0}),
        framed(0x32, text("t")), framed(0x82, u16(1) + u16(9) + "a"),
        framed(0x40, u8(1)), raw({0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F})})
    expect_violation(v, bad, {});
  client c{v};
  c.send(connect(v, {.client_id = unique("c")}).substr(0, 8) + "garbage");
  c.end_of_stream();
  c.expect_closed();
}
