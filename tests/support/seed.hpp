#pragma once
// Where random tests begin.

#include <cstdint>
#include <cstdlib>
#include <random>

namespace troupe::test {

/// The seed of a random test: new each time, or the one in TROUPE_TEST_SEED.
inline std::uint32_t test_seed() {
  if (const char* given = std::getenv("TROUPE_TEST_SEED"))
    return static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
  return std::random_device{}();
}

} // namespace troupe::test
