#pragma once
// Control Packets as values. Everything textual is borrowed from the input of
// the decoder, or from the caller of an encoder.

#include "protocol/types.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace troupe::protocol {

/// One Control Packet with its body not looked at yet.
struct frame {
  std::uint8_t first_byte = 0; ///< type in bits 7-4, flags in bits 3-0
  bytes_view body{};           ///< borrowed from the input of `next_frame`
  std::size_t size = 0;        ///< bytes to drop from the input afterwards

  packet_type type() const noexcept {
    return static_cast<packet_type>(first_byte >> 4);
  }
  std::uint8_t flags() const noexcept { return first_byte & 0x0F; }
  /// The packet with its fixed header, where `next_frame` found it.
  bytes_view whole() const noexcept {
    return {body.data() + body.size() - size, size};
  }
};

/// User Properties (0x26, name, value) as they stand on the wire, from the
/// first to the last; other properties of the packet may lie between them.
/// Validated by the decoder; read them with `for_each_user_property`.
using user_properties_view = bytes_view;

struct will_message {
  std::string_view topic{};
  bytes_view payload{};
  protocol::qos qos = qos::at_most_once;
  bool retain = false;
  std::uint32_t delay_interval = 0; ///< seconds, 3.1.3.2.2
  std::optional<std::uint32_t> message_expiry_interval{};
  /// The properties that are forwarded, see `message_options::properties`.
  std::array<bytes_view, 3> properties{};
};

struct connect_packet {
  protocol_version version = protocol_version::mqtt_5_0;
  bool bridge = false; ///< level 0x83/0x84: a habit of Mosquitto's bridges
  bool clean_start = true;
  std::uint16_t keep_alive = 0; ///< seconds, 0: off
  std::string_view client_id{};
  std::optional<will_message> will{};
  std::optional<std::string_view> user_name{};
  std::optional<bytes_view> password{};

  std::optional<std::uint32_t> session_expiry_interval{}; ///< seconds
  std::uint16_t receive_maximum = 65'535;
  std::optional<std::uint32_t> maximum_packet_size{};
  std::uint16_t topic_alias_maximum = 0;
  bool request_response_information = false;
  bool request_problem_information = true;
  std::optional<std::string_view> authentication_method{};
  std::optional<bytes_view> authentication_data{};
  user_properties_view user_properties{};
};

struct connack_packet {
  bool session_present = false;
  /// For versions before 5.0 the encoder translates it to a return code
  /// (MQTT 3.1.1 section 3.2.2.3).
  reason_code reason = reason_code::success;
  std::optional<std::uint32_t> session_expiry_interval{};
  std::optional<std::uint16_t> receive_maximum{};
  std::optional<std::uint8_t> maximum_qos{};
  std::optional<bool> retain_available{};
  std::optional<std::uint32_t> maximum_packet_size{};
  std::optional<std::string_view> assigned_client_identifier{};
  std::optional<std::uint16_t> topic_alias_maximum{};
  std::optional<std::string_view> reason_string{};
  user_properties_view user_properties{};
  std::optional<bool> wildcard_subscription_available{};
  std::optional<bool> subscription_identifiers_available{};
  std::optional<bool> shared_subscription_available{};
  std::optional<std::uint16_t> server_keep_alive{};
  std::optional<std::string_view> response_information{};
  std::optional<std::string_view> server_reference{};
  std::optional<std::string_view> authentication_method{};
  std::optional<bytes_view> authentication_data{};
};

struct publish_packet {
  std::string_view topic{}; ///< may be empty with a Topic Alias
  bytes_view payload{};
  std::uint16_t packet_identifier = 0; ///< 0 with QoS 0
  protocol::qos qos = qos::at_most_once;
  bool retain = false;
  bool dup = false;
  std::uint16_t topic_alias = 0; ///< 0: none; never decoded as 0
  std::optional<std::uint32_t> message_expiry_interval{};
  std::array<bytes_view, 3> properties{}; ///< see `message_options`
  /// Only a server sends these; a decoder of client packets refuses them.
  std::span<const std::uint32_t> subscription_identifiers{};
};

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
struct ack_packet {
  packet_type type = packet_type::puback;
  std::uint16_t packet_identifier = 0;
  reason_code reason = reason_code::success;
  std::optional<std::string_view> reason_string{};
  user_properties_view user_properties{};
};

enum class retain_handling : std::uint8_t {
  send_on_subscribe = 0,
  send_on_new_subscription = 1,
  do_not_send = 2,
};

/// Subscription Options, 3.8.3.1, one byte on the wire.
struct subscription_options {
  qos maximum_qos = qos::at_most_once;
  bool no_local = false;
  bool retain_as_published = false;
  retain_handling handling = retain_handling::send_on_subscribe;

  friend bool operator==(const subscription_options&,
                         const subscription_options&) = default;
};

/// One filter of a SUBSCRIBE. The filter is valid UTF-8 without U+0000;
/// whether it is a valid filter is answered per filter in the SUBACK.
struct subscription_request {
  std::string_view filter{};
  subscription_options options{};
};

struct subscribe_packet {
  std::uint16_t packet_identifier = 0;
  std::uint32_t subscription_identifier = 0; ///< 0: none
  user_properties_view user_properties{};
  bytes_view filters{}; ///< validated; read with `for_each_subscription`
  std::size_t filter_count = 0;
};

struct suback_packet {
  std::uint16_t packet_identifier = 0;
  std::optional<std::string_view> reason_string{};
  user_properties_view user_properties{};
  std::span<const reason_code> reasons{};
};

struct unsubscribe_packet {
  std::uint16_t packet_identifier = 0;
  user_properties_view user_properties{};
  bytes_view filters{}; ///< validated; read with `for_each_filter`
  std::size_t filter_count = 0;
};

/// As SUBACK; versions before 5.0 have no reasons in it.
using unsuback_packet = suback_packet;

struct disconnect_packet {
  reason_code reason = reason_code::normal_disconnection;
  std::optional<std::uint32_t> session_expiry_interval{};
  std::optional<std::string_view> reason_string{};
  user_properties_view user_properties{};
  std::optional<std::string_view> server_reference{};
};

struct auth_packet {
  reason_code reason = reason_code::success;
  std::optional<std::string_view> method{};
  std::optional<bytes_view> data{};
  std::optional<std::string_view> reason_string{};
  user_properties_view user_properties{};
};

} // namespace troupe::protocol
