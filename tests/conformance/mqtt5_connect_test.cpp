#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

#include <map>
#include <set>
#include <thread>

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_1_0_1_closes_unless_connect_comes_first) {
  scenario::closes_unless_connect_comes_first(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_0_2_closes_on_a_second_connect) {
  scenario::closes_on_a_second_connect(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_1_refuses_another_protocol_name) {
  scenario::refuses_another_protocol_name(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_3_refuses_the_reserved_connect_flag) {
  scenario::refuses_the_reserved_connect_flag(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_4_forgets_the_session_on_a_clean_start) {
  scenario::forgets_the_session_on_a_clean_start(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_5_continues_a_stored_session) {
  scenario::continues_a_stored_session(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_6_makes_a_session_where_there_is_none) {
  scenario::makes_a_session_where_there_is_none(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_9_refuses_a_connect_without_its_will_fields) {
  scenario::refuses_a_connect_without_its_will_fields(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_10_publishes_a_will_once) {
  scenario::publishes_a_will_once(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_11_refuses_will_qos_without_will) {
  scenario::refuses_will_qos_without_will(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_12_refuses_will_qos_3) {
  scenario::refuses_will_qos_3(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_13_refuses_will_retain_without_will) {
  scenario::refuses_will_retain_without_will(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_1_2_14_does_not_retain_a_will_without_will_retain) {
  scenario::does_not_retain_a_will_without_will_retain(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_15_retains_a_will_with_will_retain) {
  scenario::retains_a_will_with_will_retain(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_16_refuses_a_user_name_without_its_flag) {
  scenario::refuses_a_user_name_without_its_flag(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_1_2_17_refuses_a_user_name_flag_without_the_field) {
  scenario::refuses_a_user_name_flag_without_the_field(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_18_refuses_a_password_without_its_flag) {
  scenario::refuses_a_password_without_its_flag(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_22_closes_after_one_and_a_half_keep_alive) {
  scenario::closes_after_one_and_a_half_keep_alive(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_1_reads_the_payload_of_connect_in_its_order) {
  scenario::reads_the_payload_of_connect_in_its_order(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_2_keeps_sessions_by_client_identifier) {
  scenario::keeps_sessions_by_client_identifier(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_1_3_3_refuses_a_connect_without_client_identifier_field) {
  scenario::refuses_a_connect_without_client_identifier_field(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_4_refuses_an_ill_formed_client_identifier) {
  scenario::refuses_an_ill_formed_client_identifier(v);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_1_3_5_accepts_plain_client_identifiers_of_1_to_23_bytes) {
  scenario::accepts_plain_client_identifiers_of_1_to_23_bytes(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_11_refuses_an_ill_formed_will_topic) {
  scenario::refuses_an_ill_formed_will_topic(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_12_refuses_an_ill_formed_user_name) {
  scenario::refuses_an_ill_formed_user_name(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_4_1_closes_on_a_malformed_connect) {
  scenario::closes_on_a_malformed_connect(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_4_6_ignores_what_follows_a_refused_connect) {
  scenario::ignores_what_follows_a_refused_connect(v);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_2_refuses_an_unsupported_version) {
  for (const auto level : {0U, 1U, 2U, 6U, 0x7FU})
    expect_other_protocol(
      v, connect(v, {.client_id = unique("c"), .level = level}));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_7_keeps_the_will_as_it_was_given) {
  scenario::publishes_the_will_as_it_was_given(v);
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic, 1);
  connected(
    {.will = will_options{.topic = topic,
                          .qos = 1,
                          .properties = prop::payload_format(1)
                                        + prop::content_type("ct")
                                        + prop::response_topic("answers")
                                        + prop::correlation_data("key")
                                        + prop::message_expiry(100)}})
    .drop();
  const auto will = watcher.receive_message();
  using enum property_id;
  BOOST_TEST(will.number(payload_format_indicator).value_or(9) == 1U);
  BOOST_TEST(will.text(content_type).value_or("") == "ct");
  BOOST_TEST(will.text(response_topic).value_or("") == "answers");
  BOOST_TEST(will.text(correlation_data).value_or("") == "key");
  BOOST_TEST(will.number(message_expiry_interval).value_or(0) > 90U);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_8_publishes_the_will_after_delay_or_session) {
  scenario::publishes_the_will_unless_disconnect_removed_it(v);
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  const auto lost = [&](std::uint32_t session, std::uint32_t delay,
                        const bytes& payload) {
    connected({.properties = prop::session_expiry(session),
               .will = will_options{.topic = topic,
                                    .payload = payload,
                                    .properties = prop::will_delay(delay)}})
      .drop();
  };
  lost(0, 60, "session ended at once");
  BOOST_TEST(watcher.expect_publish().payload == "session ended at once");
  lost(60, 1, "delay over");
  lost(1, 60, "session over");
  BOOST_TEST(!watcher.anything_within(700ms));
  std::set<bytes> seen;
  seen.insert(watcher.expect_publish().payload);
  seen.insert(watcher.expect_publish().payload);
  BOOST_TEST((seen == std::set<bytes>{"delay over", "session over"}));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_19_takes_a_password_without_user_name) {
  connected({.password = "secret"}).ping();
  scenario::refuses_a_password_flag_without_the_field(v);
  expect_bad_connect(v, connect(v, {.client_id = unique("c"), .flags = 0x42}));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_21_times_out_by_the_keep_alive_it_gave) {
  auto c =
    connected({.keep_alive = 60}, broker_with({"mqtt.server_keepalive=1"}));
  BOOST_TEST(c.connack.number(property_id::server_keep_alive).value_or(0)
             == 1U);
  BOOST_TEST(!c.anything_within(1300ms));
  c.expect_disconnect({code::keep_alive_timeout}, 1500ms);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_23_keeps_the_session_for_its_expiry) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = connected(lasting(v, id, 10));
  c.subscribe(topic, 1);
  c.drop();
  std::this_thread::sleep_for(1200ms);
  connected().publish({.topic = topic, .payload = "x", .qos = 1});
  auto again = connected(lasting(v, id, 10));
  BOOST_TEST(again.connack.session_present);
  BOOST_TEST(again.receive_message().payload == "x");
  // DISCONNECT may set another interval, here: none.
  again.disconnect(0, prop::session_expiry(0));
  BOOST_TEST(!connected(lasting(v, id, 10)).connack.session_present);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_24_sends_nothing_over_maximum_packet_size) {
  const auto topic = unique("t");
  auto c = connected({.properties = prop::maximum_packet_size(200)});
  c.subscribe(topic, 1);
  auto sender = connected();
  // Fixed header 3, topic length 2, identifier 2, property length 1.
  const auto room = 200 - 8 - topic.size();
  for (const auto size : {room + 1, room, room + 2000})
    sender.publish({.topic = topic, .payload = bytes(size, 'x'), .qos = 1});
  const auto in = c.receive_message();
  BOOST_TEST(in.whole.size() == 200U);
  c.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_25_skips_what_is_too_large_for_one) {
  const auto topic = unique("t");
  auto small = connected(
    {.properties = prop::maximum_packet_size(150) + prop::receive_maximum(1)});
  small.subscribe(topic, 2);
  auto large = subscriber(v, topic, 2);
  auto sender = connected();
  for (const auto qos : {1U, 2U, 1U})
    BOOST_TEST(
      sender.publish({.topic = topic, .payload = bytes(300, 'x'), .qos = qos})
        .reason
      == code::success);
  sender.publish({.topic = topic, .payload = "after", .qos = 1});
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(large.receive_message().payload.size() == 300U);
  BOOST_TEST(small.receive_message().payload == "after");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_26_keeps_aliases_within_the_clients_maximum) {
  const auto root = unique("t");
  auto c = connected({.properties = prop::topic_alias_maximum(2)});
  c.subscribe(root + "/#", 0);
  auto sender = connected();
  std::map<std::uint32_t, std::string> topics;
  for (unsigned i = 0; i < 20; ++i) {
    const auto topic = root + "/" + std::to_string(i % 4);
    sender.publish({.topic = topic, .payload = topic});
    const auto in = c.expect_publish();
    if (const auto alias = in.number(property_id::topic_alias)) {
      BOOST_TEST((*alias >= 1 && *alias <= 2));
      if (!in.topic.empty())
        topics[*alias] = in.topic;
      BOOST_TEST(topics[*alias] == in.payload); // stands for the right topic
    } else {
      BOOST_TEST(in.topic == in.payload);
    }
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_27_uses_no_alias_without_a_maximum) {
  for (const auto& properties : {bytes{}, prop::topic_alias_maximum(0)}) {
    const auto topic = unique("t");
    auto c = connected({.properties = properties});
    c.subscribe(topic, 0);
    for (int i = 0; i < 5; ++i) {
      c.publish({.topic = topic, .payload = "x"});
      const auto in = c.expect_publish();
      BOOST_TEST(in.topic == topic);
      BOOST_TEST(!in.has(property_id::topic_alias));
    }
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_28_gives_response_information_on_request) {
  auto& server = broker_with({"mqtt.response_information=answers/"});
  const auto given = [&](const bytes& properties) {
    return connected({.properties = properties}, server)
      .connack.text(property_id::response_information);
  };
  BOOST_TEST(!given({}));
  BOOST_TEST(!given(prop::request_response_information(0)));
  BOOST_TEST(given(prop::request_response_information(1)).value_or("")
             == "answers/");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_29_explains_nothing_where_not_wanted) {
  const auto topic = unique("t");
  auto c = connected({.properties = prop::request_problem_information(0)});
  const auto plain = [](const packet& in) {
    BOOST_TEST_CONTEXT(describe(in)) {
      BOOST_TEST(!in.has(property_id::reason_string));
      BOOST_TEST(!in.has(property_id::user_property));
    }
  };
  // Each of these has something to explain.
  plain(c.subscribe("a/#/b"));
  plain(c.unsubscribe({topic}));
  plain(c.publish({.topic = topic, .payload = "x", .qos = 1}));
  plain(c.publish({.topic = topic, .payload = "x", .qos = 2}));
  c.send(ack(PUBREL, 999));
  plain(c.expect(PUBCOMP));
  c.send(ack(PUBREC, 999));
  plain(c.expect(PUBREL));
  // User Properties of publications are no such thing.
  c.subscribe(topic, 0);
  c.publish({.topic = topic, .properties = prop::user("a", "b")});
  BOOST_TEST(c.expect_publish().user_properties().size() == 1U);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_30_refuses_packets_amid_authentication) {
  auto& server = broker_with({"auth.test_method=true"});
  const auto topic = unique("t");
  auto watcher = connected({}, server);
  watcher.subscribe(topic, 0);
  for (const auto& early :
       {publish(v, {.topic = topic, .payload = "x"}), pingreq(),
        subscribe(v, 1, {{topic, 0}}), unsubscribe(v, 1, {topic})}) {
    client c{v, server};
    c.send(connect(v, {.client_id = unique("c"),
                       .properties = prop::authentication_method("TROUPE-TEST")
                                     + prop::authentication_data("begin")}));
    c.expect(AUTH);
    c.send(early);
    c.expect_refused({code::protocol_error});
  }
  watcher.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_6_makes_an_identifier_for_each_empty_one) {
  std::set<std::string> ids;
  std::vector<client> all;
  for (int i = 0; i < 5; ++i) {
    all.emplace_back(v);
    all.back().connect({.client_id = ""});
    ids.insert(all.back()
                 .connack.text(property_id::assigned_client_identifier)
                 .value_or(""));
  }
  BOOST_TEST(ids.size() == 5U);
  BOOST_TEST(!ids.contains(""));
  for (auto& one : all) // none took another over
    one.ping();
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_7_treats_the_made_identifier_as_given) {
  const auto topic = unique("t");
  client c{v};
  c.connect({.client_id = "", .properties = prop::session_expiry(60)});
  const auto id =
    c.connack.text(property_id::assigned_client_identifier).value();
  c.subscribe(topic, 1);
  c.drop();
  connected().publish({.topic = topic, .payload = "x", .qos = 1});
  auto again = connected(lasting(v, id));
  BOOST_TEST(again.connack.session_present);
  BOOST_TEST(!again.connack.has(property_id::assigned_client_identifier));
  BOOST_TEST(again.receive_message().payload == "x");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_8_refuses_an_identifier_by_0x85) {
  auto& server = broker_with({"mqtt.max_clientid_len=30"});
  connected({.client_id = std::string(30, 'a')}, server).ping();
  client c{v, server};
  c.send(connect(v, {.client_id = std::string(31, 'a')}));
  c.expect_refused({code::client_identifier_not_valid});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_9_drops_the_will_of_who_is_back_in_time) {
  const auto topic = unique("t");
  const auto id = unique("c");
  auto watcher = subscriber(v, topic);
  auto o = lasting(v, id);
  o.will = will_options{.topic = topic, .properties = prop::will_delay(1)};
  connected(o).drop();
  auto again = lasting_client(v, id);
  watcher.expect_quiet(1400ms);
  again.ping();
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_1_3_10_keeps_user_properties_of_the_will_in_order) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  connected(
    {.will =
       will_options{.topic = topic,
                    .properties = prop::user("b", "2") + prop::content_type("x")
                                  + prop::user("a", "1") + prop::user("b", "1")
                                  + prop::user("b", "2")}})
    .drop();
  BOOST_TEST(watcher.expect_publish().user_properties()
               == (std::vector<std::string>{"b=2", "a=1", "b=1", "b=2"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_4_2_refuses_who_fails_further_checks) {
  auto& server = broker_with({"auth.test_method=true"});
  client c{v, server};
  c.send(connect(v, {.client_id = unique("c"),
                     .properties = prop::authentication_method("TROUPE-TEST")
                                   + prop::authentication_data("wrong")}));
  c.expect_refused({code::not_authorized});
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_4_3_tells_the_older_connection_and_closes_it) {
  const auto id = unique("c");
  auto older = connected(lasting(v, id));
  auto newer = connected(lasting(v, id));
  older.expect_disconnect({code::session_taken_over});
  BOOST_TEST(newer.connack.session_present);
  newer.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_4_4_heeds_clean_start_each_time) {
  const auto id = unique("c");
  auto clean = lasting(v, id);
  clean.clean = true;
  BOOST_TEST(!connected(clean).connack.session_present);
  BOOST_TEST(lasting_client(v, id).connack.session_present);
  BOOST_TEST(!connected(clean).connack.session_present);
  auto open = lasting_client(v, id);
  BOOST_TEST(open.connack.session_present);
  // The same where the older connection is still open.
  BOOST_TEST(!connected(clean).connack.session_present);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_4_5_answers_an_accepted_connect) {
  client c{v};
  c.send(connect(v, {.client_id = unique("c")}));
  const auto in = c.receive();
  BOOST_TEST(in.type == CONNACK);
  BOOST_TEST(in.reason == code::success);
  c.expect_quiet(50ms);
}
