#pragma once
// What hashes and keys are made with. OpenSSL beneath; all of it thread-safe.

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/try.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::auth {

/// A value, or what is wrong with the text and how to mend it, as a sentence
/// for whoever wrote that text.
template <class T>
using parsed =
  boost::outcome_v2::basic_result<T, std::string,
                                  boost::outcome_v2::policy::terminate>;

/// The output of SHA-256.
using digest = std::array<std::uint8_t, 32>;

inline std::string_view view(const digest& x) noexcept {
  return {reinterpret_cast<const char*>(x.data()), x.size()};
}

/// From the operating system's source. @throws std::runtime_error if that
/// fails: nothing secret can be made then.
std::string random_bytes(std::size_t count);

/// In a time that depends on the sizes only. Unlike sizes are unequal.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

/// Overwrites what was secret, also where the compiler thinks nobody looks.
void wipe(std::string& secret) noexcept;

digest sha256(std::string_view text);
/// @returns 64 bytes.
std::string sha512(std::string_view text);
digest hmac_sha256(std::string_view key, std::string_view text);

enum class hmac_hash : std::uint8_t { sha256, sha512 };
/// PBKDF2 of RFC 8018 with HMAC. Takes about 0.5 us for each iteration.
std::string pbkdf2(hmac_hash with, std::string_view password,
                   std::string_view salt, std::uint32_t iterations,
                   std::size_t size);

enum class base64 : std::uint8_t {
  padded,   ///< RFC 4648 section 4, with its `=`
  unpadded, ///< the same without `=`, as in PHC strings
  adapted,  ///< without `=` and with `.` for `+`, as passlib writes PBKDF2
};
std::string to_base64(std::string_view bytes, base64 form);
/// Takes exactly what `to_base64` makes; with `adapted` also `+`.
/// @returns none if `text` is anything else, surplus bits included.
std::optional<std::string> from_base64(std::string_view text, base64 form);

/// Lower-case.
std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view text);

/// Digits alone, without sign or space. @returns none beyond 32 bits.
std::optional<std::uint32_t> to_number(std::string_view text) noexcept;

} // namespace troupe::auth
