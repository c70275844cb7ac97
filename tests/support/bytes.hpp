#pragma once
// Packets of a client as bytes, for tests that talk to a real server. Written
// apart from the production encoders on purpose, so that one cannot hide a
// mistake of the other.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::test {

/// Bytes on the wire. A string, for its literals and its `+`.
using bytes = std::string;

enum class version : std::uint8_t { mqtt31 = 3, mqtt311 = 4, mqtt5 = 5 };

enum packet_type : std::uint8_t {
  CONNECT = 1,
  CONNACK = 2,
  PUBLISH = 3,
  PUBACK = 4,
  PUBREC = 5,
  PUBREL = 6,
  PUBCOMP = 7,
  SUBSCRIBE = 8,
  SUBACK = 9,
  UNSUBSCRIBE = 10,
  UNSUBACK = 11,
  PINGREQ = 12,
  PINGRESP = 13,
  DISCONNECT = 14,
  AUTH = 15,
};

/// "0A 0B 41": for messages of failed checks.
std::string hex(std::string_view in);

// ---- data representation (MQTT 5.0 section 1.5) -----------------------------
bytes raw(std::initializer_list<int> in);
bytes u8(unsigned x);
bytes u16(unsigned x);
bytes u32(std::uint32_t x);
bytes variable(std::uint32_t x);
/// Length-prefixed text or binary data.
bytes text(std::string_view in);
/// A Control Packet: its first byte, the Remaining Length, its body.
bytes framed(unsigned first_byte, std::string_view body);
/// `packet` with the flags in its first byte replaced.
bytes with_flags(bytes packet, unsigned flags);

// ---- properties (MQTT 5.0 section 2.2.2) ------------------------------------
enum class property_id : std::uint8_t {
  payload_format_indicator = 0x01,
  message_expiry_interval = 0x02,
  content_type = 0x03,
  response_topic = 0x08,
  correlation_data = 0x09,
  subscription_identifier = 0x0B,
  session_expiry_interval = 0x11,
  assigned_client_identifier = 0x12,
  server_keep_alive = 0x13,
  authentication_method = 0x15,
  authentication_data = 0x16,
  request_problem_information = 0x17,
  will_delay_interval = 0x18,
  request_response_information = 0x19,
  response_information = 0x1A,
  server_reference = 0x1C,
  reason_string = 0x1F,
  receive_maximum = 0x21,
  topic_alias_maximum = 0x22,
  topic_alias = 0x23,
  maximum_qos = 0x24,
  retain_available = 0x25,
  user_property = 0x26,
  maximum_packet_size = 0x27,
  wildcard_subscription_available = 0x28,
  subscription_identifier_available = 0x29,
  shared_subscription_available = 0x2A,
};

namespace prop {
bytes payload_format(unsigned x);
bytes message_expiry(std::uint32_t seconds);
bytes content_type(std::string_view x);
bytes response_topic(std::string_view x);
bytes correlation_data(std::string_view x);
bytes subscription_identifier(std::uint32_t x);
bytes session_expiry(std::uint32_t seconds);
bytes authentication_method(std::string_view x);
bytes authentication_data(std::string_view x);
bytes request_problem_information(unsigned x);
bytes will_delay(std::uint32_t seconds);
bytes request_response_information(unsigned x);
bytes reason_string(std::string_view x);
bytes receive_maximum(unsigned x);
bytes topic_alias_maximum(unsigned x);
bytes topic_alias(unsigned x);
bytes user(std::string_view name, std::string_view value);
bytes maximum_packet_size(std::uint32_t x);
} // namespace prop

// ---- Control Packets
// ---------------------------------------------------------
struct will_options {
  std::string topic;
  bytes payload = "gone";
  unsigned qos = 0;
  bool retain = false;
  bytes properties{}; ///< MQTT 5.0 only
};

struct connect_options {
  std::string client_id{};
  bool clean = true; ///< Clean Start, Clean Session
  unsigned keep_alive = 0;
  bytes properties{}; ///< MQTT 5.0 only
  std::optional<will_options> will{};
  std::optional<std::string> user_name{};
  std::optional<bytes> password{};
  // Instead of what follows from the fields above:
  std::optional<std::string> protocol_name{};
  std::optional<unsigned> level{};
  std::optional<unsigned> flags{};
};
bytes connect(version v, const connect_options& o);

struct publish_options {
  std::string topic{};
  bytes payload{};
  unsigned qos = 0;
  unsigned id = 0; ///< only sent if qos > 0
  bool retain = false;
  bool dup = false;
  bytes properties{}; ///< MQTT 5.0 only
};
bytes publish(version v, const publish_options& o);

/// PUBACK, PUBREC, PUBREL or PUBCOMP: the form of all versions, without code.
bytes ack(packet_type type, unsigned id);
/// The same with Reason Code and properties, MQTT 5.0.
bytes ack(packet_type type, unsigned id, unsigned reason,
          std::string_view properties = {});

struct filter {
  std::string text;
  unsigned options = 0; ///< the Subscription Options byte
};
inline constexpr unsigned no_local = 0x04;
inline constexpr unsigned retain_as_published = 0x08;
inline constexpr unsigned retain_handling_1 = 0x10;
inline constexpr unsigned retain_handling_2 = 0x20;

bytes subscribe(version v, unsigned id, const std::vector<filter>& filters,
                std::string_view properties = {});
bytes unsubscribe(version v, unsigned id,
                  const std::vector<std::string>& filters,
                  std::string_view properties = {});
bytes pingreq();
bytes disconnect();
/// MQTT 5.0.
bytes disconnect(unsigned reason, std::string_view properties = {});
/// MQTT 5.0.
bytes auth(unsigned reason, std::string_view properties);

/// A name that nobody else in this run uses, at most 23 of 0-9 a-z A-Z.
std::string unique(std::string_view stem);

} // namespace troupe::test
