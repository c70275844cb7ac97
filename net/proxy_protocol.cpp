#include "net/proxy_protocol.hpp"

#include "protocol/topic.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

namespace troupe::net {

namespace {

using bytes_view = std::span<const std::uint8_t>;

std::string_view as_text(bytes_view in) {
  return {reinterpret_cast<const char*>(in.data()), in.size()};
}

std::uint16_t read_u16(bytes_view in) {
  return static_cast<std::uint16_t>(in[0] << 8U | in[1]);
}

std::uint32_t read_u32(bytes_view in) {
  return static_cast<std::uint32_t>(read_u16(in)) << 16U
         | read_u16(in.subspan(2));
}

/// Whether one of both begins with the other.
bool agrees(std::string_view in, std::string_view with) {
  const auto size = std::min(in.size(), with.size());
  return in.substr(0, size) == with.substr(0, size);
}

// ---- version 1 (section 2.1) ------------------------------------------------

constexpr std::string_view v1_begin = "PROXY ";
constexpr std::size_t v1_max = 107; ///< CR LF included

/// The text up to the next space, which is taken away with it.
std::string_view next_word(std::string_view& in) {
  const auto word = in.substr(0, in.find(' '));
  in.remove_prefix(std::min(in.size(), word.size() + 1));
  return word;
}

/// Decimal digits only, and no zero in front.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || at != end || (text.size() > 1 && text[0] == '0'))
    return std::nullopt;
  return port;
}

/// inet_pton takes what the specification allows: four numbers without zeros
/// in front, or groups in hexadecimal.
std::optional<endpoint> parse_address(int family, std::string_view text,
                                      std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> name{};
  std::array<std::uint8_t, 16> address{};
  if (text.size() >= name.size() || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  std::copy(text.begin(), text.end(), name.begin());
  if (::inet_pton(family, name.data(), address.data()) != 1)
    return std::nullopt;
  return endpoint::from_bytes(
    std::span{address}.first(family == AF_INET ? 4 : 16), port);
}

/// @param line  what is between "PROXY " and CR LF.
proxy_result parse_v1_line(std::string_view line, std::size_t size) {
  proxy_header made;
  made.size = size;
  // As many spaces as there are, and no space at the end.
  const bool has_five_words = std::count(line.begin(), line.end(), ' ') == 4;
  const auto transport = next_word(line);
  if (transport == "UNKNOWN") { // whatever comes behind it
    made.is_local = true;
    return made;
  }
  const bool is_v4 = transport == "TCP4";
  if (!is_v4 && transport != "TCP6")
    return proxy_error{"PROXY v1: the transport is none of TCP4, TCP6, "
                       "UNKNOWN"};
  if (!has_five_words)
    return proxy_error{"PROXY v1: not two addresses and two ports with one "
                       "space between each"};
  const auto family = is_v4 ? AF_INET : AF_INET6;
  const auto from = next_word(line);
  const auto to = next_word(line);
  const auto from_port = parse_port(next_word(line));
  const auto to_port = parse_port(line);
  if (!from_port || !to_port)
    return proxy_error{"PROXY v1: a port is no number from 0 to 65535"};
  made.source = parse_address(family, from, *from_port);
  made.destination = parse_address(family, to, *to_port);
  if (!made.source || !made.destination)
    return proxy_error{"PROXY v1: an address is none of the transport named"};
  return made;
}

proxy_result parse_v1(std::string_view in) {
  const auto line_end = in.substr(0, v1_max).find_first_of("\r\n");
  if (line_end == std::string_view::npos) {
    if (in.size() + 2 > v1_max)
      return proxy_error{"PROXY v1: no CR LF within 107 bytes"};
    // The shortest lines of all, of TCP4 and of TCP6.
    std::size_t size_min = std::strlen("PROXY UNKNOWN\r\n");
    if (in.starts_with("PROXY TCP4"))
      size_min = std::strlen("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n");
    else if (in.starts_with("PROXY TCP6"))
      size_min = std::strlen("PROXY TCP6 :: :: 1 1\r\n");
    return proxy_incomplete{std::max(size_min, in.size() + 2)};
  }
  const auto size = line_end + 2;
  if (in[line_end] == '\n' || size > v1_max
      || (in.size() >= size && in[line_end + 1] != '\n'))
    return proxy_error{"PROXY v1: the line does not end with CR LF"};
  if (in.size() < size)
    return proxy_incomplete{size};
  return parse_v1_line(in.substr(v1_begin.size(), line_end - v1_begin.size()),
                       size);
}

// ---- version 2 (section 2.2) ------------------------------------------------

constexpr std::string_view v2_signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t v2_fixed = 16;

enum tlv_type : std::uint8_t {
  tlv_authority = 0x02,
  tlv_crc32c = 0x03,
  tlv_unique_id = 0x05,
  tlv_ssl = 0x20,
  tlv_ssl_version = 0x21,
  tlv_ssl_common_name = 0x22,
};

struct tlv {
  std::uint8_t type;
  bytes_view value;
};

/// Takes a type, a length and a value off the front.
/// @returns nothing if there are fewer bytes than that.
std::optional<tlv> next_tlv(bytes_view& in) {
  if (in.size() < 3)
    return std::nullopt;
  const auto type = in[0];
  const auto size = read_u16(in.subspan(1));
  if (in.size() - 3 < size)
    return std::nullopt;
  const tlv made{type, in.subspan(3, size)};
  in = in.subspan(3 + size);
  return made;
}

std::array<std::uint32_t, 256> make_crc32c_table() {
  std::array<std::uint32_t, 256> made{};
  for (std::uint32_t i = 0; i != made.size(); ++i) {
    auto x = i;
    for (int bit = 0; bit != 8; ++bit)
      x = (x >> 1U) ^ ((x & 1U) != 0 ? 0x82F63B78U : 0U);
    made[i] = x;
  }
  return made;
}

/// CRC-32C of the header with the four bytes at `hole` taken as zeros.
std::uint32_t crc32c_without(bytes_view in, std::size_t hole) {
  static const auto table = make_crc32c_table();
  std::uint32_t crc = 0xFFFF'FFFF;
  for (std::size_t i = 0; i != in.size(); ++i) {
    const auto byte = i >= hole && i < hole + 4 ? 0U : in[i];
    crc = table[(crc ^ byte) & 0xFFU] ^ (crc >> 8U);
  }
  return ~crc;
}

/// @returns what is wrong, or null.
const char* read_tls(bytes_view in, proxy_header& into) {
  if (into.tls)
    return "PROXY v2: the SSL TLV is there twice";
  if (in.size() < 5)
    return "PROXY v2: the SSL TLV is shorter than 5 bytes";
  proxy_tls made;
  made.over_tls = (in[0] & 1U) != 0;
  made.certificate_now = (in[0] & 2U) != 0;
  made.certificate_in_session = (in[0] & 4U) != 0;
  made.verify_result = read_u32(in.subspan(1));
  in = in.subspan(5);
  bool is_named = false;
  while (!in.empty()) {
    const auto one = next_tlv(in);
    if (!one)
      return "PROXY v2: a TLV in the SSL TLV is longer than it";
    const auto text = as_text(one->value);
    if (one->type == tlv_ssl_version) {
      made.version = text;
    } else if (one->type == tlv_ssl_common_name) {
      if (std::exchange(is_named, true))
        return "PROXY v2: the common name is there twice";
      // It becomes a user name, which has to be text of MQTT.
      if (!protocol::is_valid_utf8(text))
        return "PROXY v2: the common name is no UTF-8 text";
      made.common_name = text;
    }
  }
  into.tls = std::move(made);
  return nullptr;
}

/// @param in     the TLVs.
/// @param whole  the header that they are in.
/// @returns what is wrong, or null.
const char* read_tlvs(bytes_view in, bytes_view whole, proxy_header& into) {
  bool is_checked = false;
  while (!in.empty()) {
    const auto one = next_tlv(in);
    if (!one)
      return "PROXY v2: a TLV is longer than the header";
    switch (one->type) {
    case tlv_authority:
      into.authority = as_text(one->value);
      break;
    case tlv_crc32c:
      if (std::exchange(is_checked, true))
        return "PROXY v2: the checksum is there twice";
      if (one->value.size() != 4)
        return "PROXY v2: the checksum has not 4 bytes";
      if (read_u32(one->value)
          != crc32c_without(
            whole, static_cast<std::size_t>(one->value.data() - whole.data())))
        return "PROXY v2: the checksum is wrong";
      break;
    case tlv_unique_id:
      if (one->value.size() > 128)
        return "PROXY v2: the unique id is longer than 128 bytes";
      break;
    case tlv_ssl:
      if (const auto* wrong = read_tls(one->value, into))
        return wrong;
      break;
    default: // padding, and what later versions add
      break;
    }
  }
  return nullptr;
}

/// Bytes of both addresses and ports; nothing: not ours.
std::optional<std::size_t> addresses_size(std::uint8_t family_and_transport) {
  switch (family_and_transport) {
  case 0x00: // unspecified
    return 0;
  case 0x11: // TCP over IPv4
    return 12;
  case 0x21: // TCP over IPv6
    return 36;
  case 0x31: // a Unix socket
    return 216;
  default: // datagrams, and what is not assigned
    return std::nullopt;
  }
}

proxy_result parse_v2(bytes_view in) {
  if (in.size() > 12 && in[12] >> 4U != 2)
    return proxy_error{"PROXY v2: the version is not 2"};
  if (in.size() > 12 && (in[12] & 0x0FU) > 1)
    return proxy_error{"PROXY v2: the command is neither LOCAL nor PROXY"};
  if (in.size() < v2_fixed)
    return proxy_incomplete{v2_fixed};
  const std::size_t length = read_u16(in.subspan(14));
  if (length > proxy_length_max)
    return proxy_error{"PROXY v2: longer than 4096 bytes"};
  const auto size = v2_fixed + length;
  proxy_header made;
  made.size = size;
  made.is_local = (in[12] & 0x0FU) == 0;
  const auto addresses = addresses_size(in[13]);
  if (!made.is_local) {
    if (!addresses)
      return proxy_error{"PROXY v2: neither TCP over IPv4 or IPv6, nor a Unix "
                         "socket, nor unspecified"};
    if (*addresses > length)
      return proxy_error{"PROXY v2: too short for its addresses"};
  }
  if (in.size() < size)
    return proxy_incomplete{size};
  if (made.is_local) // the rest is to be passed over, whatever it is
    return made;
  const auto whole = in.first(size);
  const auto body = whole.subspan(v2_fixed);
  if (in[13] == 0x11 || in[13] == 0x21) {
    const std::size_t each = in[13] == 0x11 ? 4 : 16;
    const auto ports = body.subspan(2 * each);
    made.source = endpoint::from_bytes(body.first(each), read_u16(ports));
    made.destination = endpoint::from_bytes(body.subspan(each, each),
                                            read_u16(ports.subspan(2)));
  } else {
    made.is_local = true;
  }
  if (const auto* wrong = read_tlvs(body.subspan(*addresses), whole, made))
    return proxy_error{wrong};
  return made;
}

} // namespace

proxy_result proxy_parse(bytes_view in) {
  const auto text = as_text(in);
  if (in.empty()) // the shortest header of both versions
    return proxy_incomplete{std::strlen("PROXY UNKNOWN\r\n")};
  if (agrees(text, v1_begin))
    return parse_v1(text);
  if (agrees(text, v2_signature))
    return parse_v2(in);
  return proxy_error{"no PROXY header: the first bytes are none"};
}

} // namespace troupe::net
