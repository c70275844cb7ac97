#pragma once
// PROXY protocol headers as a balancer sends them. Written apart from the
// production parser on purpose.

#include "tests/support/bytes.hpp"

#include <optional>
#include <string_view>

namespace troupe::test {

/// "PROXY TCP4 192.0.2.1 198.51.100.2 56324 1883\r\n"
bytes proxy_v1(std::string_view transport, std::string_view source,
               std::string_view destination, unsigned source_port,
               unsigned destination_port);

/// A type, two bytes of length, the value.
bytes proxy_tlv(unsigned type, std::string_view value);

/// The TLV of type 0x20: client flags, the result of the verification, TLVs.
bytes proxy_ssl(unsigned flags, std::uint32_t verify, std::string_view inner);

/// What the two addresses and their ports are in version 2, for both families.
/// The addresses as 4 or 16 bytes.
bytes proxy_addresses(std::string_view source, std::string_view destination,
                      unsigned source_port, unsigned destination_port);

/// A whole header of version 2.
/// @param version_and_command  0x20 LOCAL, 0x21 PROXY.
/// @param family               0x00 unspecified, 0x11 TCP over IPv4, 0x21 over
///                             IPv6, 0x31 a Unix socket.
/// @param body                 addresses and TLVs.
bytes proxy_v2(unsigned version_and_command, unsigned family,
               std::string_view body);

/// As above with a checksum behind the body.
bytes proxy_v2_checked(unsigned version_and_command, unsigned family,
                       std::string_view body);

} // namespace troupe::test
