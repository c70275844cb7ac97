#pragma once
// Users that are quick to check, for tests of authentication.

#include "auth/user_table.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace troupe::tests {

inline auth::hash_cost cheap() {
  auth::hash_cost x;
  x.memory_kib = 64;
  x.passes = 1;
  x.iterations = 1'000;
  x.bcrypt_log = 4;
  x.crypt_rounds = 1'000;
  return x;
}

inline std::string cheap_hash(std::string_view password) {
  return auth::password_hash::make(auth::hash_algorithm::argon2id, cheap(),
                                   password)
    .value()
    .text();
}

inline std::shared_ptr<const auth::user_table>
table_of(const std::string& text) {
  auto read = auth::user_table::parse(text);
  if (!read)
    BOOST_FAIL(read.error().listed.front().in("users"));
  return read.value();
}

} // namespace troupe::tests
