#pragma once
// The few control packets that the generator speaks. It has a codec of its own
// so that it neither depends on the broker's nor shares its mistakes.

#include "bench/load/out_buffer.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::bench {

enum class protocol_version : std::uint8_t { mqtt_3_1_1 = 4, mqtt_5_0 = 5 };

/// First byte of a control packet, flags included where they are fixed.
namespace first_byte {
inline constexpr std::uint8_t connect = 0x10;
inline constexpr std::uint8_t publish = 0x30;
inline constexpr std::uint8_t puback = 0x40;
inline constexpr std::uint8_t pubrec = 0x50;
inline constexpr std::uint8_t pubrel = 0x62;
inline constexpr std::uint8_t pubcomp = 0x70;
inline constexpr std::uint8_t subscribe = 0x82;
inline constexpr std::uint8_t pingreq = 0xC0;
inline constexpr std::uint8_t disconnect = 0xE0;
} // namespace first_byte

/// Control packet type, the upper half of the first byte.
enum class packet_type : std::uint8_t {
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  suback = 9,
  pingresp = 13,
  disconnect = 14,
};

inline std::uint16_t load_u16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>((at[0] << 8) | at[1]);
}

inline void store_u16(std::uint8_t* at, std::uint16_t x) {
  at[0] = static_cast<std::uint8_t>(x >> 8);
  at[1] = static_cast<std::uint8_t>(x);
}

/// A Variable Byte Integer and how many bytes it took; 0 if it is incomplete
/// or longer than the four bytes that MQTT allows.
struct variable_int {
  std::uint32_t value;
  unsigned size;
};

inline variable_int load_variable_int(const std::uint8_t* at,
                                      const std::uint8_t* end) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4 && at + i < end; ++i) {
    value |= static_cast<std::uint32_t>(at[i] & 0x7F) << (7 * i);
    if ((at[i] & 0x80) == 0)
      return {value, i + 1};
  }
  return {0, 0};
}

/// Four bytes: an acknowledgement without reason code, valid in every version.
inline void append_ack(out_buffer& out, std::uint8_t first, std::uint16_t id) {
  auto* at = out.extend(4);
  at[0] = first;
  at[1] = 2;
  store_u16(at + 2, id);
}

void append_variable_int(std::vector<std::uint8_t>& to, std::uint32_t x);
void append_string(std::vector<std::uint8_t>& to, std::string_view text);

/// What a CONNECT says; it has no will.
struct connect_request {
  protocol_version version;
  std::string_view client_id;
  std::uint16_t keep_alive = 0; ///< seconds, 0 turns it off
  std::string_view user;
  std::string_view password;
  /// Seconds that the session outlives the connection; MQTT 3.1.1 knows only
  /// whether it does. 0 begins with a clean session, too.
  std::uint32_t session_expiry = 0;
};

void append_connect(out_buffer& out, const connect_request& request);

/// SUBSCRIBE with all of `filters` at one QoS.
void append_subscribe(out_buffer& out, protocol_version version,
                      std::uint16_t packet_id,
                      const std::vector<std::string>& filters,
                      std::uint8_t qos);

void append_pingreq(out_buffer& out);
void append_disconnect(out_buffer& out);

/// What a CONNACK says.
struct connack {
  std::uint8_t reason = 0xFF;
  std::uint16_t receive_maximum = 65'535;
  bool session_present = false;
};

/// @param body  the packet after its fixed header.
/// @returns reason 0xFF if the packet is malformed.
connack decode_connack(bytes_view body, protocol_version version);

/// The reason codes of a SUBACK; empty if it is malformed.
bytes_view suback_reasons(bytes_view body, protocol_version version);

} // namespace troupe::bench
