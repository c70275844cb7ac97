#include "protocol/properties.hpp"
#include "protocol/utf8.hpp"

#include <cassert>

namespace troupe::protocol {

namespace {

using namespace detail;

/// Flags that no PUBLISH may have, a bit for each value of the four: QoS 3
/// [MQTT-3.3.1-4], DUP with QoS 0 [MQTT-3.3.1-2].
constexpr std::uint32_t qos_3_flags =
  1U << 0x6 | 1U << 0x7 | 1U << 0xE | 1U << 0xF;
constexpr std::uint32_t dup_qos_0_flags = 1U << 0x8 | 1U << 0x9;

constexpr property_set publish_properties{
  property_id::payload_format_indicator,
  property_id::message_expiry_interval,
  property_id::content_type,
  property_id::response_topic,
  property_id::correlation_data,
  property_id::topic_alias,
  property_id::user_property,
};

/// Where Subscription Identifiers go; nullptr: they are not allowed.
using identifiers_out = const std::span<std::uint32_t>*;

/// @error implementation_specific_error  more than three runs of properties:
///        only Subscription Identifiers strewn over them can do that.
reason_code parse_publish_properties(bytes_view in, identifiers_out identifiers,
                                     publish_packet& out) noexcept {
  wire_reader rest{in};
  property_runs runs{out.properties};
  property_set seen;
  std::size_t identifier_count = 0;
  while (!rest.at_end()) {
    property one;
    if (const auto bad = read_property(rest, one); is_bad(bad))
      return bad;
    if (one.id == property_id::subscription_identifier) {
      if (identifiers == nullptr) // [MQTT-3.3.4-6]
        return reason_code::protocol_error;
      if (identifier_count != identifiers->size())
        (*identifiers)[identifier_count++] = one.number;
      continue;
    }
    if (!publish_properties.contains(one.id)
        || (!seen.insert(one.id) && !is_repeatable(one.id)))
      return reason_code::protocol_error;
    if (one.id == property_id::topic_alias)
      out.topic_alias = static_cast<std::uint16_t>(one.number);
    else if (one.id == property_id::message_expiry_interval)
      out.message_expiry_interval = one.number;
    else if (!runs.add(one.wire))
      return reason_code::implementation_specific_error;
  }
  if (identifiers != nullptr)
    out.subscription_identifiers = identifiers->first(identifier_count);
  return reason_code::success;
}

/// What stands behind the packet identifier in MQTT 5.0.
reason_code parse_v5_rest(bytes_view in, identifiers_out identifiers,
                          publish_packet& out) noexcept {
  wire_reader rest{in};
  const auto properties = rest.properties();
  if (rest.failed())
    return reason_code::malformed_packet;
  out.payload = rest.rest();
  return parse_publish_properties(properties, identifiers, out);
}

reason_code parse_publish(const frame& in, protocol_version version,
                          identifiers_out identifiers,
                          publish_packet& out) noexcept {
  const auto flags = in.flags();
  const auto refused = version == protocol_version::mqtt_3_1
                         ? qos_3_flags // DUP means nothing with QoS 0 there
                         : qos_3_flags | dup_qos_0_flags;
  if ((refused >> flags & 1U) != 0) [[unlikely]]
    return reason_code::malformed_packet;
  const auto level = static_cast<std::uint8_t>(flags >> 1 & 0x03);
  out.qos = static_cast<qos>(level);
  out.retain = (flags & 0x01) != 0;
  out.dup = (flags & 0x08) != 0 && level != 0;

  const auto* at = in.body.data();
  const auto size = in.body.size();
  if (size < 2) [[unlikely]]
    return reason_code::malformed_packet;
  const std::size_t topic_size = read_u16(at);
  std::size_t used = 2 + topic_size + (level != 0 ? 2 : 0);
  if (size < used) [[unlikely]]
    return reason_code::malformed_packet;
  out.topic = {reinterpret_cast<const char*>(at) + 2, topic_size};
  if (level != 0) {
    out.packet_identifier = read_u16(at + 2 + topic_size);
    if (out.packet_identifier == 0) [[unlikely]]
      return reason_code::protocol_error;
  }
  const auto kind = scan_topic(out.topic);
  if (kind != text_kind::plain) [[unlikely]]
    return kind == text_kind::ill_formed ? reason_code::malformed_packet
                                         : reason_code::topic_name_invalid;
  if (version == protocol_version::mqtt_5_0) {
    if (size != used && at[used] == 0) [[likely]] {
      ++used; // no properties
    } else {
      const auto bad = parse_v5_rest(in.body.subspan(used), identifiers, out);
      if (is_bad(bad))
        return bad;
      used = size - out.payload.size();
    }
  }
  out.payload = {at + used, size - used};
  if (topic_size == 0 && out.topic_alias == 0) [[unlikely]]
    return reason_code::protocol_error;
  return reason_code::success;
}

} // namespace

result<publish_packet> decode_publish(const frame& in,
                                      protocol_version version) noexcept {
  assert(in.type() == packet_type::publish);
  return decoded<publish_packet>([&](publish_packet& out) {
    return parse_publish(in, version, nullptr, out);
  });
}

result<publish_packet>
decode_publish_from_server(const frame& in, protocol_version version,
                           std::span<std::uint32_t> identifiers) noexcept {
  assert(in.type() == packet_type::publish);
  return decoded<publish_packet>([&](publish_packet& out) {
    return parse_publish(in, version, &identifiers, out);
  });
}

} // namespace troupe::protocol
