#pragma once
// Bytes to Control Packets and back, MQTT 3.1, 3.1.1 and 5.0.
//
// Decoders never throw, allocate nothing and borrow from their input. They
// answer malformed_packet or a more exact reason code; MQTT 3 servers close
// on any of them. "Not enough bytes yet" is a normal answer.

#include "protocol/byte_buffer.hpp"
#include "protocol/control_packet.hpp"
#include "protocol/message.hpp"

namespace troupe::protocol {

/// A Variable Byte Integer (1.5.5) and how many bytes it took.
struct variable_byte_integer {
  std::uint32_t value = 0;
  std::size_t size = 0;
};

/// @returns std::nullopt if `in` ends before the integer does.
/// @error malformed_packet  over four bytes, or not in the shortest form
///                          [MQTT-1.5.5-1].
result<std::optional<variable_byte_integer>>
decode_variable_byte_integer(bytes_view in) noexcept;

/// Appends `value` (at most 268,435,455) in its shortest form.
void append_variable_byte_integer(byte_buffer& out, std::uint32_t value);

/// Bytes that `value` takes as a Variable Byte Integer: 1 to 4.
constexpr std::size_t variable_byte_integer_size(std::uint32_t value) noexcept {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

/// Cuts the next Control Packet off the front of `in`.
///
/// @param maximum_packet_size  bytes, fixed header included; what this Server
///                             sent in its CONNACK (3.2.2.3.6).
/// @returns std::nullopt if `in` does not hold a whole packet yet.
/// @error packet_too_large  as soon as the header shows it.
/// @error malformed_packet  packet type 0, or a bad Remaining Length.
result<std::optional<frame>>
next_frame(bytes_view in, std::size_t maximum_packet_size) noexcept;

// ---- what a server reads ---------------------------------------------------
// `version` is the version of the connection. The flags of the fixed header
// are checked [MQTT-2.1.3-1]; MQTT 3.1 ignores unused ones and allows DUP in
// PUBREL, SUBSCRIBE and UNSUBSCRIBE.

/// @error unsupported_protocol_version  name or level unknown
/// @error client_identifier_not_valid   MQTT 3.1: none, or (if
///        `strict_client_id_length_3_1`) over 23 characters; MQTT 3.1.1: none
///        without Clean Session
/// @error topic_name_invalid            of the will
/// @error malformed_packet, protocol_error
result<connect_packet>
decode_connect(const frame& in, bool strict_client_id_length_3_1) noexcept;

/// Checks topic, properties and packet identifier; a Topic Alias of 0 is
/// topic_alias_invalid, wildcards in the topic are topic_name_invalid, a
/// Subscription Identifier is protocol_error. An empty topic is accepted only
/// with an alias.
result<publish_packet> decode_publish(const frame& in,
                                      protocol_version version) noexcept;

/// PUBACK, PUBREC, PUBREL, PUBCOMP by the frame's type.
result<ack_packet> decode_ack(const frame& in,
                              protocol_version version) noexcept;
result<subscribe_packet> decode_subscribe(const frame& in,
                                          protocol_version version) noexcept;
result<unsubscribe_packet>
decode_unsubscribe(const frame& in, protocol_version version) noexcept;
/// PINGREQ and PINGRESP: nothing but flags and an empty body to check.
result<void> decode_ping(const frame& in, protocol_version version) noexcept;
/// @param from_client  codes and properties that only the other side may send
///                     are protocol_error.
result<disconnect_packet> decode_disconnect(const frame& in,
                                            protocol_version version,
                                            bool from_client) noexcept;
result<auth_packet> decode_auth(const frame& in) noexcept;

/// Calls `f(subscription_request)` for each filter, in order.
template <class F>
void for_each_subscription(const subscribe_packet& in, F&& f);
/// Calls `f(std::string_view filter)` for each filter, in order.
template <class F>
void for_each_filter(const unsubscribe_packet& in, F&& f);
/// Calls `f(std::string_view name, std::string_view value)`, in order.
template <class F>
void for_each_user_property(user_properties_view in, F&& f);
/// Appends one User Property (0x26, name, value) to `out`, for encoders.
void append_user_property(byte_buffer& out, std::string_view name,
                          std::string_view value);

// ---- what a server writes --------------------------------------------------
// Encoders append one packet to `out`. `limit` is the receiver's Maximum
// Packet Size; Reason String, then User Properties are left out where they
// would make the packet exceed it ([MQTT-3.2.2-19] and its kin).
// The answer is false, and `out` unchanged, if the packet is too large even
// so: it must not be sent [MQTT-3.1.2-24]. Reason codes are those that the
// standard lists for the packet.

inline constexpr std::size_t no_packet_limit = 268'435'460;

/// For MQTT 3 also false if no return code fits the reason: the Server closes
/// without CONNACK then (MQTT 3.1.1: [MQTT-3.2.2-6]).
bool encode_connack(byte_buffer& out, const connack_packet& packet,
                    protocol_version version,
                    std::size_t limit = no_packet_limit);
bool encode_ack(byte_buffer& out, const ack_packet& packet,
                protocol_version version, std::size_t limit = no_packet_limit);
/// Failures are 0x80 in MQTT 3.1.1; MQTT 3.1 knows none and gets QoS 0.
bool encode_suback(byte_buffer& out, const suback_packet& packet,
                   protocol_version version,
                   std::size_t limit = no_packet_limit);
bool encode_unsuback(byte_buffer& out, const unsuback_packet& packet,
                     protocol_version version,
                     std::size_t limit = no_packet_limit);
void encode_pingresp(byte_buffer& out);
/// Only MQTT 5.0 has a DISCONNECT from the server; callers check the version.
bool encode_disconnect(byte_buffer& out, const disconnect_packet& packet,
                       protocol_version version,
                       std::size_t limit = no_packet_limit);
bool encode_auth(byte_buffer& out, const auth_packet& packet,
                 std::size_t limit = no_packet_limit);

/// How one message goes to one receiver.
struct delivery {
  // `dup` stands between the two that `outbound` has side by side: copied as
  // one word just after they were written one by one, they would wait for all
  // earlier writes, a payload's among them, to reach the cache.
  protocol::qos qos = qos::at_most_once;
  bool dup = false;
  bool retain = false;
  std::uint16_t packet_identifier = 0; ///< only if qos > 0
  std::uint16_t topic_alias = 0;       ///< 0: none
  bool omit_topic = false;             ///< the receiver knows the alias
  std::uint16_t topic_prefix = 0;      ///< bytes of its front that stay here
  std::span<const std::uint32_t> subscription_identifiers{};
};

/// Bytes that `encode_message` will append. `remaining_expiry` as there.
std::size_t encoded_message_size(const message& in, const delivery& how,
                                 protocol_version version) noexcept;

/// Appends a PUBLISH of `in`: the hot path, two copies and no allocation
/// beyond the buffer's. The Message Expiry Interval is what is left at `now`.
/// The caller has checked the receiver's Maximum Packet Size with
/// `encoded_message_size`.
void encode_message(byte_buffer& out, const message& in, const delivery& how,
                    protocol_version version, time_point now);

/// The same without the payload, which is to follow.
void encode_message_head(byte_buffer& out, const message& in,
                         const delivery& how, protocol_version version,
                         time_point now);
/// Lets a message at QoS 0 leave its payload, if it is large, where it was
/// read: sets `made.source` if `as_read`, of which `in` was decoded, lies in
/// `block`. All else in `made` has been set.
void borrow(message_options& made, const publish_packet& in,
            const frame& as_read, protocol_version version, read_block& block);
/// The packet that `in` came in, if `encode_message` would append just that;
/// else nothing.
bytes_view packet_as_read(const message& in, const delivery& how,
                          protocol_version version) noexcept;

// ---- the other side, for tests, tools and bridges --------------------------
void encode_connect(byte_buffer& out, const connect_packet& packet);
void encode_publish(byte_buffer& out, const publish_packet& packet,
                    protocol_version version);
struct subscribe_options_list {
  std::uint16_t packet_identifier = 0;
  std::uint32_t subscription_identifier = 0;
  user_properties_view user_properties{};
  std::span<const subscription_request> filters{};
};
void encode_subscribe(byte_buffer& out, const subscribe_options_list& packet,
                      protocol_version version);
void encode_unsubscribe(byte_buffer& out, std::uint16_t packet_identifier,
                        std::span<const std::string_view> filters,
                        protocol_version version,
                        user_properties_view user_properties = {});
void encode_pingreq(byte_buffer& out);

result<connack_packet> decode_connack(const frame& in,
                                      protocol_version version) noexcept;
/// As `decode_publish`, and Subscription Identifiers are allowed: they are
/// written to `identifiers` (at most its size; `publish_packet` borrows it).
/// @error implementation_specific_error  Subscription Identifiers cut the
///        other properties into more runs than `publish_packet` has
result<publish_packet>
decode_publish_from_server(const frame& in, protocol_version version,
                           std::span<std::uint32_t> identifiers) noexcept;
/// `reasons` receives the codes and is borrowed by the answer.
/// @error packet_too_large  more codes than `reasons` has room for
result<suback_packet> decode_suback(const frame& in, protocol_version version,
                                    std::span<reason_code> reasons) noexcept;
result<unsuback_packet>
decode_unsuback(const frame& in, protocol_version version,
                std::span<reason_code> reasons) noexcept;

// ---- templates -------------------------------------------------------------

namespace detail {
inline std::uint16_t read_u16(const std::uint8_t* at) noexcept {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}
inline std::string_view read_string(bytes_view& in) noexcept {
  const auto size = read_u16(in.data());
  const std::string_view text{reinterpret_cast<const char*>(in.data()) + 2,
                              size};
  in = in.subspan(2U + size);
  return text;
}
/// Bytes of the valid property at the front of `in`, which is not empty.
std::size_t property_size(bytes_view in) noexcept;
} // namespace detail

template <class F>
void for_each_subscription(const subscribe_packet& in, F&& f) {
  auto rest = in.filters;
  while (!rest.empty()) {
    subscription_request one;
    one.filter = detail::read_string(rest);
    const auto byte = rest[0];
    rest = rest.subspan(1);
    one.options.maximum_qos = static_cast<qos>(byte & 0x03);
    one.options.no_local = (byte & 0x04) != 0;
    one.options.retain_as_published = (byte & 0x08) != 0;
    one.options.handling = static_cast<retain_handling>(byte >> 4 & 0x03);
    f(one);
  }
}

template <class F>
void for_each_filter(const unsubscribe_packet& in, F&& f) {
  auto rest = in.filters;
  while (!rest.empty())
    f(detail::read_string(rest));
}

template <class F>
void for_each_user_property(user_properties_view in, F&& f) {
  while (!in.empty()) {
    const auto size = detail::property_size(in);
    if (in[0] == 0x26) {
      auto strings = in.subspan(1);
      const auto name = detail::read_string(strings);
      const auto value = detail::read_string(strings);
      f(name, value);
    }
    in = in.subspan(size);
  }
}

} // namespace troupe::protocol
