#include "protocol/properties.hpp"
#include "protocol/utf8.hpp"

#include <cassert>

namespace troupe::protocol {

namespace {

using namespace detail;

constexpr std::size_t client_id_max_3_1 = 23; ///< characters

/// Connect Flags, 3.1.2.3.
struct connect_flags {
  std::uint8_t byte;

  bool reserved() const noexcept { return (byte & 0x01) != 0; }
  bool clean_start() const noexcept { return (byte & 0x02) != 0; }
  bool will() const noexcept { return (byte & 0x04) != 0; }
  std::uint8_t will_qos() const noexcept { return byte >> 3 & 0x03; }
  bool will_retain() const noexcept { return (byte & 0x20) != 0; }
  bool password() const noexcept { return (byte & 0x40) != 0; }
  bool user_name() const noexcept { return (byte & 0x80) != 0; }
};

/// Protocol Name and level; [MQTT-3.1.2-1], [MQTT-3.1.2-2].
reason_code parse_version(wire_reader& in, connect_packet& out) noexcept {
  const auto name = in.unchecked_text();
  const auto level = in.u8();
  if (in.failed())
    return reason_code::malformed_packet;
  out.bridge = level == 0x83 || level == 0x84;
  const auto plain_level = out.bridge ? level & 0x7F : level;
  out.version = static_cast<protocol_version>(plain_level);
  const auto known = name == "MQTT"     ? plain_level == 4 || plain_level == 5
                     : name == "MQIsdp" ? plain_level == 3
                                        : false;
  return known ? reason_code::success
               : reason_code::unsupported_protocol_version;
}

reason_code check_connect_flags(connect_flags flags,
                                protocol_version version) noexcept {
  if (flags.will() && flags.will_qos() == 3) // [MQTT-3.1.2-12]
    return reason_code::malformed_packet;
  if (version != protocol_version::mqtt_5_0 && flags.password()
      && !flags.user_name()) // MQTT 3.1.1: [MQTT-3.1.2-22]
    return reason_code::malformed_packet;
  // MQTT 3.1 disregards the will fields without a will, and bit 0.
  if (version == protocol_version::mqtt_3_1)
    return reason_code::success;
  if (flags.reserved()) // [MQTT-3.1.2-3]
    return reason_code::malformed_packet;
  if (!flags.will() && (flags.will_qos() != 0 || flags.will_retain()))
    return reason_code::malformed_packet; // [MQTT-3.1.2-11], -13
  return reason_code::success;
}

constexpr property_set connect_properties{
  property_id::session_expiry_interval,
  property_id::receive_maximum,
  property_id::maximum_packet_size,
  property_id::topic_alias_maximum,
  property_id::request_response_information,
  property_id::request_problem_information,
  property_id::user_property,
  property_id::authentication_method,
  property_id::authentication_data,
};

reason_code parse_connect_properties(bytes_view in,
                                     connect_packet& out) noexcept {
  const auto take = [&out](const property& one) {
    switch (one.id) {
    case property_id::session_expiry_interval:
      out.session_expiry_interval = one.number;
      break;
    case property_id::receive_maximum:
      out.receive_maximum = static_cast<std::uint16_t>(one.number);
      break;
    case property_id::maximum_packet_size:
      out.maximum_packet_size = one.number;
      break;
    case property_id::topic_alias_maximum:
      out.topic_alias_maximum = static_cast<std::uint16_t>(one.number);
      break;
    case property_id::request_response_information:
      out.request_response_information = one.number != 0;
      break;
    case property_id::request_problem_information:
      out.request_problem_information = one.number != 0;
      break;
    case property_id::user_property:
      extend(out.user_properties, one.wire);
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
  };
  if (const auto bad = for_each_property(in, connect_properties, take);
      is_bad(bad))
    return bad;
  return out.authentication_data && !out.authentication_method
           ? reason_code::protocol_error // 3.1.2.11.10
           : reason_code::success;
}

constexpr property_set will_properties{
  property_id::will_delay_interval,     property_id::payload_format_indicator,
  property_id::message_expiry_interval, property_id::content_type,
  property_id::response_topic,          property_id::correlation_data,
  property_id::user_property,
};

reason_code parse_will_properties(bytes_view in, will_message& out) noexcept {
  property_runs runs{out.properties};
  return for_each_property(in, will_properties, [&](const property& one) {
    if (one.id == property_id::will_delay_interval) {
      out.delay_interval = one.number;
    } else if (one.id == property_id::message_expiry_interval) {
      out.message_expiry_interval = one.number;
    } else {
      const auto fits = runs.add(one.wire);
      assert(fits); // two properties, each once, leave at most three runs
      static_cast<void>(fits);
    }
    return reason_code::success;
  });
}

reason_code check_client_id(const connect_packet& packet,
                            bool strict_length_3_1) noexcept {
  const auto id = packet.client_id;
  const auto refuse =
    packet.version == protocol_version::mqtt_3_1
      ? id.empty()
          || (strict_length_3_1 && character_count(id) > client_id_max_3_1)
      : packet.version == protocol_version::mqtt_3_1_1 && id.empty()
          && !packet.clean_start; // MQTT 3.1.1: [MQTT-3.1.3-8]
  return refuse ? reason_code::client_identifier_not_valid
                : reason_code::success;
}

reason_code parse_will(wire_reader& in, connect_flags flags,
                       protocol_version version, will_message& out) noexcept {
  out.qos = static_cast<qos>(flags.will_qos());
  out.retain = flags.will_retain();
  if (version == protocol_version::mqtt_5_0) {
    const auto properties = in.properties();
    if (in.failed())
      return reason_code::malformed_packet;
    if (const auto bad = parse_will_properties(properties, out); is_bad(bad))
      return bad;
  }
  out.topic = in.text();
  out.payload = in.binary();
  if (in.failed())
    return reason_code::malformed_packet;
  return is_valid_topic_name(out.topic) ? reason_code::success
                                        : reason_code::topic_name_invalid;
}

reason_code parse_connect(const frame& in, bool strict_client_id_length_3_1,
                          connect_packet& out) noexcept {
  wire_reader body{in.body};
  if (const auto bad = parse_version(body, out); is_bad(bad))
    return bad;
  const connect_flags flags{body.u8()};
  out.keep_alive = body.u16();
  if (body.failed() || is_bad(check_flags(in, out.version)))
    return reason_code::malformed_packet;
  if (const auto bad = check_connect_flags(flags, out.version); is_bad(bad))
    return bad;
  out.clean_start = flags.clean_start();
  if (out.version == protocol_version::mqtt_5_0) {
    const auto properties = body.properties();
    if (body.failed())
      return reason_code::malformed_packet;
    if (const auto bad = parse_connect_properties(properties, out); is_bad(bad))
      return bad;
  }
  out.client_id = body.text();
  if (body.failed())
    return reason_code::malformed_packet;
  if (flags.will()) {
    const auto bad = parse_will(body, flags, out.version, out.will.emplace());
    if (is_bad(bad))
      return bad;
  }
  // In MQTT 3.1 the packet may end before a field that a flag announces.
  const auto may_end = out.version == protocol_version::mqtt_3_1;
  if (flags.user_name() && !(may_end && body.at_end()))
    out.user_name = body.text();
  if (flags.password() && !(may_end && body.at_end()))
    out.password = body.binary();
  if (!body.complete())
    return reason_code::malformed_packet;
  return check_client_id(out, strict_client_id_length_3_1);
}

} // namespace

result<connect_packet>
decode_connect(const frame& in, bool strict_client_id_length_3_1) noexcept {
  assert(in.type() == packet_type::connect);
  return decoded<connect_packet>([&](connect_packet& out) {
    return parse_connect(in, strict_client_id_length_3_1, out);
  });
}

} // namespace troupe::protocol
