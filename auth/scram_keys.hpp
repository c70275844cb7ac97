#pragma once
// What a server keeps of a password for SCRAM-SHA-256 (RFC 5802, RFC 7677).

#include "auth/secrets.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::auth {

/// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` (RFC 5803, as
/// PostgreSQL writes it). Whoever reads them can try passwords offline at the
/// price of `iterations` of PBKDF2, and can pose as the server.
struct scram_keys {
  static constexpr std::uint32_t iterations_min = 4'096; ///< RFC 7677
  /// The client computes them at each connect: small devices take seconds
  /// for 100,000.
  static constexpr std::uint32_t iterations_max = 1'000'000;
  static constexpr std::uint32_t iterations_default = 16'384;

  std::uint32_t iterations = 0;
  std::string salt; ///< 8 to 64 bytes
  digest stored_key{};
  digest server_key{};

  static parsed<scram_keys> parse(std::string_view text);
  /// @error  the password is none that `scram_prepared` takes, or the number
  ///         of iterations is out of range.
  static parsed<scram_keys> make(std::string_view password,
                                 std::uint32_t iterations);
  /// From a salt that is given, as in test vectors.
  static scram_keys derive(std::string_view password, std::string salt,
                           std::uint32_t iterations);
  std::string text() const;
};

/// SASLprep (RFC 4013) changes nothing about printable ASCII and prohibits its
/// control characters. Beyond ASCII it needs tables of Unicode that are not
/// here: such names and passwords are refused for SCRAM rather than compared
/// in another form than the client's. @returns whether `text` can be used.
bool scram_prepared(std::string_view text) noexcept;

} // namespace troupe::auth
