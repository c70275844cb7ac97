#include "tests/protocol/describe.hpp"
#include "tests/protocol/wire.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::protocol;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

/// PUBLISH of MQTT 5.0 with QoS 0 and those properties.
bytes with_properties(const bytes& x) {
  return packet(0x30, text("t") + properties(x) + raw("p"));
}

void check(protocol_version version, const std::vector<verdict>& rows) {
  for (const auto& row : rows)
    BOOST_TEST_CONTEXT(row.why)
  BOOST_TEST(reason_of(decode_publish(frame_of(row.whole), version))
             == row.expected);
}

const auto start = time_point{} + 1h;

/// What `encode_message` makes of it.
bytes encoded(const message_options& options, const delivery& how,
              protocol_version version, time_point now = start) {
  const auto sent = message::make(options);
  byte_buffer out;
  encode_message(out, *sent, how, version, now);
  BOOST_TEST(encoded_message_size(*sent, how, version) == out.size());
  return copy(out.view());
}

} // namespace

BOOST_AUTO_TEST_CASE(every_field_of_a_publish_is_read) {
  const auto whole = packet(0x3D, text("a/b") + u16(0x1234) + raw("hello"));
  const auto packet = decode_publish(frame_of(whole), v3_1_1).value();
  BOOST_TEST(packet.topic == "a/b");
  BOOST_TEST(packet.packet_identifier == 0x1234);
  BOOST_TEST(packet.qos == qos::exactly_once);
  BOOST_TEST(packet.retain);
  BOOST_TEST(packet.dup);
  BOOST_TEST(copy(packet.payload) == raw("hello"));
}

BOOST_AUTO_TEST_CASE(mqtt5_2_2_1_2_qos_0_has_no_packet_identifier) {
  const auto whole = packet(0x30, text("a") + raw("\1\2"));
  const auto packet = decode_publish(frame_of(whole), v3_1_1).value();
  BOOST_TEST(packet.packet_identifier == 0);
  BOOST_TEST(copy(packet.payload) == raw("\1\2"));
}

BOOST_AUTO_TEST_CASE(properties_are_cut_into_what_is_forwarded_and_the_rest) {
  const auto format = u8(0x01) + u8(1);
  const auto reply = u8(0x08) + text("r/t") + u8(0x09) + text("\xFF");
  const auto user = user_property("k", "v") + user_property("k", "v");
  const auto whole = with_properties(format + u8(0x02) + u32(77) + reply
                                     + u8(0x23) + u16(5) + user);
  const auto packet = decode_publish(frame_of(whole), v5).value();
  BOOST_TEST(packet.message_expiry_interval.value() == 77U);
  BOOST_TEST(packet.topic_alias == 5);
  BOOST_TEST(copy(packet.properties[0]) == format);
  BOOST_TEST(copy(packet.properties[1]) == reply);
  BOOST_TEST(copy(packet.properties[2]) == user);
  BOOST_TEST(copy(packet.payload) == raw("p"));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_2_and_4_flags_that_no_publish_has) {
  constexpr auto malformed = reason_code::malformed_packet;
  for (const auto version : all_versions) {
    const auto rest = text("t") + u16(1) + u8(0);
    const auto is_3_1 = version == v3_1;
    check(version, {
                     {"QoS 3", packet(0x36, rest), malformed},
                     {"QoS 3, RETAIN", packet(0x37, rest), malformed},
                     {"QoS 3, DUP", packet(0x3E, rest), malformed},
                     {"QoS 3, both", packet(0x3F, rest), malformed},
                   });
    for (const auto first_byte : {0x38U, 0x39U})
      check(version, {{"DUP with QoS 0", packet(first_byte, text("t") + u8(0)),
                       is_3_1 ? reason_code::success : malformed}});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_1_and_2_topics_of_a_publish) {
  constexpr auto malformed = reason_code::malformed_packet;
  constexpr auto invalid = reason_code::topic_name_invalid;
  const std::string_view zero{"a\0b", 3};
  for (const auto version : all_versions)
    check(
      version,
      {
        {"+", packet(0x30, text("a/+/c") + u8(0)), invalid},
        {"#", packet(0x30, text("#") + u8(0)), invalid},
        {"# in a long one", packet(0x30, text("0123456789abcd#f") + u8(0)),
         invalid},
        {"ill-formed", packet(0x30, text("a\xFF") + u8(0)), malformed},
        {"U+0000", packet(0x30, text(zero) + u8(0)), malformed},
        {"empty", packet(0x30, text("") + u8(0)), reason_code::protocol_error},
        {"cut short", packet(0x30, u16(5) + raw("abc")), malformed},
        {"none", packet(0x30), malformed},
        {"half a length", packet(0x30, u8(0)), malformed},
      });
}

BOOST_AUTO_TEST_CASE(mqtt5_2_2_1_3_packet_identifier_0_is_a_protocol_error) {
  for (const auto version : all_versions)
    check(version,
          {
            {"QoS 1", packet(0x32, text("t") + u16(0) + u8(0)),
             reason_code::protocol_error},
            {"QoS 2", packet(0x34, text("t") + u16(0) + u8(0)),
             reason_code::protocol_error},
            {"missing", packet(0x32, text("t")), reason_code::malformed_packet},
          });
}

BOOST_AUTO_TEST_CASE(mqtt5_2_2_2_1_a_property_length_is_there_even_if_zero) {
  check(v5, {
              {"none", packet(0x30, text("t")), reason_code::malformed_packet},
              {"zero", packet(0x30, text("t") + u8(0)), reason_code::success},
            });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_8_topic_alias_0_is_invalid) {
  check(v5, {
              {"0", with_properties(u8(0x23) + u16(0)),
               reason_code::topic_alias_invalid},
              {"without topic",
               packet(0x30, text("") + properties(u8(0x23) + u16(9))),
               reason_code::success},
            });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_14_response_topic_has_no_wildcards) {
  constexpr auto error = reason_code::protocol_error;
  check(v5, {
              {"+", with_properties(u8(0x08) + text("a/+")), error},
              {"#", with_properties(u8(0x08) + text("#")), error},
              {"empty", with_properties(u8(0x08) + text("")), error},
              {"not UTF-8", with_properties(u8(0x08) + text("\xFF")),
               reason_code::malformed_packet}, // [MQTT-3.3.2-13]
            });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_6_no_subscription_identifier_from_a_client) {
  const auto whole = with_properties(u8(0x0B) + variable(1));
  check(v5, {{"from a client", whole, reason_code::protocol_error}});
  std::uint32_t room[1] = {};
  BOOST_TEST(decode_publish_from_server(frame_of(whole), v5, room).has_value());
}

BOOST_AUTO_TEST_CASE(other_properties_of_a_publish_obey_their_rules) {
  constexpr auto error = reason_code::protocol_error;
  constexpr auto malformed = reason_code::malformed_packet;
  check(v5,
        {
          {"Payload Format Indicator 2", with_properties(u8(1) + u8(2)), error},
          {"Payload Format Indicator twice",
           with_properties(u8(1) + u8(1) + u8(1) + u8(1)), error},
          {"Message Expiry Interval twice",
           with_properties(u8(2) + u32(1) + u8(2) + u32(1)), error},
          {"Topic Alias twice",
           with_properties(u8(0x23) + u16(1) + u8(0x23) + u16(1)), error},
          {"Content Type twice",
           with_properties(u8(3) + text("") + u8(3) + text("")), error},
          {"Response Topic twice",
           with_properties(u8(8) + text("a") + u8(8) + text("a")), error},
          {"Correlation Data twice",
           with_properties(u8(9) + text("") + u8(9) + text("")), error},
          {"Reason String", with_properties(u8(0x1F) + text("r")), error},
          {"Receive Maximum", with_properties(u8(0x21) + u16(1)), error},
          {"Content Type not UTF-8", // [MQTT-3.3.2-19]
           with_properties(u8(3) + text("\xFF")), malformed},
          {"unknown identifier", with_properties(u8(0x7F)), malformed},
          {"string past the properties", with_properties(u8(3) + u16(9)),
           malformed},
          {"Property Length past the packet",
           packet(0x30, text("t") + u8(9) + raw("p")), malformed},
          {"overlong Property Length",
           packet(0x30, text("t") + u8(0x80) + u8(0) + raw("p")), malformed},
        });
}

BOOST_AUTO_TEST_CASE(a_receiver_reads_as_many_identifiers_as_it_has_room_for) {
  const auto whole = with_properties(u8(0x0B) + variable(1) + u8(0x0B)
                                     + variable(300) + u8(0x0B) + variable(7));
  std::uint32_t room[2] = {};
  const auto packet =
    decode_publish_from_server(frame_of(whole), v5, room).value();
  BOOST_TEST(packet.subscription_identifiers.size() == 2U);
  BOOST_TEST(packet.subscription_identifiers[0] == 1U);
  BOOST_TEST(packet.subscription_identifiers[1] == 300U);
  const auto zero = with_properties(u8(0x0B) + u8(0));
  BOOST_TEST(reason_of(decode_publish_from_server(frame_of(zero), v5, room))
             == reason_code::protocol_error);
}

BOOST_AUTO_TEST_CASE(
  properties_in_more_than_three_runs_are_said_to_be_too_many) {
  const auto user = user_property("k", "v");
  const auto identifier = u8(0x0B) + u8(1);
  const auto three = user + identifier + user + identifier + user;
  std::uint32_t room[4] = {};
  const auto fits = with_properties(three);
  BOOST_TEST(decode_publish_from_server(frame_of(fits), v5, room).has_value());
  const auto too_many = with_properties(three + identifier + user);
  BOOST_TEST(reason_of(decode_publish_from_server(frame_of(too_many), v5, room))
             == reason_code::implementation_specific_error);
}

BOOST_AUTO_TEST_CASE(a_message_is_encoded_for_an_mqtt_3_receiver) {
  const auto payload = raw("hello");
  const auto user = user_property("k", "v");
  const message_options options{.topic = "a/b",
                                .payload = payload,
                                .properties = {user},
                                .message_expiry_interval = 5,
                                .received_at = start};
  const std::uint32_t identifiers[] = {1};
  const delivery how{.qos = qos::at_least_once,
                     .dup = true,
                     .retain = true,
                     .packet_identifier = 0x0102,
                     .subscription_identifiers = identifiers};
  BOOST_TEST(encoded(options, how, v3_1_1)
             == packet(0x3B, text("a/b") + u16(0x0102) + payload));
  BOOST_TEST(encoded(options, {}, v3_1) == packet(0x30, text("a/b") + payload));
}

BOOST_AUTO_TEST_CASE(a_message_is_encoded_for_an_mqtt_5_receiver) {
  const auto payload = raw("hello");
  BOOST_TEST(encoded({.topic = "a/b", .payload = payload}, {}, v5)
             == packet(0x30, text("a/b") + properties() + payload));
  const auto first = u8(0x01) + u8(1);
  const auto last = user_property("k", "v") + user_property("k", "w");
  const message_options options{.topic = "a/b",
                                .payload = payload,
                                .properties = {first, {}, last},
                                .message_expiry_interval = 60,
                                .received_at = start};
  const std::uint32_t identifiers[] = {1, 200};
  const delivery how{.qos = qos::exactly_once,
                     .packet_identifier = 7,
                     .topic_alias = 3,
                     .subscription_identifiers = identifiers};
  BOOST_TEST(encoded(options, how, v5, start + 20s)
             == packet(0x34, text("a/b") + u16(7)
                               + properties(u8(0x02) + u32(40)  // expiry
                                            + u8(0x23) + u16(3) // alias
                                            + u8(0x0B) + variable(1) + u8(0x0B)
                                            + variable(200) + first + last)
                               + payload));
}

BOOST_AUTO_TEST_CASE(the_topic_is_left_out_when_the_receiver_knows_the_alias) {
  BOOST_TEST(
    encoded({.topic = "a/b"}, {.topic_alias = 9, .omit_topic = true}, v5)
    == packet(0x30, text("") + properties(u8(0x23) + u16(9))));
}

BOOST_AUTO_TEST_CASE(remaining_length_grows_with_the_message) {
  for (const std::size_t size : {0U, 100U, 124U, 125U, 200U, 16'379U, 16'380U,
                                 16'381U, 70'000U, 2'097'200U}) {
    const bytes payload(size, 'x');
    BOOST_TEST_CONTEXT(size)
    BOOST_TEST((encoded({.topic = "t", .payload = payload}, {}, v3_1_1)
                == packet(0x30, text("t") + payload)));
  }
}

BOOST_AUTO_TEST_CASE(encoded_publishes_are_read_as_they_were) {
  const auto user = user_property("k", "v");
  const auto payload = raw("p");
  for (const auto version : all_versions) {
    publish_packet packet{.topic = "t",
                          .payload = payload,
                          .packet_identifier = 2,
                          .qos = qos::exactly_once,
                          .retain = true,
                          .dup = true};
    if (version == v5) {
      packet.topic_alias = 3;
      packet.message_expiry_interval = 4;
      packet.properties[2] = user;
    }
    byte_buffer out;
    encode_publish(out, packet, version);
    const auto whole = copy(out.view());
    BOOST_TEST(describe(decode_publish(frame_of(whole), version).value())
               == describe(packet));
  }
}
