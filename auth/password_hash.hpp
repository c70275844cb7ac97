#pragma once
// Salted hashes of passwords: read, made, compared.

#include "auth/secrets.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::auth {

enum class hash_algorithm : std::uint8_t {
  argon2id,         ///< `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, RFC 9106
  pbkdf2_sha256,    ///< `$pbkdf2-sha256$iterations$salt$hash`, as passlib
  pbkdf2_sha512,    ///< `$pbkdf2-sha512$iterations$salt$hash`, as passlib
  bcrypt,           ///< `$2b$`, `$2y$` or `$2a$`, crypt(5)
  sha512_crypt,     ///< `$6$salt$hash` or `$6$rounds=n$salt$hash`, crypt(5)
  mosquitto_pbkdf2, ///< `$7$iterations$salt$hash`, mosquitto_passwd 2
  mosquitto_sha512, ///< `$6$salt$hash` in base64, mosquitto_passwd 1
  salted_sha256,    ///< `$sha256$prefix|suffix$salt$hash`: EMQX's default
  salted_sha512,    ///< `$sha512$prefix|suffix$salt$hash`
};

/// "argon2id", "pbkdf2-sha512", ...
std::string_view to_string(hash_algorithm x) noexcept;

/// What a hash costs to compute. A file that says more than the limits below
/// is refused: whoever can write it must not take the broker's memory or time.
struct hash_cost {
  std::uint32_t memory_kib = 19'456;    ///< argon2id alone
  std::uint32_t passes = 2;             ///< argon2id alone: t
  std::uint32_t lanes = 1;              ///< argon2id alone: p, on one thread
  std::uint32_t iterations = 210'000;   ///< PBKDF2
  std::uint32_t bcrypt_log = 10;        ///< 2^n rounds
  std::uint32_t crypt_rounds = 100'000; ///< SHA-512-crypt

  static constexpr std::uint32_t memory_kib_max = 1'048'576;
  /// `memory_kib * passes`: what one hash may write, about 4 s.
  static constexpr std::uint64_t written_kib_max = 4'194'304;
  static constexpr std::uint32_t lanes_max = 16;
  static constexpr std::uint32_t iterations_max = 5'000'000;
  static constexpr std::uint32_t bcrypt_log_max = 16;
  static constexpr std::uint32_t crypt_rounds_max = 5'000'000;

  bool operator==(const hash_cost&) const = default;
};

/// A hash of a password, as a file has it. Small; to compare is slow by
/// design (0.1 ms to seconds) and belongs on a `hash_pool`.
class password_hash {
public:
  /// Never computes anything.
  static parsed<password_hash> parse(std::string_view text);
  /// Takes as long as to compare.
  /// @error a sentence: what of `cost` or `password` does not do. bcrypt and
  /// SHA-512-crypt take no NUL and 72 or 511 bytes, the others 65,535 bytes;
  /// the formats that are for import alone are not made.
  static parsed<password_hash> make(hash_algorithm with, const hash_cost& cost,
                                    std::string_view password);
  /// One that costs the same and that no password has.
  password_hash decoy() const;

  /// @throws std::runtime_error, std::bad_alloc  it could not be computed.
  bool verify(std::string_view password) const;

  hash_algorithm algorithm() const noexcept { return algorithm_; }
  /// `parse` reads it to the same.
  std::string text() const;
  /// Do both cost the same to compute?
  bool costs_as(const password_hash& other) const noexcept;
  /// The parameters in few words: "m=19456,t=2,p=1", "iterations=101".
  std::string cost_text() const;

private:
  friend class hash_parser;
  /// Of all algorithms but those of crypt(3).
  std::string compute(std::string_view password) const;

  hash_algorithm algorithm_ = hash_algorithm::argon2id;
  bool salt_first_ = false;  ///< salted_*
  std::uint32_t rounds_ = 0; ///< t, iterations, bcrypt's logarithm, rounds
  std::uint32_t memory_kib_ = 0;
  std::uint32_t lanes_ = 0;
  std::string salt_; ///< bytes; of crypt(3): everything before the hash
  std::string hash_; ///< bytes; of crypt(3): its letters
};

/// The least and the most that can be said of each, as a sentence.
/// @returns empty if `cost` does.
std::string problem_of(const hash_cost& cost);

} // namespace troupe::auth
