// What a server writes, PUBLISH apart.

#include "protocol/reason_codes.hpp"
#include "protocol/return_codes.hpp"
#include "protocol/wire_writer.hpp"

namespace troupe::protocol {

namespace {

using namespace detail;

std::uint8_t first_byte(packet_type type, std::uint8_t flags = 0) noexcept {
  return static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags);
}

std::uint8_t byte(reason_code code) noexcept {
  return static_cast<std::uint8_t>(code);
}

template <class Sink>
void put_connack_properties(Sink& to, const connack_packet& packet,
                            optional_properties kept) {
  using id = property_id;
  put(to, id::session_expiry_interval, packet.session_expiry_interval);
  put(to, id::receive_maximum, packet.receive_maximum);
  put(to, id::maximum_qos, packet.maximum_qos);
  put(to, id::retain_available, packet.retain_available);
  put(to, id::maximum_packet_size, packet.maximum_packet_size);
  put(to, id::assigned_client_identifier, packet.assigned_client_identifier);
  put(to, id::topic_alias_maximum, packet.topic_alias_maximum);
  kept.put_of(to, packet);
  put(to, id::wildcard_subscription_available,
      packet.wildcard_subscription_available);
  put(to, id::subscription_identifier_available,
      packet.subscription_identifiers_available);
  put(to, id::shared_subscription_available,
      packet.shared_subscription_available);
  put(to, id::server_keep_alive, packet.server_keep_alive);
  put(to, id::response_information, packet.response_information);
  put(to, id::server_reference, packet.server_reference);
  put(to, id::authentication_method, packet.authentication_method);
  put(to, id::authentication_data, packet.authentication_data);
}

/// Reason codes as a SUBACK of that version has them.
std::uint8_t suback_code(reason_code reason,
                         protocol_version version) noexcept {
  if (reason < reason_code::unspecified_error
      || version == protocol_version::mqtt_5_0)
    return byte(reason);
  // MQTT 3.1.1 knows one failure, 0x80; MQTT 3.1 none: a refused subscription
  // is acknowledged there with QoS 0.
  return version == protocol_version::mqtt_3_1
           ? byte(reason_code::granted_qos_0)
           : byte(reason_code::unspecified_error);
}

} // namespace

bool encode_connack(byte_buffer& out, const connack_packet& packet,
                    protocol_version version, std::size_t limit) {
  const std::uint8_t flags =
    packet.session_present && packet.reason == reason_code::success ? 1 : 0;
  if (version != protocol_version::mqtt_5_0) {
    const auto code = to_return_code(packet.reason);
    if (!code || limit < 4)
      return false;
    out.append_u8(first_byte(packet_type::connack));
    out.append_u8(2);
    out.append_u8(version == protocol_version::mqtt_3_1 ? 0 : flags);
    out.append_u8(*code);
    return true;
  }
  assert(is_listed(packet.reason, code_use::connack));
  return encode_packet(out, first_byte(packet_type::connack), limit,
                       [&](auto& to, optional_properties kept) {
                         to.u8(flags);
                         to.u8(byte(packet.reason));
                         put_properties(to, [&](auto& properties) {
                           put_connack_properties(properties, packet, kept);
                         });
                       });
}

bool encode_ack(byte_buffer& out, const ack_packet& packet,
                protocol_version version, std::size_t limit) {
  const auto first =
    first_byte(packet.type, packet.type == packet_type::pubrel ? 0x02 : 0x00);
  const auto plain = packet.reason == reason_code::success
                     && !packet.reason_string && packet.user_properties.empty();
  if (plain || version != protocol_version::mqtt_5_0) {
    if (limit < 4)
      return false;
    auto* at = out.extend(4);
    at[0] = first;
    at[1] = 2;
    at[2] = static_cast<std::uint8_t>(packet.packet_identifier >> 8);
    at[3] = static_cast<std::uint8_t>(packet.packet_identifier);
    return true;
  }
  assert(is_listed_for_ack(packet.type, packet.reason));
  return encode_packet(
    out, first, limit, [&](auto& to, optional_properties kept) {
      size_counter count;
      kept.put_of(count, packet);
      to.u16(packet.packet_identifier);
      if (packet.reason == reason_code::success && count.size() == 0)
        return;
      to.u8(byte(packet.reason));
      if (count.size() != 0)
        put_properties(
          to, [&](auto& properties) { kept.put_of(properties, packet); });
    });
}

bool encode_suback(byte_buffer& out, const suback_packet& packet,
                   protocol_version version, std::size_t limit) {
  return encode_packet(out, first_byte(packet_type::suback), limit,
                       [&](auto& to, optional_properties kept) {
                         to.u16(packet.packet_identifier);
                         if (version == protocol_version::mqtt_5_0)
                           put_properties(to, [&](auto& properties) {
                             kept.put_of(properties, packet);
                           });
                         for (const auto reason : packet.reasons)
                           to.u8(suback_code(reason, version));
                       });
}

bool encode_unsuback(byte_buffer& out, const unsuback_packet& packet,
                     protocol_version version, std::size_t limit) {
  return encode_packet(out, first_byte(packet_type::unsuback), limit,
                       [&](auto& to, optional_properties kept) {
                         to.u16(packet.packet_identifier);
                         if (version != protocol_version::mqtt_5_0)
                           return;
                         put_properties(to, [&](auto& properties) {
                           kept.put_of(properties, packet);
                         });
                         for (const auto reason : packet.reasons)
                           to.u8(byte(reason));
                       });
}

void encode_pingresp(byte_buffer& out) {
  auto* at = out.extend(2);
  at[0] = first_byte(packet_type::pingresp);
  at[1] = 0;
}

bool encode_disconnect(byte_buffer& out, const disconnect_packet& packet,
                       protocol_version version, std::size_t limit) {
  return encode_packet(out, first_byte(packet_type::disconnect), limit,
                       [&](auto& to, optional_properties kept) {
                         if (version != protocol_version::mqtt_5_0)
                           return;
                         const auto write = [&](auto& properties) {
                           put(properties, property_id::session_expiry_interval,
                               packet.session_expiry_interval);
                           kept.put_of(properties, packet);
                           put(properties, property_id::server_reference,
                               packet.server_reference);
                         };
                         size_counter count;
                         write(count);
                         if (packet.reason == reason_code::normal_disconnection
                             && count.size() == 0)
                           return;
                         to.u8(byte(packet.reason));
                         if (count.size() != 0)
                           put_properties(to, write);
                       });
}

bool encode_auth(byte_buffer& out, const auth_packet& packet,
                 std::size_t limit) {
  assert(is_listed(packet.reason, code_use::auth));
  return encode_packet(
    out, first_byte(packet_type::auth), limit,
    [&](auto& to, optional_properties kept) {
      const auto write = [&](auto& properties) {
        put(properties, property_id::authentication_method, packet.method);
        put(properties, property_id::authentication_data, packet.data);
        kept.put_of(properties, packet);
      };
      size_counter count;
      write(count);
      if (packet.reason == reason_code::success && count.size() == 0)
        return;
      to.u8(byte(packet.reason));
      put_properties(to, write);
    });
}

void append_user_property(byte_buffer& out, std::string_view name,
                          std::string_view value) {
  wire_writer to{out.extend(1 + 2 + name.size() + 2 + value.size())};
  to.u8(static_cast<std::uint8_t>(property_id::user_property));
  to.text(name);
  to.text(value);
}

} // namespace troupe::protocol
