#pragma once
// Where random tests begin.

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>

namespace troupe::test {

/// The seed in TROUPE_TEST_SEED: of a run that is to be had again.
inline std::optional<std::uint32_t> given_seed() {
  const char* given = std::getenv("TROUPE_TEST_SEED");
  if (given == nullptr)
    return std::nullopt;
  return static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
}

/// The seed of a random test: new each time, or the given one.
inline std::uint32_t test_seed() {
  const auto given = given_seed();
  return given ? *given : std::random_device{}();
}

inline std::string say_seed(std::uint32_t seed) {
  return "TROUPE_TEST_SEED=" + std::to_string(seed);
}

/// How long `./dev chaos` wants it.
inline std::chrono::duration<double> chaos_time() {
  const char* seconds = std::getenv("TROUPE_CHAOS_SECONDS");
  return std::chrono::duration<double>{
    seconds == nullptr ? 0 : std::strtod(seconds, nullptr)};
}

/// Calls `run(seed)` for `first` and the seeds behind it: until `time` has
/// passed, and `least` times.
/// @returns for how many.
template <class F>
std::uint32_t run_seeds(std::uint32_t first, std::uint32_t least,
                        std::chrono::duration<double> time, F&& run) {
  const auto began = std::chrono::steady_clock::now();
  std::uint32_t count = 0;
  do {
    run(first + count);
    ++count;
  } while (count < least || std::chrono::steady_clock::now() - began < time);
  return count;
}

} // namespace troupe::test
