// Acknowledgements, pings, DISCONNECT and AUTH.

#include "protocol/properties.hpp"
#include "protocol/reason_codes.hpp"

#include <cassert>

namespace troupe::protocol {

namespace {

using namespace detail;

constexpr property_set ack_properties{property_id::reason_string,
                                      property_id::user_property};

reason_code parse_ack(const frame& in, protocol_version version,
                      ack_packet& out) noexcept {
  if (const auto bad = check_flags(in, version); is_bad(bad))
    return bad;
  out.type = in.type();
  wire_reader body{in.body};
  out.packet_identifier = body.u16();
  // Without Reason Code: success. Without Property Length: no properties.
  if (version == protocol_version::mqtt_5_0 && !body.at_end()) {
    out.reason = static_cast<reason_code>(body.u8());
    const auto properties = body.at_end() ? bytes_view{} : body.properties();
    if (!body.complete())
      return reason_code::malformed_packet;
    if (!is_listed_for_ack(out.type, out.reason)) // [MQTT-3.4.2-1] and kin
      return reason_code::protocol_error;
    const auto bad = for_each_property(
      properties, ack_properties, [&out](const property& one) {
        if (one.id == property_id::reason_string)
          out.reason_string = one.text;
        else
          extend(out.user_properties, one.wire);
        return reason_code::success;
      });
    if (is_bad(bad))
      return bad;
  }
  if (!body.complete())
    return reason_code::malformed_packet;
  return out.packet_identifier != 0 ? reason_code::success
                                    : reason_code::protocol_error;
}

constexpr property_set client_disconnect_properties{
  property_id::session_expiry_interval, property_id::reason_string,
  property_id::user_property};
constexpr property_set server_disconnect_properties{
  property_id::server_reference, property_id::reason_string,
  property_id::user_property}; // no Session Expiry [MQTT-3.14.2-2]

reason_code parse_disconnect(const frame& in, protocol_version version,
                             bool from_client,
                             disconnect_packet& out) noexcept {
  if (const auto bad = check_flags(in, version); is_bad(bad))
    return bad;
  if (version != protocol_version::mqtt_5_0) {
    if (!from_client)
      return reason_code::protocol_error;
    return in.body.empty() ? reason_code::success
                           : reason_code::malformed_packet;
  }
  if (in.body.empty())
    return reason_code::success;
  wire_reader body{in.body};
  out.reason = static_cast<reason_code>(body.u8());
  const auto properties = body.at_end() ? bytes_view{} : body.properties();
  if (!body.complete())
    return reason_code::malformed_packet;
  if (!is_listed(out.reason, from_client ? code_use::client_disconnect
                                         : code_use::server_disconnect))
    return reason_code::protocol_error; // [MQTT-3.14.2-1]
  return for_each_property(properties,
                           from_client ? client_disconnect_properties
                                       : server_disconnect_properties,
                           [&out](const property& one) {
                             switch (one.id) {
                             case property_id::session_expiry_interval:
                               out.session_expiry_interval = one.number;
                               break;
                             case property_id::reason_string:
                               out.reason_string = one.text;
                               break;
                             case property_id::server_reference:
                               out.server_reference = one.text;
                               break;
                             default:
                               extend(out.user_properties, one.wire);
                               break;
                             }
                             return reason_code::success;
                           });
}

constexpr property_set auth_properties{
  property_id::authentication_method, property_id::authentication_data,
  property_id::reason_string, property_id::user_property};

reason_code parse_auth(const frame& in, auth_packet& out) noexcept {
  if (const auto bad = check_flags(in, protocol_version::mqtt_5_0); is_bad(bad))
    return bad;
  if (in.body.empty()) // success without properties
    return reason_code::success;
  wire_reader body{in.body};
  out.reason = static_cast<reason_code>(body.u8());
  const auto properties = body.properties();
  if (!body.complete())
    return reason_code::malformed_packet;
  if (!is_listed(out.reason, code_use::auth)) // [MQTT-3.15.2-1]
    return reason_code::protocol_error;
  const auto bad =
    for_each_property(properties, auth_properties, [&out](const property& one) {
      switch (one.id) {
      case property_id::authentication_method:
        out.method = one.text;
        break;
      case property_id::authentication_data:
        out.data = one.binary;
        break;
      case property_id::reason_string:
        out.reason_string = one.text;
        break;
      default:
        extend(out.user_properties, one.wire);
        break;
      }
      return reason_code::success;
    });
  if (is_bad(bad))
    return bad;
  return out.method ? reason_code::success
                    : reason_code::protocol_error; // 3.15.2.2.2
}

} // namespace

result<ack_packet> decode_ack(const frame& in,
                              protocol_version version) noexcept {
  assert(in.type() >= packet_type::puback && in.type() <= packet_type::pubcomp);
  return decoded<ack_packet>(
    [&](ack_packet& out) { return parse_ack(in, version, out); });
}

result<void> decode_ping(const frame& in, protocol_version version) noexcept {
  assert(in.type() == packet_type::pingreq
         || in.type() == packet_type::pingresp);
  if (is_bad(check_flags(in, version)) || !in.body.empty())
    return reason_code::malformed_packet;
  return outcome::success();
}

result<disconnect_packet> decode_disconnect(const frame& in,
                                            protocol_version version,
                                            bool from_client) noexcept {
  assert(in.type() == packet_type::disconnect);
  return decoded<disconnect_packet>([&](disconnect_packet& out) {
    return parse_disconnect(in, version, from_client, out);
  });
}

result<auth_packet> decode_auth(const frame& in) noexcept {
  assert(in.type() == packet_type::auth);
  return decoded<auth_packet>(
    [&](auth_packet& out) { return parse_auth(in, out); });
}

} // namespace troupe::protocol
