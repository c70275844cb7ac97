// PUBLISH to a receiver: the hot path.

#include "protocol/read_block.hpp"
#include "protocol/wire_writer.hpp"

#include <cstring>

namespace troupe::protocol {

namespace {

using namespace detail;

std::size_t properties_size(const message& in, const delivery& how) noexcept {
  auto size = in.properties().size();
  if (in.has_expiry())
    size += 5;
  if (how.topic_alias != 0)
    size += 3;
  for (const auto identifier : how.subscription_identifiers)
    size += 1 + variable_byte_integer_size(identifier);
  return size;
}

/// Sizes of one PUBLISH, worked out once.
struct publish_layout {
  std::size_t topic = 0;
  std::size_t properties = 0;
  std::size_t remaining = 0;
  std::size_t whole = 0;

  publish_layout(const message& in, const delivery& how,
                 protocol_version version) noexcept {
    topic = how.omit_topic ? 0 : in.topic().size() - how.topic_prefix;
    remaining = 2 + topic + (how.qos != qos::at_most_once ? 2U : 0U)
                + in.payload().size();
    if (version == protocol_version::mqtt_5_0) {
      properties = properties_size(in, how);
      remaining +=
        properties
        + variable_byte_integer_size(static_cast<std::uint32_t>(properties));
    }
    whole = 1 + remaining
            + variable_byte_integer_size(static_cast<std::uint32_t>(remaining));
  }
};

void put_message_properties(wire_writer& to, const message& in,
                            const delivery& how, time_point now) {
  if (in.has_expiry())
    put(to, property_id::message_expiry_interval,
        std::optional{in.remaining_expiry(now)});
  if (how.topic_alias != 0)
    put(to, property_id::topic_alias, std::optional{how.topic_alias});
  for (const auto identifier : how.subscription_identifiers)
    put_subscription_identifier(to, identifier);
  to.bytes(in.properties());
}

} // namespace

std::size_t encoded_message_size(const message& in, const delivery& how,
                                 protocol_version version) noexcept {
  return publish_layout{in, how, version}.whole;
}

namespace {

/// @param body  bytes of the payload to encode: all or none.
void encode(byte_buffer& out, const message& in, const delivery& how,
            protocol_version version, time_point now, bytes_view body) {
  const publish_layout layout{in, how, version};
  const auto size = layout.whole - in.payload().size() + body.size();
  auto* const begin = out.extend(size);
  wire_writer to{begin};
  to.u8(static_cast<std::uint8_t>(0x30 | (how.dup ? 0x08 : 0x00)
                                  | static_cast<unsigned>(how.qos) << 1
                                  | (how.retain ? 0x01 : 0x00)));
  to.variable_byte_integer(static_cast<std::uint32_t>(layout.remaining));
  to.text(in.topic().substr(how.topic_prefix, layout.topic));
  if (how.qos != qos::at_most_once)
    to.u16(how.packet_identifier);
  if (version == protocol_version::mqtt_5_0) {
    to.variable_byte_integer(static_cast<std::uint32_t>(layout.properties));
    if (layout.properties != 0)
      put_message_properties(to, in, how, now);
  }
  to.bytes(body);
  assert(to.position() == begin + size);
}

} // namespace

void encode_message(byte_buffer& out, const message& in, const delivery& how,
                    protocol_version version, time_point now) {
  encode(out, in, how, version, now, in.payload());
}

void encode_message_head(byte_buffer& out, const message& in,
                         const delivery& how, protocol_version version,
                         time_point now) {
  encode(out, in, how, version, now, {});
}

void borrow(message_options& made, const publish_packet& in,
            const frame& as_read, protocol_version version, read_block& block) {
  constexpr std::size_t large = 512;
  const auto packet = as_read.whole();
  if (made.qos != qos::at_most_once || made.payload.size() < large
      || !block.contains(packet))
    return;
  made.source = {&block, {}, version};
  // Flags, an alias, an interval or a topic with a prefix do not go on as they
  // are.
  constexpr std::uint8_t plain_publish = 0x30;
  if (as_read.first_byte == plain_publish && in.topic_alias == 0
      && made.topic.data() == in.topic.data()
      && made.topic.size() == in.topic.size() && !made.message_expiry_interval)
    made.source.packet = packet;
}

bytes_view packet_as_read(const message& in, const delivery& how,
                          protocol_version version) noexcept {
  const auto* from = in.source();
  const auto is_5 = [](protocol_version x) {
    return x == protocol_version::mqtt_5_0;
  };
  if (from == nullptr || is_5(from->version) != is_5(version)
      || how.qos != qos::at_most_once || how.retain || how.dup
      || how.topic_alias != 0 || how.topic_prefix != 0
      || !how.subscription_identifiers.empty())
    return {};
  return from->packet;
}

} // namespace troupe::protocol
