#pragma once
// Users of other brokers, as text in and users out.

#include "auth/user_table.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::auth {

/// How EMQX made hashes that do not say it themselves: its file has them in
/// hexadecimal beside a salt of text.
struct hashed_with {
  hash_algorithm algorithm = hash_algorithm::salted_sha256;
  bool salt_first = false;      ///< `salt_position = prefix`
  std::uint32_t iterations = 0; ///< PBKDF2

  /// "sha256-suffix" (EMQX's default), "sha256-prefix", "sha512-suffix",
  /// "sha512-prefix", "pbkdf2-sha256:N", "pbkdf2-sha512:N".
  static parsed<hashed_with> parse(std::string_view text);
};

struct import_options {
  /// `user:password`, not a hash.
  bool plain = false;
  std::optional<hashed_with> hashes;
  user_limits limits;
};

struct imported_user {
  std::size_t line = 0;
  user who; ///< without a hash if there is a password
  std::optional<std::string> password;
};

struct imported_users {
  std::vector<imported_user> users;
  user_problems problems;
};

/// Reads a password file of mosquitto (`user:hash`, or `user:password` with
/// `plain`), or a CSV as EMQX exports it, which its first line says:
/// `user_id,password_hash,salt,is_superuser` or `user_id,password,...`, the
/// columns in any order. Computes no hash. Nothing of it is to be used if
/// there are problems.
imported_users import_users(std::string_view text,
                            const import_options& options);

} // namespace troupe::auth
