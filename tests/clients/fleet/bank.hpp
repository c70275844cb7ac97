#pragma once
// The devices of a bank: kinds, topics, and what happens to them.

#include "tests/clients/fleet/link.hpp"

#include <charconv>
#include <iterator>

namespace troupe::fleet {

struct kind {
  const char* name;
  protocol::protocol_version version;
  protocol::qos telemetry;
  protocol::qos command;
  bool durable; ///< most of these lose their connection once
};
inline constexpr kind kinds[] = {
  {"cash_box", protocol::protocol_version::mqtt_3_1_1,
   protocol::qos::at_least_once, protocol::qos::exactly_once, true},
  {"atm", protocol::protocol_version::mqtt_5_0, protocol::qos::at_least_once,
   protocol::qos::exactly_once, true},
  {"screen", protocol::protocol_version::mqtt_5_0, protocol::qos::at_most_once,
   protocol::qos::at_least_once, false},
  {"sensor", protocol::protocol_version::mqtt_3_1_1,
   protocol::qos::at_most_once, protocol::qos::at_least_once, false},
  {"light", protocol::protocol_version::mqtt_5_0, protocol::qos::at_least_once,
   protocol::qos::exactly_once, false},
};
inline constexpr std::size_t kind_count = std::size(kinds);
inline constexpr std::uint32_t devices_per_kind = 400;
inline constexpr std::uint32_t device_count =
  static_cast<std::uint32_t>(kind_count) * devices_per_kind;

inline const kind& kind_of(std::uint32_t device) {
  return kinds[device / devices_per_kind];
}

/// When a durable device loses its connection, and what is on the way then.
enum class accident {
  none,
  publishing, ///< telemetry that nobody has acknowledged
  deaf,       ///< commands that it has not read
  handshake,  ///< a command of QoS 2: PUBREC is sent, PUBREL has not come
};
inline accident accident_of(std::uint32_t device) {
  return kind_of(device).durable ? static_cast<accident>(device % 4)
                                 : accident::none;
}

inline std::string topic_of(std::uint32_t device, const char* what) {
  return std::string{"bank/"} + kind_of(device).name + '/'
         + std::to_string(device) + '/' + what;
}

/// The number that a text begins with.
inline std::uint32_t number_in(std::string_view text) {
  std::uint32_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec
      != std::errc{})
    throw broken("a payload has changed: " + std::string{text});
  return number;
}

inline std::uint32_t device_in(std::string_view topic) {
  const auto slash = topic.find('/', topic.find('/') + 1);
  const auto device = number_in(topic.substr(slash + 1));
  if (device >= device_count)
    throw broken("an unknown topic: " + std::string{topic});
  return device;
}

} // namespace troupe::fleet
