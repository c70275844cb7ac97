// What a client writes: for tests, tools and bridges.

#include "protocol/wire_writer.hpp"

namespace troupe::protocol {

namespace {

using namespace detail;

/// Appends a packet without a limit but that of Remaining Length.
template <class Write>
void encode_any(byte_buffer& out, std::uint8_t first_byte, Write&& write) {
  const auto fits =
    encode_packet(out, first_byte, no_packet_limit,
                  [&](auto& to, optional_properties) { write(to); });
  assert(fits);
  static_cast<void>(fits);
}

template <class Sink>
void put_will_properties(Sink& to, const will_message& will) {
  if (will.delay_interval != 0)
    put(to, property_id::will_delay_interval,
        std::optional{will.delay_interval});
  put(to, property_id::message_expiry_interval, will.message_expiry_interval);
  for (const auto& run : will.properties)
    to.bytes(run);
}

template <class Sink>
void put_connect_properties(Sink& to, const connect_packet& packet) {
  using id = property_id;
  put(to, id::session_expiry_interval, packet.session_expiry_interval);
  if (packet.receive_maximum != connect_packet{}.receive_maximum)
    put(to, id::receive_maximum, std::optional{packet.receive_maximum});
  put(to, id::maximum_packet_size, packet.maximum_packet_size);
  if (packet.topic_alias_maximum != 0)
    put(to, id::topic_alias_maximum, std::optional{packet.topic_alias_maximum});
  if (packet.request_response_information)
    put(to, id::request_response_information, std::optional{true});
  if (!packet.request_problem_information)
    put(to, id::request_problem_information, std::optional{false});
  put(to, id::authentication_method, packet.authentication_method);
  put(to, id::authentication_data, packet.authentication_data);
  put_user_properties(to, packet.user_properties);
}

/// Connect Flags, 3.1.2.3.
std::uint8_t flags_of(const connect_packet& packet) noexcept {
  auto flags = packet.clean_start ? 0x02U : 0x00U;
  if (packet.will) {
    flags |= 0x04U | static_cast<unsigned>(packet.will->qos) << 3;
    flags |= packet.will->retain ? 0x20U : 0x00U;
  }
  flags |= packet.password ? 0x40U : 0x00U;
  flags |= packet.user_name ? 0x80U : 0x00U;
  return static_cast<std::uint8_t>(flags);
}

template <class Sink>
void put_publish_properties(Sink& to, const publish_packet& packet) {
  put(to, property_id::message_expiry_interval, packet.message_expiry_interval);
  if (packet.topic_alias != 0)
    put(to, property_id::topic_alias, std::optional{packet.topic_alias});
  for (const auto identifier : packet.subscription_identifiers)
    put_subscription_identifier(to, identifier);
  for (const auto& run : packet.properties)
    to.bytes(run);
}

} // namespace

void encode_connect(byte_buffer& out, const connect_packet& packet) {
  const auto is_v5 = packet.version == protocol_version::mqtt_5_0;
  const auto is_v3_1 = packet.version == protocol_version::mqtt_3_1;
  encode_any(out, 0x10, [&](auto& to) {
    to.text(is_v3_1 ? "MQIsdp" : "MQTT");
    to.u8(static_cast<std::uint8_t>(static_cast<unsigned>(packet.version)
                                    | (packet.bridge ? 0x80U : 0x00U)));
    to.u8(flags_of(packet));
    to.u16(packet.keep_alive);
    if (is_v5)
      put_properties(to, [&](auto& properties) {
        put_connect_properties(properties, packet);
      });
    to.text(packet.client_id);
    if (packet.will) {
      if (is_v5)
        put_properties(to, [&](auto& properties) {
          put_will_properties(properties, *packet.will);
        });
      to.text(packet.will->topic);
      to.binary(packet.will->payload);
    }
    if (packet.user_name)
      to.text(*packet.user_name);
    if (packet.password)
      to.binary(*packet.password);
  });
}

void encode_publish(byte_buffer& out, const publish_packet& packet,
                    protocol_version version) {
  const auto first_byte = 0x30U | (packet.dup ? 0x08U : 0x00U)
                          | static_cast<unsigned>(packet.qos) << 1
                          | (packet.retain ? 0x01U : 0x00U);
  encode_any(out, static_cast<std::uint8_t>(first_byte), [&](auto& to) {
    to.text(packet.topic);
    if (packet.qos != qos::at_most_once)
      to.u16(packet.packet_identifier);
    if (version == protocol_version::mqtt_5_0)
      put_properties(to, [&](auto& properties) {
        put_publish_properties(properties, packet);
      });
    to.bytes(packet.payload);
  });
}

void encode_subscribe(byte_buffer& out, const subscribe_options_list& packet,
                      protocol_version version) {
  const auto is_v5 = version == protocol_version::mqtt_5_0;
  encode_any(out, 0x82, [&](auto& to) {
    to.u16(packet.packet_identifier);
    if (is_v5)
      put_properties(to, [&](auto& properties) {
        if (packet.subscription_identifier != 0)
          put_subscription_identifier(properties,
                                      packet.subscription_identifier);
        put_user_properties(properties, packet.user_properties);
      });
    for (const auto& [filter, options] : packet.filters) {
      auto byte = static_cast<unsigned>(options.maximum_qos);
      if (is_v5)
        byte |= (options.no_local ? 0x04U : 0x00U)
                | (options.retain_as_published ? 0x08U : 0x00U)
                | static_cast<unsigned>(options.handling) << 4;
      to.text(filter);
      to.u8(static_cast<std::uint8_t>(byte));
    }
  });
}

void encode_unsubscribe(byte_buffer& out, std::uint16_t packet_identifier,
                        std::span<const std::string_view> filters,
                        protocol_version version,
                        user_properties_view user_properties) {
  encode_any(out, 0xA2, [&](auto& to) {
    to.u16(packet_identifier);
    if (version == protocol_version::mqtt_5_0)
      put_properties(to, [&](auto& properties) {
        put_user_properties(properties, user_properties);
      });
    for (const auto filter : filters)
      to.text(filter);
  });
}

void encode_pingreq(byte_buffer& out) {
  auto* at = out.extend(2);
  at[0] = 0xC0;
  at[1] = 0;
}

} // namespace troupe::protocol
