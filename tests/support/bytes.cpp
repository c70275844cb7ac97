#include "tests/support/bytes.hpp"

#include <stdexcept>
#include <unistd.h>

namespace troupe::test {

namespace {

bytes property(property_id id, std::string_view value) {
  return u8(static_cast<unsigned>(id)) + bytes{value};
}

bytes property_field(version v, std::string_view properties) {
  if (v != version::mqtt5)
    return {};
  return variable(static_cast<std::uint32_t>(properties.size()))
         + bytes{properties};
}

} // namespace

std::string hex(std::string_view in) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const auto c : in.substr(0, 200)) {
    const auto x = static_cast<unsigned char>(c);
    if (!out.empty())
      out += ' ';
    out += digits[x >> 4];
    out += digits[x & 15];
  }
  if (in.size() > 200)
    out += " … (" + std::to_string(in.size()) + " bytes)";
  return out;
}

bytes raw(std::initializer_list<int> in) {
  bytes out;
  for (const auto x : in)
    out += static_cast<char>(x);
  return out;
}

bytes u8(unsigned x) { return {static_cast<char>(x)}; }
bytes u16(unsigned x) { return u8(x >> 8) + u8(x & 0xFF); }
bytes u32(std::uint32_t x) { return u16(x >> 16) + u16(x & 0xFFFF); }

bytes variable(std::uint32_t x) {
  bytes out;
  do {
    out += u8((x & 0x7F) | (x > 0x7F ? 0x80U : 0U));
    x >>= 7;
  } while (x != 0);
  return out;
}

bytes text(std::string_view in) {
  if (in.size() > 65'535)
    throw std::length_error{"a string field holds 65,535 bytes"};
  return u16(static_cast<unsigned>(in.size())) + bytes{in};
}

bytes framed(unsigned first_byte, std::string_view body) {
  return u8(first_byte) + variable(static_cast<std::uint32_t>(body.size()))
         + bytes{body};
}

bytes with_flags(bytes packet, unsigned flags) {
  const auto first = static_cast<unsigned char>(packet.at(0));
  packet[0] = static_cast<char>((first & 0xF0U) | flags);
  return packet;
}

namespace prop {
bytes payload_format(unsigned x) {
  return property(property_id::payload_format_indicator, u8(x));
}
bytes message_expiry(std::uint32_t seconds) {
  return property(property_id::message_expiry_interval, u32(seconds));
}
bytes content_type(std::string_view x) {
  return property(property_id::content_type, text(x));
}
bytes response_topic(std::string_view x) {
  return property(property_id::response_topic, text(x));
}
bytes correlation_data(std::string_view x) {
  return property(property_id::correlation_data, text(x));
}
bytes subscription_identifier(std::uint32_t x) {
  return property(property_id::subscription_identifier, variable(x));
}
bytes session_expiry(std::uint32_t seconds) {
  return property(property_id::session_expiry_interval, u32(seconds));
}
bytes authentication_method(std::string_view x) {
  return property(property_id::authentication_method, text(x));
}
bytes authentication_data(std::string_view x) {
  return property(property_id::authentication_data, text(x));
}
bytes request_problem_information(unsigned x) {
  return property(property_id::request_problem_information, u8(x));
}
bytes will_delay(std::uint32_t seconds) {
  return property(property_id::will_delay_interval, u32(seconds));
}
bytes request_response_information(unsigned x) {
  return property(property_id::request_response_information, u8(x));
}
bytes reason_string(std::string_view x) {
  return property(property_id::reason_string, text(x));
}
bytes receive_maximum(unsigned x) {
  return property(property_id::receive_maximum, u16(x));
}
bytes topic_alias_maximum(unsigned x) {
  return property(property_id::topic_alias_maximum, u16(x));
}
bytes topic_alias(unsigned x) {
  return property(property_id::topic_alias, u16(x));
}
bytes user(std::string_view name, std::string_view value) {
  return property(property_id::user_property, text(name) + text(value));
}
bytes maximum_packet_size(std::uint32_t x) {
  return property(property_id::maximum_packet_size, u32(x));
}
} // namespace prop

bytes connect(version v, const connect_options& o) {
  auto flags = o.clean ? 0x02U : 0U;
  if (o.will)
    flags |= 0x04U | o.will->qos << 3 | (o.will->retain ? 0x20U : 0U);
  if (o.password)
    flags |= 0x40U;
  if (o.user_name)
    flags |= 0x80U;
  auto body =
    text(o.protocol_name.value_or(v == version::mqtt31 ? "MQIsdp" : "MQTT"));
  body += u8(o.level.value_or(static_cast<unsigned>(v)));
  body += u8(o.flags.value_or(flags));
  body += u16(o.keep_alive);
  body += property_field(v, o.properties);
  body += text(o.client_id);
  if (o.will)
    body += property_field(v, o.will->properties) + text(o.will->topic)
            + text(o.will->payload);
  if (o.user_name)
    body += text(*o.user_name);
  if (o.password)
    body += text(*o.password);
  return framed(0x10, body);
}

bytes publish(version v, const publish_options& o) {
  auto body = text(o.topic);
  if (o.qos > 0)
    body += u16(o.id);
  body += property_field(v, o.properties) + o.payload;
  return framed(0x30U | (o.dup ? 8U : 0U) | o.qos << 1 | (o.retain ? 1U : 0U),
                body);
}

bytes ack(packet_type type, unsigned id) {
  return framed(static_cast<unsigned>(type) << 4 | (type == PUBREL ? 2U : 0U),
                u16(id));
}

bytes ack(packet_type type, unsigned id, unsigned reason,
          std::string_view properties) {
  auto body = u16(id) + u8(reason);
  if (!properties.empty())
    body += property_field(version::mqtt5, properties);
  return framed(static_cast<unsigned>(type) << 4 | (type == PUBREL ? 2U : 0U),
                body);
}

bytes subscribe(version v, unsigned id, const std::vector<filter>& filters,
                std::string_view properties) {
  auto body = u16(id) + property_field(v, properties);
  for (const auto& one : filters)
    body += text(one.text) + u8(one.options);
  return framed(0x82, body);
}

bytes unsubscribe(version v, unsigned id,
                  const std::vector<std::string>& filters,
                  std::string_view properties) {
  auto body = u16(id) + property_field(v, properties);
  for (const auto& one : filters)
    body += text(one);
  return framed(0xA2, body);
}

bytes pingreq() { return raw({0xC0, 0x00}); }
bytes disconnect() { return raw({0xE0, 0x00}); }

bytes disconnect(unsigned reason, std::string_view properties) {
  auto body = u8(reason);
  if (!properties.empty())
    body += property_field(version::mqtt5, properties);
  return framed(0xE0, body);
}

bytes auth(unsigned reason, std::string_view properties) {
  return framed(0xF0, u8(reason) + property_field(version::mqtt5, properties));
}

std::string unique(std::string_view stem) {
  static unsigned count = 0;
  return std::string{stem} + std::to_string(::getpid()) + "x"
         + std::to_string(++count);
}

} // namespace troupe::test
