#include "tests/support/proxy_header.hpp"

namespace troupe::test {

namespace {

/// CRC-32C, a bit at a time.
std::uint32_t crc32c(std::string_view in) {
  std::uint32_t crc = ~0U;
  for (const auto c : in) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int i = 0; i < 8; ++i)
      crc = (crc & 1U) != 0 ? crc >> 1U ^ 0x82F63B78U : crc >> 1U;
  }
  return ~crc;
}

} // namespace

bytes proxy_v1(std::string_view transport, std::string_view source,
               std::string_view destination, unsigned source_port,
               unsigned destination_port) {
  bytes out = "PROXY ";
  out.append(transport).append(" ").append(source).append(" ");
  out.append(destination).append(" ");
  return out + std::to_string(source_port) + ' '
         + std::to_string(destination_port) + "\r\n";
}

bytes proxy_tlv(unsigned type, std::string_view value) {
  return u8(type) + text(value);
}

bytes proxy_ssl(unsigned flags, std::uint32_t verify, std::string_view inner) {
  return proxy_tlv(0x20, u8(flags) + u32(verify) + bytes{inner});
}

bytes proxy_addresses(std::string_view source, std::string_view destination,
                      unsigned source_port, unsigned destination_port) {
  return bytes{source} + bytes{destination} + u16(source_port)
         + u16(destination_port);
}

bytes proxy_v2(unsigned version_and_command, unsigned family,
               std::string_view body) {
  return raw({0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54,
              0x0A})
         + u8(version_and_command) + u8(family) + text(body);
}

bytes proxy_v2_checked(unsigned version_and_command, unsigned family,
                       std::string_view body) {
  auto out = proxy_v2(version_and_command, family,
                      bytes{body} + proxy_tlv(0x03, u32(0)));
  const auto crc = u32(crc32c(out));
  return out.replace(out.size() - crc.size(), crc.size(), crc);
}

} // namespace troupe::test
