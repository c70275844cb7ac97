#pragma once
// The vocabulary of MQTT that every folder shares.

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/try.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace troupe::protocol {

namespace outcome = BOOST_OUTCOME_V2_NAMESPACE;

/// Borrowed bytes; whoever hands them out owns them.
using bytes_view = std::span<const std::uint8_t>;

/// A monotonic instant. Rules never read a clock: callers pass `now`.
using time_point = std::chrono::steady_clock::time_point;

enum class protocol_version : std::uint8_t {
  mqtt_3_1 = 3,
  mqtt_3_1_1 = 4,
  mqtt_5_0 = 5,
};

enum class qos : std::uint8_t {
  at_most_once = 0,
  at_least_once = 1,
  exactly_once = 2,
};

/// Control Packet type, MQTT 5.0 section 2.1.2 (bits 7-4 of the first byte).
enum class packet_type : std::uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  subscribe = 8,
  suback = 9,
  unsubscribe = 10,
  unsuback = 11,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
  auth = 15,
};

/// MQTT 5.0 section 2.4. Codes that share a value share an enumerator name
/// where the meaning is the same ("success", "normal_disconnection" and
/// "granted_qos_0" are all 0x00).
enum class reason_code : std::uint8_t {
  success = 0x00,
  normal_disconnection = 0x00,
  granted_qos_0 = 0x00,
  granted_qos_1 = 0x01,
  granted_qos_2 = 0x02,
  disconnect_with_will_message = 0x04,
  no_matching_subscribers = 0x10,
  no_subscription_existed = 0x11,
  continue_authentication = 0x18,
  re_authenticate = 0x19,
  unspecified_error = 0x80,
  malformed_packet = 0x81,
  protocol_error = 0x82,
  implementation_specific_error = 0x83,
  unsupported_protocol_version = 0x84,
  client_identifier_not_valid = 0x85,
  bad_user_name_or_password = 0x86,
  not_authorized = 0x87,
  server_unavailable = 0x88,
  server_busy = 0x89,
  banned = 0x8A,
  server_shutting_down = 0x8B,
  bad_authentication_method = 0x8C,
  keep_alive_timeout = 0x8D,
  session_taken_over = 0x8E,
  topic_filter_invalid = 0x8F,
  topic_name_invalid = 0x90,
  packet_identifier_in_use = 0x91,
  packet_identifier_not_found = 0x92,
  receive_maximum_exceeded = 0x93,
  topic_alias_invalid = 0x94,
  packet_too_large = 0x95,
  message_rate_too_high = 0x96,
  quota_exceeded = 0x97,
  administrative_action = 0x98,
  payload_format_invalid = 0x99,
  retain_not_supported = 0x9A,
  qos_not_supported = 0x9B,
  use_another_server = 0x9C,
  server_moved = 0x9D,
  shared_subscriptions_not_supported = 0x9E,
  connection_rate_exceeded = 0x9F,
  maximum_connect_time = 0xA0,
  subscription_identifiers_not_supported = 0xA1,
  wildcard_subscriptions_not_supported = 0xA2,
};

/// The standard's name of a code ("Malformed Packet"), for logs; for 0x00 it
/// is "Success". Unknown values give "Unknown".
std::string_view to_string(reason_code code) noexcept;
std::string_view to_string(packet_type type) noexcept;

/// A value, or the reason code to send back. The terminate policy: reading
/// the wrong side is a bug and ends the process.
template <class T>
using result =
  outcome::basic_result<T, reason_code, outcome::policy::terminate>;

} // namespace troupe::protocol
