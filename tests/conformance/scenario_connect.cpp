#include "tests/conformance/scenarios.hpp"

#include <thread>

namespace troupe::test {

connect_options lasting(version v, std::string client_id,
                        std::uint32_t expiry_seconds) {
  connect_options o{.client_id = std::move(client_id), .clean = false};
  if (v == version::mqtt5)
    o.properties = prop::session_expiry(expiry_seconds);
  return o;
}

client lasting_client(version v, const std::string& client_id) {
  return connected(v, lasting(v, client_id));
}

client subscriber(version v, const std::string& filter, unsigned options) {
  auto out = connected(v);
  const auto answer = out.subscribe(filter, options);
  if (answer.reasons.at(0) != (options & 3))
    throw unexpected{"not granted: " + describe(answer)};
  return out;
}

void expect_violation(version v, std::string_view request,
                      std::initializer_list<unsigned> codes) {
  BOOST_TEST_CONTEXT("after " << hex(request)) {
    auto c = connected(v);
    c.send(request);
    try {
      c.expect_disconnect(codes);
    } catch (const std::exception& e) {
      BOOST_ERROR(e.what()); // and on to the next one
    }
  }
}

void expect_bad_connect(version v, std::string_view request,
                        std::initializer_list<unsigned> codes) {
  BOOST_TEST_CONTEXT("after " << hex(request)) {
    client c{v};
    c.send(request);
    // MQTT 3 has no code for it: the connection just ends [MQTT-3.1.4-1].
    if (v == version::mqtt5)
      c.expect_refused(codes);
    else
      c.expect_closed();
  }
}

void expect_other_protocol(version v, std::string_view request) {
  client c{v};
  c.send(request);
  if (!c.anything_within(patience))
    throw unexpected{"neither answer nor end"};
  // Of which version is the answer? Any CONNACK that refuses for this will do.
  try {
    const auto in = c.expect(CONNACK);
    BOOST_TEST(
      (in.reason == code::unsupported_protocol_version || in.reason == 0x01));
  } catch (const bad_packet& e) {
    BOOST_TEST(std::string{e.what()}.ends_with("20 02 00 01"));
    return;
  } catch (const unexpected&) { // closed without answer
  }
  c.expect_closed();
}

const std::vector<bytes>& ill_formed_strings() {
  static const std::vector<bytes> all{
    "a\x80",             // a continuation byte on its own
    "a\xC3",             // a character cut short
    "a\xC0\x80",         // U+0000 in two bytes
    "a\xE0\x80\xAF",     // '/' in three bytes
    "a\xED\xA0\x80",     // U+D800
    "a\xED\xBF\xBF",     // U+DFFF
    "a\xF4\x90\x80\x80", // U+110000
    "a\xFF",
  };
  return all;
}

namespace scenario {

void closes_unless_connect_comes_first(version v) {
  for (const auto& first :
       {publish(v, {.topic = "a", .payload = "x"}), subscribe(v, 1, {{"a", 0}}),
        pingreq(), disconnect()})
    BOOST_TEST_CONTEXT("first packet " << hex(first)) {
      client c{v};
      c.send(first);
      c.expect_closed();
    }
}

void closes_on_a_second_connect(version v) {
  const connect_options o{.client_id = unique("c")};
  auto c = connected(v, o);
  c.send(connect(v, o));
  c.expect_disconnect({code::protocol_error});
}

void refuses_another_protocol_name(version v) {
  for (const auto* name : {"MQTX", "mqtt", "MQT", "MQTTT", ""})
    expect_other_protocol(
      v, connect(v, {.client_id = unique("c"), .protocol_name = name}));
}

void refuses_the_reserved_connect_flag(version v) {
  expect_bad_connect(v, connect(v, {.client_id = unique("c"), .flags = 0x03}),
                     {code::malformed});
}

void forgets_the_session_on_a_clean_start(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 1);
  c.disconnect();
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "queued", .qos = 1});

  auto o = lasting(v, id);
  o.clean = true;
  auto again = connected(v, o);
  BOOST_TEST(!again.connack.session_present);
  sender.publish({.topic = topic, .payload = "live", .qos = 1});
  again.expect_quiet(); // neither what was queued nor the subscription is left
}

void continues_a_stored_session(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 1);
  c.disconnect();
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "queued", .qos = 1});

  auto again = lasting_client(v, id);
  BOOST_TEST(again.receive_message().payload == "queued");
  sender.publish({.topic = topic, .payload = "live", .qos = 1});
  BOOST_TEST(again.receive_message().payload == "live");
}

void makes_a_session_where_there_is_none(version v) {
  auto c = lasting_client(v, unique("c"));
  BOOST_TEST(!c.connack.session_present);
  const auto topic = unique("t");
  c.subscribe(topic, 1);
  connected(v).publish({.topic = topic, .payload = "x", .qos = 1});
  BOOST_TEST(c.receive_message().payload == "x");
}

void publishes_the_will_as_it_was_given(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic, 2);
  auto c = connected(
    v, {.will = will_options{.topic = topic, .payload = "lost", .qos = 2}});
  watcher.expect_quiet(20ms);
  c.drop();
  const auto will = watcher.receive_message();
  BOOST_TEST(will.topic == topic);
  BOOST_TEST(will.payload == "lost");
  BOOST_TEST(will.qos() == 2U);
}

void publishes_the_will_unless_disconnect_removed_it(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  const connect_options o{.will = will_options{.topic = topic}};
  connected(v, o).drop();
  BOOST_TEST(watcher.receive_message().payload == "gone");
  auto violator = connected(v, o); // closed by the server for its mistake
  violator.send(with_flags(pingreq(), 1));
  BOOST_TEST(watcher.receive_message().payload == "gone");
  connected(v, o).disconnect();
  watcher.expect_quiet();
}

void refuses_a_connect_without_its_will_fields(version v) {
  const auto id = unique("c");
  expect_bad_connect(v, connect(v, {.client_id = id, .flags = 0x06}));
  // Will topic there, will payload missing.
  auto body = connect(v, {.client_id = id, .flags = 0x06}).substr(2);
  if (v == version::mqtt5)
    body += u8(0);
  expect_bad_connect(v, framed(0x10, body + text("will/topic")));
}

void publishes_a_will_once(version v) {
  const auto topic = unique("t");
  const auto id = unique("c");
  auto watcher = subscriber(v, topic);
  auto o = lasting(v, id);
  o.will = will_options{.topic = topic};
  connected(v, o).drop();
  BOOST_TEST(watcher.receive_message().payload == "gone");
  lasting_client(v, id).drop(); // the same session, now without a will
  connected(v, o).disconnect();
  lasting_client(v, id).drop(); // nor does the one that DISCONNECT removed
  watcher.expect_quiet();
}

void refuses_will_qos_without_will(version v) {
  expect_bad_connect(v, connect(v, {.client_id = unique("c"), .flags = 0x0A}));
  expect_bad_connect(v, connect(v, {.client_id = unique("c"), .flags = 0x12}));
}

void refuses_will_qos_3(version v) {
  expect_bad_connect(v, connect(v, {.client_id = unique("c"),
                                    .will = will_options{.topic = "t"},
                                    .flags = 0x1E}));
}

void refuses_will_retain_without_will(version v) {
  expect_bad_connect(v, connect(v, {.client_id = unique("c"), .flags = 0x22}));
}

void does_not_retain_a_will_without_will_retain(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  connected(v, {.will = will_options{.topic = topic}}).drop();
  watcher.expect_publish();
  expect_retained(v, topic, std::nullopt);
}

void retains_a_will_with_will_retain(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  connected(
    v,
    {.will = will_options{.topic = topic, .payload = "kept", .retain = true}})
    .drop();
  BOOST_TEST(!watcher.expect_publish().retain());
  expect_retained(v, topic, "kept");
}

void refuses_a_user_name_without_its_flag(version v) {
  expect_bad_connect(v, connect(v, {.client_id = unique("c"),
                                    .user_name = "somebody",
                                    .flags = 0x02}));
}

void refuses_a_user_name_flag_without_the_field(version v) {
  expect_bad_connect(v, connect(v, {.client_id = unique("c"), .flags = 0x82}));
}

void refuses_a_password_without_its_flag(version v) {
  expect_bad_connect(v, connect(v, {.client_id = unique("c"),
                                    .user_name = "somebody",
                                    .password = "secret",
                                    .flags = 0x82}));
}

void refuses_a_password_flag_without_the_field(version v) {
  expect_bad_connect(v, connect(v, {.client_id = unique("c"),
                                    .user_name = "somebody",
                                    .flags = 0xC2}));
}

void closes_after_one_and_a_half_keep_alive(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto forever = connected(v, {.keep_alive = 0});
  auto c =
    connected(v, {.keep_alive = 1, .will = will_options{.topic = topic}});
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(!c.anything_within(1300ms)); // still within the time
  c.expect_disconnect({code::keep_alive_timeout}, 2s);
  BOOST_TEST((std::chrono::steady_clock::now() - start < 3s));
  BOOST_TEST(watcher.receive_message().payload == "gone");
  forever.ping();
}

void reads_the_payload_of_connect_in_its_order(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto body = text("MQTT") + u8(static_cast<unsigned>(v)) + u8(0xC6) + u16(0);
  const auto id = unique("c");
  if (v == version::mqtt5)
    body += u8(0);
  body += text(id);
  if (v == version::mqtt5)
    body += variable(8) + prop::content_type("order");
  body += text(topic) + text("will payload") + text("user") + text("pass");
  client c{v};
  c.send(framed(0x10, body));
  BOOST_TEST(c.expect(CONNACK).reason == 0U);
  c.drop();
  const auto will = watcher.receive_message();
  BOOST_TEST(will.payload == "will payload");
  if (v == version::mqtt5)
    BOOST_TEST(will.text(property_id::content_type).value_or("") == "order");
}

void keeps_sessions_by_client_identifier(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 1);
  c.disconnect();
  connected(v).publish({.topic = topic, .payload = "x", .qos = 1});
  // Identifiers that are close to it are other sessions.
  auto longer = lasting_client(v, id + "a");
  BOOST_TEST(!longer.connack.session_present);
  auto upper = lasting_client(v, "C" + id.substr(1));
  BOOST_TEST(!upper.connack.session_present);
  longer.ping();
  upper.ping();
  auto same = lasting_client(v, id);
  BOOST_TEST(same.receive_message().payload == "x");
}

void refuses_a_connect_without_client_identifier_field(version v) {
  auto body = text("MQTT") + u8(static_cast<unsigned>(v)) + u8(0x02) + u16(0);
  if (v == version::mqtt5)
    body += u8(0);
  expect_bad_connect(v, framed(0x10, body));
  expect_bad_connect(v, framed(0x10, body + u8(0)));
  expect_bad_connect(v, framed(0x10, body + u16(5) + "four"));
}

void refuses_an_ill_formed_client_identifier(version v) {
  for (const auto& bad : ill_formed_strings()) {
    client c{v};
    c.send(connect(v, {.client_id = bad}));
    c.expect_refused(v == version::mqtt5
                       ? std::initializer_list<unsigned>{code::malformed, 0x85}
                       : std::initializer_list<unsigned>{0x02});
  }
}

void accepts_plain_client_identifiers_of_1_to_23_bytes(version v) {
  for (const auto* id :
       {"0", "9", "a", "z", "A", "Z", "0123456789abcdefghijklm",
        "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ"})
    connected(v, {.client_id = id}).disconnect();
}

void refuses_an_ill_formed_will_topic(version v) {
  for (const auto& bad : ill_formed_strings())
    expect_bad_connect(v,
                       connect(v, {.client_id = unique("c"),
                                   .will = will_options{.topic = bad}}),
                       {code::malformed, code::topic_name_invalid});
}

void refuses_an_ill_formed_user_name(version v) {
  for (const auto& bad : ill_formed_strings())
    expect_bad_connect(
      v, connect(
           v, {.client_id = unique("c"), .user_name = bad, .password = "x"}));
}

void closes_on_a_malformed_connect(version v) {
  const auto good = connect(v, {.client_id = unique("c")});
  const auto body = good.substr(2);
  // Cut short after each byte, and with a byte too many.
  for (std::size_t size = 0; size < body.size(); ++size)
    expect_bad_connect(v, framed(0x10, body.substr(0, size)),
                       {code::malformed, code::protocol_error,
                        code::unsupported_protocol_version});
  expect_bad_connect(v, framed(0x10, body + u8(0)));
}

void ignores_what_follows_a_refused_connect(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  // An unknown authentication method, or no identifier for a lasting session.
  const auto refused =
    v == version::mqtt5
      ? connect(v, {.client_id = unique("c"),
                    .properties = prop::authentication_method("UNKNOWN")})
      : connect(v, {.client_id = "", .clean = false});
  client c{v};
  c.send(refused + publish(v, {.topic = topic, .payload = "x", .retain = true})
         + pingreq());
  c.expect_refused(
    {code::bad_authentication_method, code::not_authorized, 0x02});
  watcher.expect_quiet();
  expect_retained(v, topic, std::nullopt);
}

void sends_connack_before_anything_else(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 1);
  c.disconnect();
  auto sender = connected(v);
  for (const auto* payload : {"1", "2", "3"})
    sender.publish({.topic = topic, .payload = payload, .qos = 1});
  client again{v};
  again.send(connect(v, lasting(v, id)) + pingreq());
  BOOST_TEST(again.receive().type == CONNACK);
  again.expect_beside_publish(PINGRESP);
  for (const auto* payload : {"1", "2", "3"})
    BOOST_TEST(again.receive_message().payload == payload);
}

} // namespace scenario
} // namespace troupe::test
