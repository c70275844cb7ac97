// What a server writes, PUBLISH apart.

#include "tests/protocol/describe.hpp"
#include "tests/protocol/wire.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::protocol;
using namespace troupe::test;

namespace {

/// What an encoder of the form (byte_buffer&, limit) appends; empty if it
/// answers false, and then it must have appended nothing.
template <class Encode>
bytes encoded(Encode&& encode, std::size_t limit = no_packet_limit) {
  byte_buffer out;
  out.append_u8(0xAA); // something else is waiting
  const auto done = encode(out, limit);
  const auto all = copy(out.view());
  BOOST_TEST(done == (all.size() > 1));
  return {all.begin() + 1, all.end()};
}

auto connack(const connack_packet& packet, protocol_version version) {
  return [=](byte_buffer& out, std::size_t limit) {
    return encode_connack(out, packet, version, limit);
  };
}
auto ack(const ack_packet& packet, protocol_version version) {
  return [=](byte_buffer& out, std::size_t limit) {
    return encode_ack(out, packet, version, limit);
  };
}
auto suback(const suback_packet& packet, protocol_version version) {
  return [=](byte_buffer& out, std::size_t limit) {
    return encode_suback(out, packet, version, limit);
  };
}
auto unsuback(const unsuback_packet& packet, protocol_version version) {
  return [=](byte_buffer& out, std::size_t limit) {
    return encode_unsuback(out, packet, version, limit);
  };
}
auto disconnect(const disconnect_packet& packet) {
  return [=](byte_buffer& out, std::size_t limit) {
    return encode_disconnect(out, packet, v5, limit);
  };
}
auto auth(const auth_packet& packet) {
  return [=](byte_buffer& out, std::size_t limit) {
    return encode_auth(out, packet, limit);
  };
}

const auto user = user_property("k", "v");
const auto reason_string = u8(0x1F) + text("why");

/// Checks that Reason String, then User Properties go as `limit` shrinks.
template <class Encode>
void check_limits(Encode&& encode, const bytes& whole,
                  const bytes& without_reason_string, const bytes& bare) {
  BOOST_TEST(encoded(encode) == whole);
  BOOST_TEST(encoded(encode, whole.size()) == whole);
  BOOST_TEST(encoded(encode, whole.size() - 1) == without_reason_string);
  BOOST_TEST(encoded(encode, without_reason_string.size())
             == without_reason_string);
  BOOST_TEST(encoded(encode, without_reason_string.size() - 1) == bare);
  BOOST_TEST(encoded(encode, bare.size()) == bare);
  BOOST_TEST(encoded(encode, bare.size() - 1).empty());
}

} // namespace

BOOST_AUTO_TEST_CASE(connacks_are_written_for_each_version) {
  const connack_packet packet{.session_present = true, .server_keep_alive = 9};
  BOOST_TEST(encoded(connack(packet, v5))
             == troupe::test::packet(0x20, u8(1) + u8(0)
                                             + properties(u8(0x13) + u16(9))));
  BOOST_TEST(encoded(connack(packet, v3_1_1))
             == troupe::test::packet(0x20, u8(1) + u8(0)));
  BOOST_TEST(encoded(connack(packet, v3_1)) // no Session Present there
             == troupe::test::packet(0x20, u8(0) + u8(0)));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_6_a_refusal_has_no_session_present) {
  const connack_packet packet{.session_present = true,
                              .reason = reason_code::not_authorized};
  BOOST_TEST(encoded(connack(packet, v5))
             == troupe::test::packet(0x20, u8(0) + u8(0x87) + properties()));
  BOOST_TEST(encoded(connack(packet, v3_1_1))
             == troupe::test::packet(0x20, u8(0) + u8(5)));
}

BOOST_AUTO_TEST_CASE(mqtt311_3_2_2_6_no_connack_if_no_return_code_fits) {
  const std::pair<reason_code, int> rows[] = {
    {reason_code::unsupported_protocol_version, 1},
    {reason_code::client_identifier_not_valid, 2},
    {reason_code::server_unavailable, 3},
    {reason_code::server_busy, 3},
    {reason_code::quota_exceeded, 3},
    {reason_code::connection_rate_exceeded, 3},
    {reason_code::bad_user_name_or_password, 4},
    {reason_code::not_authorized, 5},
    {reason_code::banned, 5},
    {reason_code::malformed_packet, -1},
    {reason_code::protocol_error, -1},
    {reason_code::topic_name_invalid, -1},
  };
  for (const auto& [reason, code] : rows) {
    const auto got = encoded(connack({.reason = reason}, v3_1_1));
    BOOST_TEST(got
               == (code < 0
                     ? bytes{}
                     : packet(0x20, u8(0) + u8(static_cast<unsigned>(code)))));
  }
}

BOOST_AUTO_TEST_CASE(all_properties_of_a_connack_are_written_and_read) {
  const auto data = raw("D");
  const connack_packet packet{.session_present = true,
                              .session_expiry_interval = 1,
                              .receive_maximum = 2,
                              .maximum_qos = 1,
                              .retain_available = false,
                              .maximum_packet_size = 3,
                              .assigned_client_identifier = "id",
                              .topic_alias_maximum = 4,
                              .reason_string = "why",
                              .user_properties = user,
                              .wildcard_subscription_available = true,
                              .subscription_identifiers_available = false,
                              .shared_subscription_available = true,
                              .server_keep_alive = 5,
                              .response_information = "info",
                              .server_reference = "other",
                              .authentication_method = "M",
                              .authentication_data = bytes_view{data}};
  const auto whole = encoded(connack(packet, v5));
  BOOST_TEST(describe(decode_connack(frame_of(whole), v5).value())
             == describe(packet));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_19_and_20_connack_keeps_within_the_limit) {
  const connack_packet packet{.reason = reason_code::banned,
                              .reason_string = "why",
                              .user_properties = user,
                              .server_keep_alive = 9};
  const auto kept = u8(0x13) + u16(9);
  const auto start = u8(0) + u8(0x8A);
  check_limits(
    connack(packet, v5),
    troupe::test::packet(0x20, start + properties(reason_string + user + kept)),
    troupe::test::packet(0x20, start + properties(user + kept)),
    troupe::test::packet(0x20, start + properties(kept)));
}

BOOST_AUTO_TEST_CASE(acknowledgements_take_the_shortest_form) {
  const ack_packet plain{.type = packet_type::pubrel, .packet_identifier = 5};
  for (const auto version : all_versions)
    BOOST_TEST(encoded(ack(plain, version)) == packet(0x62, u16(5)));
  const ack_packet refusal{.type = packet_type::puback,
                           .packet_identifier = 5,
                           .reason = reason_code::not_authorized};
  BOOST_TEST(encoded(ack(refusal, v5)) == packet(0x40, u16(5) + u8(0x87)));
  BOOST_TEST(encoded(ack(refusal, v3_1_1)) == packet(0x40, u16(5)));
  BOOST_TEST(encoded(ack(plain, v5), 3).empty());
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_4_2_2_and_3_acknowledgements_keep_within_the_limit) {
  for (const auto type : {packet_type::puback, packet_type::pubrec}) {
    const ack_packet packet{.type = type,
                            .packet_identifier = 5,
                            .reason = reason_code::quota_exceeded,
                            .reason_string = "why",
                            .user_properties = user};
    const auto first = static_cast<unsigned>(type) << 4;
    const auto start = u16(5) + u8(0x97);
    check_limits(
      ack(packet, v5),
      troupe::test::packet(first, start + properties(reason_string + user)),
      troupe::test::packet(first, start + properties(user)),
      troupe::test::packet(first, start));
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_9_2_1_and_2_suback_keeps_within_the_limit) {
  const reason_code reasons[] = {reason_code::granted_qos_2,
                                 reason_code::topic_filter_invalid};
  const suback_packet packet{5, "why", user, reasons};
  const auto list = u8(2) + u8(0x8F);
  check_limits(suback(packet, v5),
               troupe::test::packet(
                 0x90, u16(5) + properties(reason_string + user) + list),
               troupe::test::packet(0x90, u16(5) + properties(user) + list),
               troupe::test::packet(0x90, u16(5) + properties() + list));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_11_2_1_and_2_unsuback_keeps_within_the_limit) {
  const reason_code reasons[] = {reason_code::success,
                                 reason_code::no_subscription_existed};
  const unsuback_packet packet{5, "why", user, reasons};
  const auto list = u8(0) + u8(0x11);
  check_limits(unsuback(packet, v5),
               troupe::test::packet(
                 0xB0, u16(5) + properties(reason_string + user) + list),
               troupe::test::packet(0xB0, u16(5) + properties(user) + list),
               troupe::test::packet(0xB0, u16(5) + properties() + list));
  BOOST_TEST(encoded(unsuback(packet, v3_1_1))
             == troupe::test::packet(0xB0, u16(5)));
}

BOOST_AUTO_TEST_CASE(mqtt311_3_9_3_2_suback_knows_one_failure) {
  const reason_code reasons[] = {
    reason_code::granted_qos_0, reason_code::granted_qos_1,
    reason_code::granted_qos_2, reason_code::not_authorized};
  const suback_packet packet{5, {}, {}, reasons};
  BOOST_TEST(encoded(suback(packet, v3_1_1))
             == troupe::test::packet(0x90, u16(5) + raw({"\0\1\2\x80", 4})));
  BOOST_TEST(encoded(suback(packet, v3_1)) // and MQTT 3.1 none
             == troupe::test::packet(0x90, u16(5) + raw({"\0\1\2\0", 4})));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_2_3_and_4_disconnect_keeps_within_the_limit) {
  const disconnect_packet packet{.reason = reason_code::server_moved,
                                 .reason_string = "why",
                                 .user_properties = user,
                                 .server_reference = "o"};
  const auto kept = u8(0x1C) + text("o");
  check_limits(disconnect(packet),
               troupe::test::packet(
                 0xE0, u8(0x9D) + properties(reason_string + user + kept)),
               troupe::test::packet(0xE0, u8(0x9D) + properties(user + kept)),
               troupe::test::packet(0xE0, u8(0x9D) + properties(kept)));
  BOOST_TEST(encoded(disconnect({.reason = reason_code::session_taken_over}))
             == troupe::test::packet(0xE0, u8(0x8E)));
  BOOST_TEST(encoded(disconnect({})) == troupe::test::packet(0xE0));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_15_2_2_and_3_auth_keeps_within_the_limit) {
  const auto data = raw("D");
  const auth_packet packet{.reason = reason_code::continue_authentication,
                           .method = "M",
                           .data = bytes_view{data},
                           .reason_string = "why",
                           .user_properties = user};
  const auto kept = u8(0x15) + text("M") + u8(0x16) + text("D");
  check_limits(auth(packet),
               troupe::test::packet(
                 0xF0, u8(0x18) + properties(kept + reason_string + user)),
               troupe::test::packet(0xF0, u8(0x18) + properties(kept + user)),
               troupe::test::packet(0xF0, u8(0x18) + properties(kept)));
}

BOOST_AUTO_TEST_CASE(a_pingresp_is_two_bytes) {
  byte_buffer out;
  encode_pingresp(out);
  BOOST_TEST(copy(out.view()) == packet(0xD0));
}

BOOST_AUTO_TEST_CASE(what_clients_refuse_in_a_connack) {
  constexpr auto malformed = reason_code::malformed_packet;
  constexpr auto error = reason_code::protocol_error;
  const auto decode = [](const bytes& whole, protocol_version version) {
    return reason_of(decode_connack(frame_of(whole), version));
  };
  BOOST_TEST(decode(packet(0x20, u8(2) + u8(0)), v3_1_1) == malformed);
  BOOST_TEST(decode(packet(0x20, u8(1) + u8(5)), v3_1_1) == error);
  BOOST_TEST(decode(packet(0x20, u8(0) + u8(6)), v3_1_1) == error);
  BOOST_TEST(decode(packet(0x20, u8(0)), v3_1_1) == malformed);
  BOOST_TEST(decode(packet(0x20, u8(0) + u8(0) + u8(0)), v3_1_1) == malformed);
  BOOST_TEST(decode(packet(0x20, u8(0) + u8(0)), v5) == malformed);
  BOOST_TEST(decode(packet(0x20, u8(0) + u8(0x8E) + u8(0)), v5) == error);
  BOOST_TEST(decode(packet(0x20, u8(1) + u8(0x80) + u8(0)), v5) == error);
  BOOST_TEST(
    decode(packet(0x20, u8(0) + u8(0) + properties(u8(0x24) + u8(2))), v5)
    == error); // Maximum QoS 2
  BOOST_TEST(
    decode(packet(0x20, u8(0) + u8(0) + properties(u8(0x02) + u32(2))), v5)
    == error); // Message Expiry Interval
}

BOOST_AUTO_TEST_CASE(what_clients_refuse_in_a_suback) {
  reason_code room[2] = {};
  const auto decode = [&](const bytes& whole, protocol_version version) {
    return reason_of(decode_suback(frame_of(whole), version, room));
  };
  constexpr auto error = reason_code::protocol_error;
  BOOST_TEST(decode(packet(0x90, u16(1) + u8(3)), v3_1_1) == error);
  BOOST_TEST(decode(packet(0x90, u16(1)), v3_1_1) == error);
  BOOST_TEST(decode(packet(0x90, u16(0) + u8(0)), v3_1_1) == error);
  BOOST_TEST(decode(packet(0x90, u16(1) + u8(0) + u8(0) + u8(0)), v3_1_1)
             == reason_code::packet_too_large);
  BOOST_TEST(decode(packet(0x90, u16(1) + properties() + u8(0x11)), v5)
             == error); // a code of UNSUBACK
  const auto late = packet(0xB0, u16(1) + u8(0));
  BOOST_TEST(reason_of(decode_unsuback(frame_of(late), v3_1_1, room))
             == reason_code::malformed_packet);
}
