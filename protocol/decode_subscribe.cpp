// SUBSCRIBE and UNSUBSCRIBE.

#include "protocol/properties.hpp"

#include <cassert>

namespace troupe::protocol {

namespace {

using namespace detail;

/// Subscription Options, 3.8.3.1; before MQTT 5.0 the requested QoS alone.
reason_code check_options(std::uint8_t options, std::string_view filter,
                          protocol_version version) noexcept {
  const auto is_v5 = version == protocol_version::mqtt_5_0;
  const std::uint8_t reserved = is_v5 ? 0xC0 : 0xFC;
  if ((options & reserved) != 0) // [MQTT-3.8.3-5], 3.1.1: [MQTT-3.8.3-4]
    return reason_code::malformed_packet;
  if ((options & 0x03) == 0x03)
    return is_v5 ? reason_code::protocol_error : reason_code::malformed_packet;
  const auto no_local = (options & 0x04) != 0;
  if ((options & 0x30) == 0x30                        // Retain Handling 3
      || (no_local && filter.starts_with("$share/"))) // [MQTT-3.8.3-4]
    return reason_code::protocol_error;
  return reason_code::success;
}

/// Checks the filters of a SUBSCRIBE, or of an UNSUBSCRIBE, whose filters
/// have no options, and counts them; there is at least one.
reason_code check_filters(wire_reader& in, bool with_options,
                          protocol_version version,
                          std::size_t& count) noexcept {
  if (in.failed())
    return reason_code::malformed_packet;
  if (in.at_end()) // [MQTT-3.8.3-2], [MQTT-3.10.3-2]
    return reason_code::protocol_error;
  for (; !in.at_end(); ++count) {
    const auto filter = in.text();
    const auto options = with_options ? in.u8() : std::uint8_t{0};
    if (in.failed())
      return reason_code::malformed_packet;
    if (const auto bad = check_options(options, filter, version); is_bad(bad))
      return bad;
  }
  return reason_code::success;
}

constexpr property_set subscribe_properties{
  property_id::subscription_identifier, property_id::user_property};

reason_code parse_subscribe(const frame& in, protocol_version version,
                            subscribe_packet& out) noexcept {
  if (const auto bad = check_flags(in, version); is_bad(bad))
    return bad;
  wire_reader body{in.body};
  out.packet_identifier = body.u16();
  if (version == protocol_version::mqtt_5_0) {
    const auto properties = body.properties();
    if (body.failed())
      return reason_code::malformed_packet;
    const auto bad = for_each_property(
      properties, subscribe_properties, [&out](const property& one) {
        if (one.id == property_id::subscription_identifier)
          out.subscription_identifier = one.number;
        else
          extend(out.user_properties, one.wire);
        return reason_code::success;
      });
    if (is_bad(bad))
      return bad;
  }
  out.filters = body.rest();
  const auto bad = check_filters(body, true, version, out.filter_count);
  if (is_bad(bad))
    return bad;
  return out.packet_identifier != 0 ? reason_code::success
                                    : reason_code::protocol_error;
}

reason_code parse_unsubscribe(const frame& in, protocol_version version,
                              unsubscribe_packet& out) noexcept {
  if (const auto bad = check_flags(in, version); is_bad(bad))
    return bad;
  wire_reader body{in.body};
  out.packet_identifier = body.u16();
  if (version == protocol_version::mqtt_5_0) {
    const auto properties = body.properties();
    if (body.failed())
      return reason_code::malformed_packet;
    const auto bad =
      for_each_property(properties, property_set{property_id::user_property},
                        [&out](const property& one) {
                          extend(out.user_properties, one.wire);
                          return reason_code::success;
                        });
    if (is_bad(bad))
      return bad;
  }
  out.filters = body.rest();
  const auto bad = check_filters(body, false, version, out.filter_count);
  if (is_bad(bad))
    return bad;
  return out.packet_identifier != 0 ? reason_code::success
                                    : reason_code::protocol_error;
}

} // namespace

result<subscribe_packet> decode_subscribe(const frame& in,
                                          protocol_version version) noexcept {
  assert(in.type() == packet_type::subscribe);
  return decoded<subscribe_packet>(
    [&](subscribe_packet& out) { return parse_subscribe(in, version, out); });
}

result<unsubscribe_packet>
decode_unsubscribe(const frame& in, protocol_version version) noexcept {
  assert(in.type() == packet_type::unsubscribe);
  return decoded<unsubscribe_packet>([&](unsubscribe_packet& out) {
    return parse_unsubscribe(in, version, out);
  });
}

} // namespace troupe::protocol
