#include "tests/protocol/describe.hpp"
#include "tests/protocol/wire.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::protocol;
using namespace troupe::test;

namespace {

/// CONNECT of a version with the given flags and what follows Keep Alive.
bytes connect(const bytes& name_and_level, unsigned flags, const bytes& rest) {
  return packet(0x10, name_and_level + u8(flags) + u16(60) + rest);
}

const auto mqtt_5 = text("MQTT") + u8(5);
const auto mqtt_3_1_1 = text("MQTT") + u8(4);
const auto mqtt_3_1 = text("MQIsdp") + u8(3);

auto decode(const bytes& whole, bool strict_client_id_length = true) {
  return decode_connect(frame_of(whole), strict_client_id_length);
}

/// CONNECT of MQTT 5.0 with those properties.
bytes with_properties(const bytes& x) {
  return connect(mqtt_5, 0x02, properties(x) + text("c"));
}

/// CONNECT of MQTT 5.0 with those Will Properties.
bytes with_will_properties(const bytes& x) {
  return connect(mqtt_5, 0x06,
                 properties() + text("c") + properties(x) + text("t")
                   + text("p"));
}

void check(const std::vector<verdict>& rows) {
  for (const auto& row : rows)
    BOOST_TEST_CONTEXT(row.why)
  BOOST_TEST(reason_of(decode(row.whole)) == row.expected);
}

} // namespace

BOOST_AUTO_TEST_CASE(every_field_of_a_connect_is_read) {
  const auto whole =
    connect(mqtt_5, 0xF6, // user name, password, will: retain, QoS 2, clean
            properties(u8(0x11) + u32(3600)     // Session Expiry Interval
                       + u8(0x21) + u16(20)     // Receive Maximum
                       + u8(0x27) + u32(4096)   // Maximum Packet Size
                       + u8(0x22) + u16(10)     // Topic Alias Maximum
                       + u8(0x19) + u8(1)       // Request Response Information
                       + u8(0x17) + u8(0)       // Request Problem Information
                       + u8(0x15) + text("M")   // Authentication Method
                       + u8(0x16) + text("D"))  // Authentication Data
              + text("client")                  //
              + properties(u8(0x18) + u32(5)    // Will Delay Interval
                           + u8(0x02) + u32(9)) // Message Expiry Interval
              + text("gone") + text("bye")      //
              + text("user") + text("secret"));
  const auto packet = decode(whole).value();
  BOOST_TEST(packet.version == v5);
  BOOST_TEST(!packet.bridge);
  BOOST_TEST(packet.clean_start);
  BOOST_TEST(packet.keep_alive == 60);
  BOOST_TEST(packet.client_id == "client");
  BOOST_TEST(packet.session_expiry_interval.value() == 3600U);
  BOOST_TEST(packet.receive_maximum == 20);
  BOOST_TEST(packet.maximum_packet_size.value() == 4096U);
  BOOST_TEST(packet.topic_alias_maximum == 10);
  BOOST_TEST(packet.request_response_information);
  BOOST_TEST(!packet.request_problem_information);
  BOOST_TEST(packet.authentication_method.value() == "M");
  BOOST_TEST(copy(packet.authentication_data.value()) == raw("D"));
  BOOST_TEST(packet.user_name.value() == "user");
  BOOST_TEST(copy(packet.password.value()) == raw("secret"));
  const auto& will = packet.will.value();
  BOOST_TEST(will.topic == "gone");
  BOOST_TEST(copy(will.payload) == raw("bye"));
  BOOST_TEST(will.qos == qos::exactly_once);
  BOOST_TEST(will.retain);
  BOOST_TEST(will.delay_interval == 5U);
  BOOST_TEST(will.message_expiry_interval.value() == 9U);
}

BOOST_AUTO_TEST_CASE(absent_properties_have_the_defaults_of_the_standard) {
  const auto packet = decode(with_properties({})).value();
  BOOST_TEST(!packet.session_expiry_interval);
  BOOST_TEST(packet.receive_maximum == 65'535);
  BOOST_TEST(!packet.maximum_packet_size);
  BOOST_TEST(packet.topic_alias_maximum == 0);
  BOOST_TEST(!packet.request_response_information);
  BOOST_TEST(packet.request_problem_information);
  BOOST_TEST(!packet.will);
  BOOST_TEST(!packet.user_name);
  BOOST_TEST(!packet.password);
}

BOOST_AUTO_TEST_CASE(user_properties_between_other_properties_are_all_found) {
  const auto whole =
    with_properties(user_property("a", "1") + u8(0x21) + u16(1) + u8(0x15)
                    + text("M") + user_property("b", "&\x26") + u8(0x11)
                    + u32(0x26262626) + user_property("a", "2"));
  const auto packet = decode(whole).value();
  std::string seen;
  for_each_user_property(packet.user_properties,
                         [&](std::string_view name, std::string_view value) {
                           seen.append(name).append("=").append(value) += ';';
                         });
  BOOST_TEST(seen == "a=1;b=&&;a=2;");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_1_and_2_refuse_other_names_and_levels) {
  constexpr auto refused = reason_code::unsupported_protocol_version;
  check({
    {"another name", connect(text("mqtt") + u8(5), 2, {}), refused},
    {"no name", connect(text("") + u8(4), 2, {}), refused},
    {"level 3 under MQTT", connect(text("MQTT") + u8(3), 2, {}), refused},
    {"level 6", connect(text("MQTT") + u8(6), 2, {}), refused},
    {"level 0", connect(text("MQTT") + u8(0), 2, {}), refused},
    {"level 4 under MQIsdp", connect(text("MQIsdp") + u8(4), 2, {}), refused},
    {"bridge bit with 5.0", connect(text("MQTT") + u8(0x85), 2, {}), refused},
    {"bridge level of the other name", connect(text("MQTT") + u8(0x83), 2, {}),
     refused},
  });
}

BOOST_AUTO_TEST_CASE(the_levels_of_bridges_are_known) {
  const auto newer = connect(text("MQTT") + u8(0x84), 2, text("b"));
  BOOST_TEST(decode(newer).value().bridge);
  BOOST_TEST(decode(newer).value().version == v3_1_1);
  const auto older = connect(text("MQIsdp") + u8(0x83), 2, text("b"));
  BOOST_TEST(decode(older).value().bridge);
  BOOST_TEST(decode(older).value().version == v3_1);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_3_reserved_connect_flag_is_malformed) {
  check({
    {"5.0", connect(mqtt_5, 0x03, properties() + text("c")),
     reason_code::malformed_packet},
    {"3.1.1", connect(mqtt_3_1_1, 0x03, text("c")),
     reason_code::malformed_packet},
    {"3.1 does not use it", connect(mqtt_3_1, 0x03, text("c")),
     reason_code::success},
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_11_to_13_will_flags_agree) {
  constexpr auto malformed = reason_code::malformed_packet;
  const auto id = properties() + text("c");
  check({
    {"no will, Will QoS 1", connect(mqtt_5, 0x0A, id), malformed},
    {"no will, Will Retain", connect(mqtt_5, 0x22, id), malformed},
    {"Will QoS 3",
     connect(mqtt_5, 0x1E, id + properties() + text("t") + text("p")),
     malformed},
    {"3.1.1: no will, Will QoS 2", connect(mqtt_3_1_1, 0x12, text("c")),
     malformed},
    {"3.1 disregards them", connect(mqtt_3_1, 0x32, text("c")),
     reason_code::success},
    {"3.1: Will QoS 3",
     connect(mqtt_3_1, 0x1E, text("c") + text("t") + text("p")), malformed},
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_9_and_16_to_19_flags_say_which_fields_follow) {
  constexpr auto malformed = reason_code::malformed_packet;
  const auto id = properties() + text("c");
  check({
    {"will without its fields", connect(mqtt_5, 0x06, id), malformed},
    {"will without payload",
     connect(mqtt_5, 0x06, id + properties() + text("t")), malformed},
    {"user name missing", connect(mqtt_5, 0x82, id), malformed},
    {"user name not announced", connect(mqtt_5, 0x02, id + text("u")),
     malformed},
    {"password missing", connect(mqtt_5, 0xC2, id + text("u")), malformed},
    {"password not announced",
     connect(mqtt_5, 0x82, id + text("u") + text("p")), malformed},
    {"a password alone", connect(mqtt_5, 0x42, id + text("p")),
     reason_code::success},
    {"no properties", packet(0x10, mqtt_5 + u8(2) + u16(0)), malformed},
    {"no client identifier", packet(0x10, mqtt_5 + u8(2) + u16(0) + u8(0)),
     malformed},
    {"no keep alive", packet(0x10, mqtt_5 + u8(2)), malformed},
    {"no level", packet(0x10, text("MQTT")), malformed},
    {"nothing", packet(0x10), malformed},
  });
}

BOOST_AUTO_TEST_CASE(mqtt311_3_1_2_22_a_password_needs_a_user_name) {
  check({
    {"3.1.1", connect(mqtt_3_1_1, 0x42, text("c") + text("p")),
     reason_code::malformed_packet},
    {"3.1", connect(mqtt_3_1, 0x42, text("c") + text("p")),
     reason_code::malformed_packet},
  });
}

BOOST_AUTO_TEST_CASE(mqtt_3_1_goes_on_without_announced_user_name) {
  const auto neither = connect(mqtt_3_1, 0xC2, text("c"));
  BOOST_TEST(!decode(neither).value().user_name);
  BOOST_TEST(!decode(neither).value().password);
  const auto first = connect(mqtt_3_1, 0xC2, text("c") + text("u"));
  BOOST_TEST(decode(first).value().user_name.value() == "u");
  BOOST_TEST(!decode(first).value().password);
  const auto same = connect(mqtt_3_1_1, 0xC2, text("c") + text("u"));
  BOOST_TEST(reason_of(decode(same)) == reason_code::malformed_packet);
}

BOOST_AUTO_TEST_CASE(mqtt_3_1_client_identifiers_have_1_to_23_characters) {
  const std::string longest(23, 'x');
  constexpr auto refused = reason_code::client_identifier_not_valid;
  check({
    {"none", connect(mqtt_3_1, 0x02, text("")), refused},
    {"23", connect(mqtt_3_1, 0x02, text(longest)), reason_code::success},
    {"24", connect(mqtt_3_1, 0x02, text(longest + "x")), refused},
    {"23 of two bytes each",
     connect(mqtt_3_1, 0x02,
             text("\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4"
                  "\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4"
                  "\u00E4\u00E4\u00E4\u00E4\u00E4")),
     reason_code::success},
  });
  const auto whole = connect(mqtt_3_1, 0x02, text(longest + "x"));
  BOOST_TEST(decode(whole, false).has_value());
}

BOOST_AUTO_TEST_CASE(
  mqtt311_3_1_3_8_no_client_identifier_without_clean_session) {
  check({
    {"kept", connect(mqtt_3_1_1, 0x00, text("")),
     reason_code::client_identifier_not_valid},
    {"clean", connect(mqtt_3_1_1, 0x02, text("")), reason_code::success},
    {"5.0", connect(mqtt_5, 0x00, properties() + text("")),
     reason_code::success},
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_1_5_4_1_and_2_strings_of_a_connect_are_utf_8) {
  constexpr auto malformed = reason_code::malformed_packet;
  const auto no = properties();
  const std::string_view zero{"\0", 1};
  check({
    {"client identifier", connect(mqtt_5, 0x02, no + text("\xFF")), malformed},
    {"client identifier with U+0000", connect(mqtt_5, 2, no + text(zero)),
     malformed},
    {"will topic with a surrogate",
     connect(mqtt_5, 0x06,
             no + text("c") + no + text("\xED\xA0\x80") + text("p")),
     malformed},
    {"user name", connect(mqtt_5, 0x82, no + text("c") + text("\xC0\xAF")),
     malformed},
    {"Authentication Method", with_properties(u8(0x15) + text("\x80")),
     malformed},
    {"name of a User Property", with_properties(user_property("\xFE", "v")),
     malformed},
    {"value of a User Property", with_properties(user_property("n", "\xFE")),
     malformed},
    {"the password may be anything",
     connect(mqtt_5, 0x42, no + text("c") + text("\xFF")),
     reason_code::success},
  });
}

BOOST_AUTO_TEST_CASE(the_will_topic_is_a_topic_name) {
  const auto will = [](std::string_view topic) {
    return connect(mqtt_5, 0x06,
                   properties() + text("c") + properties() + text(topic)
                     + text("p"));
  };
  check({
    {"wildcard", will("a/+"), reason_code::topic_name_invalid},
    {"empty", will(""), reason_code::topic_name_invalid},
  });
}

BOOST_AUTO_TEST_CASE(properties_of_a_connect_obey_their_rules) {
  constexpr auto error = reason_code::protocol_error;
  constexpr auto malformed = reason_code::malformed_packet;
  check({
    {"Receive Maximum 0", with_properties(u8(0x21) + u16(0)), error},
    {"Maximum Packet Size 0", with_properties(u8(0x27) + u32(0)), error},
    {"Request Response Information 2", with_properties(u8(0x19) + u8(2)),
     error},
    {"Request Problem Information 2", with_properties(u8(0x17) + u8(2)), error},
    {"Authentication Data alone", with_properties(u8(0x16) + text("d")), error},
    {"Receive Maximum twice",
     with_properties(u8(0x21) + u16(1) + u8(0x21) + u16(1)), error},
    {"Session Expiry Interval twice",
     with_properties(u8(0x11) + u32(1) + u8(0x11) + u32(2)), error},
    {"Topic Alias", with_properties(u8(0x23) + u16(1)), error},
    {"Will Delay Interval", with_properties(u8(0x18) + u32(1)), error},
    {"unknown identifier", with_properties(u8(0x04) + u8(0)), malformed},
    {"identifier of two bytes", with_properties(u8(0x81) + u8(0x01) + u8(0)),
     malformed},
    {"cut short", with_properties(u8(0x11) + u16(1)), malformed},
    {"Property Length beyond the packet",
     connect(mqtt_5, 0x02, u8(100) + text("c")), malformed},
    {"overlong Property Length",
     connect(mqtt_5, 0x02, u8(0x80) + u8(0) + text("c")), malformed},
  });
}

BOOST_AUTO_TEST_CASE(properties_of_a_will_obey_their_rules) {
  constexpr auto error = reason_code::protocol_error;
  check({
    {"Payload Format Indicator 2", with_will_properties(u8(0x01) + u8(2)),
     error},
    {"Response Topic with a wildcard",
     with_will_properties(u8(0x08) + text("a/#")), error},
    {"empty Response Topic", with_will_properties(u8(0x08) + text("")), error},
    {"Will Delay Interval twice",
     with_will_properties(u8(0x18) + u32(1) + u8(0x18) + u32(1)), error},
    {"Content Type twice",
     with_will_properties(u8(0x03) + text("a") + u8(0x03) + text("a")), error},
    {"Topic Alias", with_will_properties(u8(0x23) + u16(1)), error},
    {"Receive Maximum", with_will_properties(u8(0x21) + u16(1)), error},
    {"Content Type not UTF-8", with_will_properties(u8(0x03) + text("\xFF")),
     reason_code::malformed_packet},
  });
}

BOOST_AUTO_TEST_CASE(the_properties_of_a_will_are_kept_in_at_most_three_runs) {
  const auto type = u8(0x03) + text("t");
  const auto reply = u8(0x08) + text("r");
  const auto user = user_property("k", "v");
  const auto whole = with_will_properties(type + u8(0x18) + u32(1) + reply
                                          + user + u8(0x02) + u32(2) + user);
  const auto packet = decode(whole).value();
  const auto& runs = packet.will->properties;
  BOOST_TEST(copy(runs[0]) == type);
  BOOST_TEST(copy(runs[1]) == reply + user);
  BOOST_TEST(copy(runs[2]) == user);
}

BOOST_AUTO_TEST_CASE(mqtt5_2_1_3_1_flags_of_the_fixed_header_are_zero) {
  auto whole = with_properties({});
  whole[0] = 0x11;
  BOOST_TEST(reason_of(decode(whole)) == reason_code::malformed_packet);
  auto older = connect(mqtt_3_1, 0x02, text("c"));
  older[0] = 0x1F; // ignored there
  BOOST_TEST(decode(older).has_value());
}

BOOST_AUTO_TEST_CASE(encoded_connects_are_read_as_they_were) {
  byte_buffer user;
  append_user_property(user, "k", "v");
  const std::uint8_t secret[] = {1, 2};
  for (const auto version : all_versions) {
    connect_packet packet;
    packet.version = version;
    packet.keep_alive = 17;
    packet.client_id = "c";
    packet.will = will_message{.topic = "t",
                               .payload = secret,
                               .qos = qos::at_least_once,
                               .retain = true};
    packet.user_name = "u";
    packet.password = bytes_view{secret};
    if (version == v5) {
      packet.session_expiry_interval = 1;
      packet.receive_maximum = 2;
      packet.maximum_packet_size = 3;
      packet.topic_alias_maximum = 4;
      packet.request_response_information = true;
      packet.request_problem_information = false;
      packet.authentication_method = "M";
      packet.authentication_data = bytes_view{secret};
      packet.user_properties = user.view();
      packet.will->delay_interval = 5;
      packet.will->message_expiry_interval = 6;
      packet.will->properties[1] = user.view();
    }
    byte_buffer out;
    encode_connect(out, packet);
    const auto whole = copy(out.view());
    BOOST_TEST(describe(decode(whole).value()) == describe(packet));
  }
}
