#pragma once
// Addresses of clients and the networks they are in.

#include "net/tcp.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace troupe::auth {

/// An IPv4 or IPv6 address without a port. An IPv4 address that IPv6 carries
/// (`::ffff:10.0.0.1`) is the IPv4 one.
struct address {
  std::array<std::uint8_t, 16> bytes{}; ///< network order; IPv4: the first four
  bool v6 = false;

  /// "10.0.0.1", "::1"; names are not resolved.
  static std::optional<address> parse(std::string_view text);
  /// Of a client; none if it came over a Unix socket.
  static std::optional<address> of(const net::endpoint& peer) noexcept;

  unsigned width() const noexcept { return v6 ? 128 : 32; } ///< in bits
  /// With all bits behind the first `prefix` zero.
  address masked(unsigned prefix) const noexcept;
  std::string to_string() const;

  friend bool operator==(const address&, const address&) = default;
};

/// Addresses with common leading bits; IPv4 and IPv6 ones are never in the
/// same.
struct network {
  address base; ///< bits behind the prefix are zero
  std::uint8_t prefix = 0;

  /// "10.0.0.0/8", "fe80::/10", or one address.
  /// @returns what is wrong and how to mend it, if it is none.
  static std::variant<network, std::string> parse(std::string_view text);

  bool contains(const address& a) const noexcept {
    return a.v6 == base.v6 && a.masked(prefix) == base;
  }
  std::string to_string() const;

  friend bool operator==(const network&, const network&) = default;
};

} // namespace troupe::auth
