#pragma once
// A PUBLISH encoded once; sending it again copies and patches a few bytes.

#include "bench/load/wire.hpp"

namespace troupe::bench {

/// Numbers at the front of each payload; the rest is filling.
struct payload_header {
  std::uint32_t stream;   ///< which publisher and topic
  std::uint32_t sequence; ///< counts the messages of a stream from 0
  std::int64_t stamp;     ///< when it was sent or, paced, was to be sent
};
static_assert(sizeof(payload_header) == 16);
inline constexpr std::size_t payload_min = sizeof(payload_header);

/// One stream's PUBLISH.
class publish_template {
public:
  publish_template() = default;

  /// @param payload  size in bytes, at least `payload_min`.
  publish_template(protocol_version version, std::string_view topic,
                   std::uint8_t qos, std::size_t payload);

  /// Appends the packet with these numbers.
  /// @param packet_id  ignored at QoS 0.
  void append(out_buffer& out, const payload_header& header,
              std::uint16_t packet_id) const {
    auto* at = out.extend(bytes_.size());
    std::memcpy(at, bytes_.data(), bytes_.size());
    std::memcpy(at + payload_at_, &header, sizeof header);
    if (packet_id_at_ != 0)
      store_u16(at + packet_id_at_, packet_id);
  }

private:
  std::vector<std::uint8_t> bytes_;
  std::size_t packet_id_at_ = 0; ///< 0 at QoS 0
  std::size_t payload_at_ = 0;
};

/// What a PUBLISH says besides topic and payload.
struct publish_flags {
  std::uint8_t qos = 0;
  bool retain = false;
  std::uint16_t packet_id = 0; ///< ignored at QoS 0
};

/// Appends a PUBLISH to a topic that is made on the spot.
/// @param topic_max    bytes that `write_topic` may want.
/// @param write_topic  called with a `char*`, returns the length.
template <class WriteTopic>
void append_publish(out_buffer& out, protocol_version version,
                    std::size_t topic_max, WriteTopic&& write_topic,
                    const payload_header& header, bytes_view filling,
                    publish_flags flags = {}) {
  // Remaining Length comes first and depends on the topic: write that behind
  // the room for the longest header, then move it up.
  constexpr std::size_t header_max = 1 + 4 + 2;
  const std::size_t room =
    header_max + topic_max + 2 + 1 + payload_min + filling.size();
  auto* const begin = out.extend(room);
  auto* const text = begin + header_max;
  const std::size_t topic = write_topic(reinterpret_cast<char*>(text));
  const std::size_t properties = version == protocol_version::mqtt_5_0 ? 1 : 0;
  const std::size_t id = flags.qos > 0 ? 2 : 0;
  auto left = 2 + topic + id + properties + payload_min + filling.size();
  auto* at = begin;
  *at++ = static_cast<std::uint8_t>(first_byte::publish | flags.qos << 1
                                    | (flags.retain ? 1 : 0));
  for (; left >= 0x80; left >>= 7)
    *at++ = static_cast<std::uint8_t>(left | 0x80);
  *at++ = static_cast<std::uint8_t>(left);
  store_u16(at, static_cast<std::uint16_t>(topic));
  std::memmove(at + 2, text, topic);
  at += 2 + topic;
  if (id != 0)
    store_u16(at, flags.packet_id);
  at += id;
  if (properties != 0)
    *at++ = 0;
  std::memcpy(at, &header, sizeof header);
  at += sizeof header;
  if (!filling.empty())
    std::memcpy(at, filling.data(), filling.size());
  at += filling.size();
  out.shrink(room - static_cast<std::size_t>(at - begin));
}

} // namespace troupe::bench
