#pragma once
// Which reason code may stand in which Control Packet (MQTT 5.0, table 2-6).

#include "protocol/types.hpp"

namespace troupe::protocol::detail {

/// Packets that have a table of reason codes of their own; bits of a set.
enum class code_use : std::uint8_t {
  connack = 1,
  publish_received = 2, ///< PUBACK and PUBREC
  publish_released = 4, ///< PUBREL and PUBCOMP
  suback = 8,
  unsuback = 16,
  client_disconnect = 32,
  server_disconnect = 64,
  auth = 128,
};

/// Whether the standard lists `code` for that packet.
bool is_listed(reason_code code, code_use use) noexcept;

/// Whether an acknowledgement of that type may carry `code`.
inline bool is_listed_for_ack(packet_type type, reason_code code) noexcept {
  const auto received =
    type == packet_type::puback || type == packet_type::pubrec;
  return is_listed(code, received ? code_use::publish_received
                                  : code_use::publish_released);
}

} // namespace troupe::protocol::detail
