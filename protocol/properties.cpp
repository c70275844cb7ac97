#include "protocol/properties.hpp"

#include "protocol/utf8.hpp"

namespace troupe::protocol::detail {

namespace {

enum class property_kind : std::uint8_t {
  unknown,
  byte,
  two_bytes,
  four_bytes,
  variable_bytes,
  text,
  binary,
  text_pair,
};

constexpr property_kind kind_of(std::uint8_t id) noexcept {
  switch (static_cast<property_id>(id)) {
  case property_id::payload_format_indicator:
  case property_id::request_problem_information:
  case property_id::request_response_information:
  case property_id::maximum_qos:
  case property_id::retain_available:
  case property_id::wildcard_subscription_available:
  case property_id::subscription_identifier_available:
  case property_id::shared_subscription_available:
    return property_kind::byte;
  case property_id::server_keep_alive:
  case property_id::receive_maximum:
  case property_id::topic_alias_maximum:
  case property_id::topic_alias:
    return property_kind::two_bytes;
  case property_id::message_expiry_interval:
  case property_id::session_expiry_interval:
  case property_id::will_delay_interval:
  case property_id::maximum_packet_size:
    return property_kind::four_bytes;
  case property_id::subscription_identifier:
    return property_kind::variable_bytes;
  case property_id::content_type:
  case property_id::response_topic:
  case property_id::assigned_client_identifier:
  case property_id::authentication_method:
  case property_id::response_information:
  case property_id::server_reference:
  case property_id::reason_string:
    return property_kind::text;
  case property_id::correlation_data:
  case property_id::authentication_data:
    return property_kind::binary;
  case property_id::user_property:
    return property_kind::text_pair;
  }
  return property_kind::unknown;
}

/// The rules for values; the kind says how to read them.
reason_code check_value(const property& one) noexcept {
  switch (one.id) {
  case property_id::payload_format_indicator:
  case property_id::request_problem_information:
  case property_id::request_response_information:
  case property_id::maximum_qos:
  case property_id::retain_available:
  case property_id::wildcard_subscription_available:
  case property_id::subscription_identifier_available:
  case property_id::shared_subscription_available:
    return one.number <= 1 ? reason_code::success : reason_code::protocol_error;
  case property_id::receive_maximum:
  case property_id::maximum_packet_size:
  case property_id::subscription_identifier:
    return one.number != 0 ? reason_code::success : reason_code::protocol_error;
  case property_id::topic_alias:
    return one.number != 0 ? reason_code::success
                           : reason_code::topic_alias_invalid;
  case property_id::response_topic: // a Topic Name [MQTT-3.3.2-14]
    return is_valid_topic_name(one.text) ? reason_code::success
                                         : reason_code::protocol_error;
  default:
    return reason_code::success;
  }
}

} // namespace

reason_code read_property(wire_reader& in, property& out) noexcept {
  const auto before = in.rest();
  // No identifier in use takes two bytes: those do not pass as known.
  const auto id = in.u8();
  out.id = static_cast<property_id>(id);
  switch (kind_of(id)) {
  case property_kind::unknown:
    return reason_code::malformed_packet;
  case property_kind::byte:
    out.number = in.u8();
    break;
  case property_kind::two_bytes:
    out.number = in.u16();
    break;
  case property_kind::four_bytes:
    out.number = in.u32();
    break;
  case property_kind::variable_bytes:
    out.number = in.variable_byte_integer();
    break;
  case property_kind::text:
    out.text = in.text();
    break;
  case property_kind::binary:
    out.binary = in.binary();
    break;
  case property_kind::text_pair:
    out.text = in.text();
    in.text();
    break;
  }
  if (in.failed())
    return reason_code::malformed_packet;
  out.wire = before.first(before.size() - in.rest().size());
  return check_value(out);
}

std::size_t property_size(bytes_view in) noexcept {
  switch (kind_of(in[0])) {
  case property_kind::byte:
    return 2;
  case property_kind::two_bytes:
    return 3;
  case property_kind::four_bytes:
    return 5;
  case property_kind::variable_bytes: {
    std::size_t size = 2;
    while ((in[size - 1] & 0x80) != 0)
      ++size;
    return size;
  }
  case property_kind::text:
  case property_kind::binary:
    return 3U + read_u16(in.data() + 1);
  case property_kind::text_pair: {
    const auto name_end = 3U + read_u16(in.data() + 1);
    return name_end + 2U + read_u16(in.data() + name_end);
  }
  case property_kind::unknown:
    break;
  }
  return in.size(); // not from a decoder: nothing more to find here
}

} // namespace troupe::protocol::detail
