#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_2_0_1_sends_connack_before_anything_else) {
  scenario::sends_connack_before_anything_else(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_22_closes_after_one_and_a_half_keep_alive) {
  scenario::closes_after_one_and_a_half_keep_alive(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_0_2_sends_one_connack) {
  const connect_options o{.client_id = unique("c")};
  client c{v};
  c.send(connect(v, o) + connect(v, o));
  c.expect(CONNACK);
  while (true) { // whatever comes until the end is no other one
    try {
      BOOST_TEST(c.receive().type != CONNACK);
    } catch (const unexpected&) {
      break;
    }
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_1_sends_no_flag_but_session_present) {
  const auto id = unique("c");
  const auto flags = [](const client& c) {
    return static_cast<unsigned>(c.connack.body.at(0));
  };
  BOOST_TEST(flags(lasting_client(v, id)) == 0U);
  BOOST_TEST(flags(lasting_client(v, id)) == 1U);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_2_has_no_session_after_a_clean_start) {
  const auto id = unique("c");
  auto o = lasting(v, id);
  o.clean = true;
  for (int i = 0; i < 2; ++i) {
    auto c = connected(o);
    BOOST_TEST(!c.connack.session_present);
    BOOST_TEST(c.connack.reason == code::success);
    c.subscribe(unique("t"), 1);
    c.disconnect();
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_3_tells_whether_there_was_a_session) {
  const auto id = unique("c");
  auto first = lasting_client(v, id);
  BOOST_TEST(!first.connack.session_present);
  first.disconnect();
  auto second = lasting_client(v, id);
  BOOST_TEST(second.connack.session_present);
  second.disconnect(0, prop::session_expiry(0));
  BOOST_TEST(!lasting_client(v, id).connack.session_present);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_6_has_no_session_in_a_refusal) {
  const auto id = unique("c");
  lasting_client(v, id).disconnect();
  auto o = lasting(v, id);
  o.properties += prop::authentication_method("UNKNOWN");
  client c{v};
  c.send(connect(v, o));
  const auto in = c.expect(CONNACK);
  BOOST_TEST(in.reason >= 0x80U);
  BOOST_TEST(hex(in.body.substr(0, 1)) == "00");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_7_closes_after_a_refusal) {
  auto& server = broker_with({"mqtt.max_clientid_len=30"});
  for (const auto& bad :
       {connect(v, {.client_id = unique("c"),
                   .properties = prop::authentication_method("UNKNOWN")}),
        connect(v, {.client_id = std::string(31, 'a')})}) {
    client c{v, server};
    c.send(bad);
    BOOST_TEST(c.expect(CONNACK).reason >= 0x80U);
    c.expect_closed();
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_8_refuses_by_listed_codes) {
  // The decoder knows the table; some refusals of different kinds.
  const auto id = unique("c");
  for (const auto& bad :
       {connect(v, {.client_id = id, .flags = 0x03}),
        connect(v, {.client_id = id, .properties = prop::receive_maximum(0)}),
        connect(v, {.client_id = id, .properties = prop::user("a", "\xFF")}),
        connect(v, {.client_id = id, .will = will_options{.topic = "a/#"}}),
        connect(
          v, {.client_id = id, .properties = prop::authentication_data("x")}),
        connect(
          v, {.client_id = id, .properties = prop::maximum_packet_size(0)})}) {
    client c{v};
    c.send(bad);
    c.expect_refused({code::malformed, code::protocol_error,
                      code::topic_name_invalid,
                      code::bad_authentication_method});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_9_announces_its_maximum_qos) {
  for (const auto most : {0U, 1U}) {
    auto& server =
      broker_with({"mqtt.max_qos_allowed=" + std::to_string(most)});
    const auto in = connected({}, server).connack;
    BOOST_TEST(in.number(property_id::maximum_qos).value_or(2) == most);
  }
  BOOST_TEST(!connected().connack.has(property_id::maximum_qos));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_10_takes_subscriptions_above_its_maximum_qos) {
  auto& server = broker_with({"mqtt.max_qos_allowed=1"});
  auto c = connected({}, server);
  const auto topic = unique("t");
  const auto answer =
    c.subscribe({{topic, 2}, {topic + "/1", 1}, {topic + "/0", 0}});
  BOOST_TEST(answer.reasons == (std::vector<unsigned>{1, 1, 0}),
             boost::test_tools::per_element());
  c.publish({.topic = topic, .payload = "x", .qos = 1});
  BOOST_TEST(c.receive_message().qos() == 1U);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_11_closes_on_a_qos_above_its_maximum) {
  auto& server = broker_with({"mqtt.max_qos_allowed=1"});
  const auto topic = unique("t");
  auto watcher = connected({}, server);
  watcher.subscribe(topic, 1);
  auto c = connected({}, server);
  c.publish({.topic = topic, .payload = "fine", .qos = 1});
  c.send(publish(v, {.topic = topic, .payload = "x", .qos = 2, .id = 9}));
  c.expect_disconnect({code::qos_not_supported});
  BOOST_TEST(watcher.receive_message().payload == "fine");
  watcher.expect_quiet(50ms);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_12_refuses_a_will_above_its_maximum_qos) {
  client c{v, broker_with({"mqtt.max_qos_allowed=1"})};
  c.send(connect(v, {.client_id = unique("c"),
                     .will = will_options{.topic = "t", .qos = 2}}));
  c.expect_refused({code::qos_not_supported});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_13_refuses_a_retained_will_it_cannot_keep) {
  client c{v, broker_with({"mqtt.retain_available=false"})};
  c.send(connect(v, {.client_id = unique("c"),
                     .will = will_options{.topic = "t", .retain = true}}));
  c.expect_refused({code::retain_not_supported});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_14_closes_on_retain_where_not_available) {
  auto& server = broker_with({"mqtt.retain_available=false"});
  auto c = connected({}, server);
  BOOST_TEST(c.connack.number(property_id::retain_available).value_or(1) == 0U);
  c.send(publish(v, {.topic = "t", .payload = "x", .retain = true}));
  c.expect_disconnect({code::retain_not_supported});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_15_closes_on_a_packet_over_its_maximum) {
  auto& server = broker_with({"mqtt.max_packet_size=1KB"});
  auto c = connected({}, server);
  const auto maximum =
    c.connack.number(property_id::maximum_packet_size).value_or(0);
  BOOST_TEST(maximum == 1024U);
  // Fixed header 3, topic 3, property length 1: just fits.
  c.send(publish(v, {.topic = "t", .payload = bytes(1024 - 7, 'x')}));
  c.ping();
  c.send(publish(v, {.topic = "t", .payload = bytes(1024 - 6, 'x')}));
  c.expect_disconnect({code::packet_too_large});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_16_names_an_identifier_that_nobody_has) {
  client c{v};
  c.connect({.client_id = "", .properties = prop::session_expiry(60)});
  const auto id =
    c.connack.text(property_id::assigned_client_identifier).value_or("");
  BOOST_TEST(!id.empty());
  BOOST_TEST(!c.connack.session_present);
  c.drop();
  client other{v}; // the first session is still stored
  other.connect({.client_id = ""});
  BOOST_TEST(
    other.connack.text(property_id::assigned_client_identifier).value_or("")
    != id);
  BOOST_TEST(!other.connack.session_present);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_17_closes_on_an_alias_over_its_maximum) {
  auto c = connected({}, broker_with({"mqtt.max_topic_alias=10"}));
  BOOST_TEST(c.connack.number(property_id::topic_alias_maximum).value_or(0)
             == 10U);
  c.send(publish(v, {.topic = "t", .properties = prop::topic_alias(10)}));
  c.ping();
  c.send(publish(v, {.topic = "t", .properties = prop::topic_alias(11)}));
  c.expect_disconnect({code::topic_alias_invalid});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_18_closes_on_any_alias_without_a_maximum) {
  auto c = connected({}, broker_with({"mqtt.max_topic_alias=0"}));
  BOOST_TEST(c.connack.number(property_id::topic_alias_maximum).value_or(0)
             == 0U);
  c.send(publish(v, {.topic = "t", .properties = prop::topic_alias(1)}));
  c.expect_disconnect({code::topic_alias_invalid});
}
