#include "protocol/reason_codes.hpp"

#include <array>

namespace troupe::protocol {

namespace {

struct code_row {
  std::string_view name = "Unknown";
  std::uint8_t uses = 0; ///< set of `code_use`
};

struct listed_code {
  std::uint8_t code;
  code_row row;
};

constexpr std::uint8_t bit(detail::code_use use) noexcept {
  return static_cast<std::uint8_t>(use);
}

constexpr auto ca = bit(detail::code_use::connack);
constexpr auto pa = bit(detail::code_use::publish_received);
constexpr auto pr = bit(detail::code_use::publish_released);
constexpr auto sa = bit(detail::code_use::suback);
constexpr auto ua = bit(detail::code_use::unsuback);
constexpr auto dc = bit(detail::code_use::client_disconnect);
constexpr auto ds = bit(detail::code_use::server_disconnect);
constexpr auto au = bit(detail::code_use::auth);
constexpr std::uint8_t d = dc | ds;

constexpr listed_code listed_codes[] = {
  {0x00, {"Success", ca | pa | pr | sa | ua | d | au}},
  {0x01, {"Granted QoS 1", sa}},
  {0x02, {"Granted QoS 2", sa}},
  {0x04, {"Disconnect with Will Message", dc}},
  {0x10, {"No matching subscribers", pa}},
  {0x11, {"No subscription existed", ua}},
  {0x18, {"Continue authentication", au}},
  {0x19, {"Re-authenticate", au}},
  {0x80, {"Unspecified error", ca | pa | sa | ua | d}},
  {0x81, {"Malformed Packet", ca | d}},
  {0x82, {"Protocol Error", ca | d}},
  {0x83, {"Implementation specific error", ca | pa | sa | ua | d}},
  {0x84, {"Unsupported Protocol Version", ca}},
  {0x85, {"Client Identifier not valid", ca}},
  {0x86, {"Bad User Name or Password", ca}},
  {0x87, {"Not authorized", ca | pa | sa | ua | ds}},
  {0x88, {"Server unavailable", ca}},
  {0x89, {"Server busy", ca | ds}},
  {0x8A, {"Banned", ca}},
  {0x8B, {"Server shutting down", ds}},
  {0x8C, {"Bad authentication method", ca | ds}},
  {0x8D, {"Keep Alive timeout", ds}},
  {0x8E, {"Session taken over", ds}},
  {0x8F, {"Topic Filter invalid", sa | ua | ds}},
  {0x90, {"Topic Name invalid", ca | pa | d}},
  {0x91, {"Packet Identifier in use", pa | sa | ua}},
  {0x92, {"Packet Identifier not found", pr}},
  {0x93, {"Receive Maximum exceeded", d}},
  {0x94, {"Topic Alias invalid", d}},
  {0x95, {"Packet too large", ca | d}},
  {0x96, {"Message rate too high", d}},
  {0x97, {"Quota exceeded", ca | pa | sa | d}},
  {0x98, {"Administrative action", d}},
  {0x99, {"Payload format invalid", ca | pa | d}},
  {0x9A, {"Retain not supported", ca | ds}},
  {0x9B, {"QoS not supported", ca | ds}},
  {0x9C, {"Use another server", ca | ds}},
  {0x9D, {"Server moved", ca | ds}},
  {0x9E, {"Shared Subscriptions not supported", sa | ds}},
  {0x9F, {"Connection rate exceeded", ca | ds}},
  {0xA0, {"Maximum connect time", ds}},
  {0xA1, {"Subscription Identifiers not supported", sa | ds}},
  {0xA2, {"Wildcard Subscriptions not supported", sa | ds}},
};

constexpr auto rows = [] {
  std::array<code_row, 256> by_code{};
  for (const auto& one : listed_codes)
    by_code[one.code] = one.row;
  return by_code;
}();

constexpr std::array<std::string_view, 16> packet_names{
  "Unknown", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
  "PUBREL",  "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
  "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
};

} // namespace

std::string_view to_string(reason_code code) noexcept {
  return rows[static_cast<std::uint8_t>(code)].name;
}

std::string_view to_string(packet_type type) noexcept {
  const auto value = static_cast<std::uint8_t>(type);
  return packet_names[value < packet_names.size() ? value : 0];
}

bool detail::is_listed(reason_code code, code_use use) noexcept {
  return (rows[static_cast<std::uint8_t>(code)].uses & bit(use)) != 0;
}

} // namespace troupe::protocol
