#include "bench/load/wire.hpp"

namespace troupe::bench {

namespace {

/// Puts a fixed header before `body` and appends both.
void append_packet(out_buffer& out, std::uint8_t first,
                   const std::vector<std::uint8_t>& body) {
  std::vector<std::uint8_t> header{first};
  append_variable_int(header, static_cast<std::uint32_t>(body.size()));
  out.append(header);
  out.append(body);
}

/// The lower half of `x`, most significant byte first.
void append_u16(std::vector<std::uint8_t>& to, std::uint32_t x) {
  to.push_back(static_cast<std::uint8_t>(x >> 8));
  to.push_back(static_cast<std::uint8_t>(x));
}

/// Size of the value of a property, MQTT 5.0 section 2.2.2.2, at `at`; 0 if
/// the property is unknown or cut off.
std::size_t property_size(std::uint8_t id, bytes_view value) {
  std::size_t size = 0;
  switch (id) {
  case 0x01:
  case 0x17:
  case 0x19:
  case 0x24:
  case 0x25:
  case 0x28:
  case 0x29:
  case 0x2A: // Byte
    size = 1;
    break;
  case 0x13:
  case 0x21:
  case 0x22:
  case 0x23: // Two Byte Integer
    size = 2;
    break;
  case 0x02:
  case 0x11:
  case 0x18:
  case 0x27: // Four Byte Integer
    size = 4;
    break;
  case 0x26: { // User Property: a pair of strings
    if (value.size() < 2)
      return 0;
    size = 2U + load_u16(value.data());
    if (value.size() < size + 2)
      return 0;
    size += 2U + load_u16(value.data() + size);
    break;
  }
  default: // a string or binary data
    if (value.size() < 2)
      return 0;
    size = 2U + load_u16(value.data());
  }
  return size <= value.size() ? size : 0;
}

} // namespace

void append_variable_int(std::vector<std::uint8_t>& to, std::uint32_t x) {
  do {
    auto byte = static_cast<std::uint8_t>(x & 0x7F);
    x >>= 7;
    if (x != 0)
      byte |= 0x80;
    to.push_back(byte);
  } while (x != 0);
}

void append_string(std::vector<std::uint8_t>& to, std::string_view text) {
  append_u16(to, static_cast<std::uint32_t>(text.size()));
  to.insert(to.end(), text.begin(), text.end());
}

void append_connect(out_buffer& out, const connect_request& request) {
  std::uint8_t flags = 0;
  if (request.session_expiry == 0)
    flags |= 0x02; // Clean Session, Clean Start
  if (!request.user.empty())
    flags |= 0x80;
  if (!request.password.empty())
    flags |= 0x40;
  std::vector<std::uint8_t> body;
  append_string(body, "MQTT");
  body.push_back(static_cast<std::uint8_t>(request.version));
  body.push_back(flags);
  append_u16(body, request.keep_alive);
  if (request.version == protocol_version::mqtt_5_0) {
    if (request.session_expiry == 0) {
      body.push_back(0); // no properties
    } else {
      body.push_back(5);
      body.push_back(0x11); // Session Expiry Interval
      append_u16(body, request.session_expiry >> 16);
      append_u16(body, request.session_expiry);
    }
  }
  append_string(body, request.client_id);
  if (!request.user.empty())
    append_string(body, request.user);
  if (!request.password.empty())
    append_string(body, request.password);
  append_packet(out, first_byte::connect, body);
}

void append_subscribe(out_buffer& out, protocol_version version,
                      std::uint16_t packet_id,
                      const std::vector<std::string>& filters,
                      std::uint8_t qos) {
  std::vector<std::uint8_t> body(2);
  store_u16(body.data(), packet_id);
  if (version == protocol_version::mqtt_5_0)
    body.push_back(0); // no properties
  for (const auto& filter : filters) {
    append_string(body, filter);
    body.push_back(qos);
  }
  append_packet(out, first_byte::subscribe, body);
}

void append_pingreq(out_buffer& out) {
  auto* at = out.extend(2);
  at[0] = first_byte::pingreq;
  at[1] = 0;
}

void append_disconnect(out_buffer& out) {
  auto* at = out.extend(2);
  at[0] = first_byte::disconnect;
  at[1] = 0;
}

connack decode_connack(bytes_view body, protocol_version version) {
  if (body.size() < 2)
    return {};
  connack out{.reason = body[1]};
  out.session_present = (body[0] & 1) != 0;
  if (version != protocol_version::mqtt_5_0 || body.size() == 2)
    return out;
  const auto* end = body.data() + body.size();
  const auto length = load_variable_int(body.data() + 2, end);
  auto rest = body.subspan(2 + length.size);
  if (length.size == 0 || rest.size() < length.value)
    return {};
  rest = rest.first(length.value);
  while (!rest.empty()) {
    const auto id = rest[0];
    rest = rest.subspan(1);
    const auto size = property_size(id, rest);
    if (size == 0)
      return {};
    if (id == 0x21) // Receive Maximum
      out.receive_maximum = load_u16(rest.data());
    rest = rest.subspan(size);
  }
  return out;
}

bytes_view suback_reasons(bytes_view body, protocol_version version) {
  if (body.size() < 3)
    return {};
  auto rest = body.subspan(2);
  if (version != protocol_version::mqtt_5_0)
    return rest;
  const auto length = load_variable_int(rest.data(), rest.data() + rest.size());
  if (length.size == 0 || rest.size() < length.size + length.value)
    return {};
  return rest.subspan(length.size + length.value);
}

} // namespace troupe::bench
