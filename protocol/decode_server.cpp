// What only a server sends: CONNACK, SUBACK, UNSUBACK. For tests and bridges.

#include "protocol/properties.hpp"
#include "protocol/reason_codes.hpp"
#include "protocol/return_codes.hpp"

#include <cassert>

namespace troupe::protocol {

namespace {

using namespace detail;

constexpr property_set connack_properties{
  property_id::session_expiry_interval,
  property_id::receive_maximum,
  property_id::maximum_qos,
  property_id::retain_available,
  property_id::maximum_packet_size,
  property_id::assigned_client_identifier,
  property_id::topic_alias_maximum,
  property_id::reason_string,
  property_id::user_property,
  property_id::wildcard_subscription_available,
  property_id::subscription_identifier_available,
  property_id::shared_subscription_available,
  property_id::server_keep_alive,
  property_id::response_information,
  property_id::server_reference,
  property_id::authentication_method,
  property_id::authentication_data,
};

reason_code take_connack_property(const property& one,
                                  connack_packet& out) noexcept {
  const auto small = static_cast<std::uint16_t>(one.number);
  const auto truth = one.number != 0;
  switch (one.id) {
  case property_id::session_expiry_interval:
    out.session_expiry_interval = one.number;
    break;
  case property_id::receive_maximum:
    out.receive_maximum = small;
    break;
  case property_id::maximum_qos:
    out.maximum_qos = static_cast<std::uint8_t>(one.number);
    break;
  case property_id::retain_available:
    out.retain_available = truth;
    break;
  case property_id::maximum_packet_size:
    out.maximum_packet_size = one.number;
    break;
  case property_id::assigned_client_identifier:
    out.assigned_client_identifier = one.text;
    break;
  case property_id::topic_alias_maximum:
    out.topic_alias_maximum = small;
    break;
  case property_id::reason_string:
    out.reason_string = one.text;
    break;
  case property_id::user_property:
    extend(out.user_properties, one.wire);
    break;
  case property_id::wildcard_subscription_available:
    out.wildcard_subscription_available = truth;
    break;
  case property_id::subscription_identifier_available:
    out.subscription_identifiers_available = truth;
    break;
  case property_id::shared_subscription_available:
    out.shared_subscription_available = truth;
    break;
  case property_id::server_keep_alive:
    out.server_keep_alive = small;
    break;
  case property_id::response_information:
    out.response_information = one.text;
    break;
  case property_id::server_reference:
    out.server_reference = one.text;
    break;
  case property_id::authentication_method:
    out.authentication_method = one.text;
    break;
  case property_id::authentication_data:
    out.authentication_data = one.binary;
    break;
  default:
    break;
  }
  return reason_code::success;
}

reason_code parse_connack_v5(wire_reader& body, connack_packet& out) noexcept {
  out.reason = static_cast<reason_code>(body.u8());
  const auto properties = body.properties();
  if (!body.complete())
    return reason_code::malformed_packet;
  if (!is_listed(out.reason, code_use::connack)) // [MQTT-3.2.2-8]
    return reason_code::protocol_error;
  const auto bad = for_each_property(
    properties, connack_properties,
    [&out](const property& one) { return take_connack_property(one, out); });
  if (is_bad(bad))
    return bad;
  return out.authentication_data && !out.authentication_method
           ? reason_code::protocol_error
           : reason_code::success;
}

reason_code parse_connack(const frame& in, protocol_version version,
                          connack_packet& out) noexcept {
  if (const auto bad = check_flags(in, version); is_bad(bad))
    return bad;
  wire_reader body{in.body};
  const auto flags = body.u8();
  if (version != protocol_version::mqtt_3_1) { // the byte is reserved there
    if ((flags & 0xFE) != 0)                   // [MQTT-3.2.2-1]
      return reason_code::malformed_packet;
    out.session_present = flags != 0;
  }
  if (version == protocol_version::mqtt_5_0) {
    if (const auto bad = parse_connack_v5(body, out); is_bad(bad))
      return bad;
  } else {
    const auto reason = from_return_code(body.u8());
    if (!body.complete())
      return reason_code::malformed_packet;
    if (!reason)
      return reason_code::protocol_error;
    out.reason = *reason;
  }
  return out.session_present && out.reason != reason_code::success
           ? reason_code::protocol_error // [MQTT-3.2.2-6]
           : reason_code::success;
}

constexpr property_set suback_properties{property_id::reason_string,
                                         property_id::user_property};

/// Packet identifier and properties of SUBACK and UNSUBACK.
reason_code parse_suback_header(wire_reader& body, protocol_version version,
                                suback_packet& out) noexcept {
  out.packet_identifier = body.u16();
  const auto properties =
    version == protocol_version::mqtt_5_0 ? body.properties() : bytes_view{};
  if (body.failed())
    return reason_code::malformed_packet;
  if (out.packet_identifier == 0)
    return reason_code::protocol_error;
  return for_each_property(properties, suback_properties,
                           [&out](const property& one) {
                             if (one.id == property_id::reason_string)
                               out.reason_string = one.text;
                             else
                               extend(out.user_properties, one.wire);
                             return reason_code::success;
                           });
}

bool is_return_code_3(reason_code code) noexcept {
  return code <= reason_code::granted_qos_2
         || code == reason_code::unspecified_error;
}

reason_code parse_reasons(bytes_view codes, protocol_version version,
                          code_use use, std::span<reason_code> reasons,
                          suback_packet& out) noexcept {
  if (codes.empty())
    return reason_code::protocol_error;
  if (codes.size() > reasons.size())
    return reason_code::packet_too_large;
  for (std::size_t i = 0; i != codes.size(); ++i) {
    const auto code = static_cast<reason_code>(codes[i]);
    if (version == protocol_version::mqtt_5_0 ? !is_listed(code, use)
                                              : !is_return_code_3(code))
      return reason_code::protocol_error; // [MQTT-3.9.3-2], [MQTT-3.11.3-2]
    reasons[i] = code;
  }
  out.reasons = reasons.first(codes.size());
  return reason_code::success;
}

reason_code parse_suback(const frame& in, protocol_version version,
                         std::span<reason_code> reasons,
                         suback_packet& out) noexcept {
  if (const auto bad = check_flags(in, version); is_bad(bad))
    return bad;
  wire_reader body{in.body};
  if (const auto bad = parse_suback_header(body, version, out); is_bad(bad))
    return bad;
  const auto use =
    in.type() == packet_type::suback ? code_use::suback : code_use::unsuback;
  if (use == code_use::unsuback && version != protocol_version::mqtt_5_0)
    return body.at_end() ? reason_code::success : reason_code::malformed_packet;
  return parse_reasons(body.rest(), version, use, reasons, out);
}

} // namespace

result<connack_packet> decode_connack(const frame& in,
                                      protocol_version version) noexcept {
  assert(in.type() == packet_type::connack);
  return decoded<connack_packet>(
    [&](connack_packet& out) { return parse_connack(in, version, out); });
}

result<suback_packet> decode_suback(const frame& in, protocol_version version,
                                    std::span<reason_code> reasons) noexcept {
  assert(in.type() == packet_type::suback);
  return decoded<suback_packet>([&](suback_packet& out) {
    return parse_suback(in, version, reasons, out);
  });
}

result<unsuback_packet>
decode_unsuback(const frame& in, protocol_version version,
                std::span<reason_code> reasons) noexcept {
  assert(in.type() == packet_type::unsuback);
  return decoded<unsuback_packet>([&](unsuback_packet& out) {
    return parse_suback(in, version, reasons, out);
  });
}

} // namespace troupe::protocol
