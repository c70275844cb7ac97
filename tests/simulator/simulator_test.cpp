// The production node on a model machine, with model clients.

#include "tests/simulator/simulation.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <iostream>

using namespace troupe::simulator;

namespace {

/// The seed to replay, if one was given.
std::optional<std::uint32_t> given_seed() {
  const char* text = std::getenv("TROUPE_SEED");
  if (text == nullptr)
    return std::nullopt;
  return static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}

struct totals {
  std::size_t runs = 0;
  run_result sum;
  void add(const run_result& x) {
    ++runs;
    sum.events += x.events;
    sum.crashes += x.crashes;
    sum.stops += x.stops;
    sum.publications += x.publications;
    sum.deliveries += x.deliveries;
    sum.elapsed += x.elapsed;
  }
};

/// Runs seeds one after the other until `seconds` have passed.
void run_seeds(std::uint32_t seed, double seconds) {
  using clock = std::chrono::steady_clock;
  const auto began = clock::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(clock::now() - began).count();
  };
  totals all;
  do {
    const auto result = simulate({.seed = seed++});
    all.add(result);
    BOOST_REQUIRE_MESSAGE(result.violations.empty(), result.report);
  } while (passed() < seconds);
  std::cout << all.runs << " runs, " << all.sum.events << " events ("
            << static_cast<std::uint64_t>(static_cast<double>(all.sum.events)
                                          / passed())
            << " per second), " << all.sum.crashes << " crashes, "
            << all.sum.stops << " stops, " << all.sum.publications
            << " publications, " << all.sum.deliveries << " deliveries, "
            << all.sum.elapsed.count() / 1'000 << " simulated seconds in "
            << passed() << " s\n";
}

} // namespace

BOOST_AUTO_TEST_CASE(a_seed_replays_exactly) {
  for (const std::uint32_t seed : {3U, 4U, 5U}) {
    const auto first = simulate({.seed = seed, .events = 1'000});
    const auto again = simulate({.seed = seed, .events = 1'000});
    BOOST_TEST(first.hash == again.hash, "seed " << seed);
    BOOST_TEST(first.events == again.events);
  }
}

BOOST_AUTO_TEST_CASE(what_was_promised_is_kept) {
  if (const auto seed = given_seed()) {
    const auto result = simulate({.seed = *seed, .lines = 100'000});
    BOOST_TEST(result.violations.empty(), result.report);
    return;
  }
  run_seeds(1, 12);
  const auto fresh = std::random_device{}();
  std::cout << "from TROUPE_SEED=" << fresh << " on\n";
  run_seeds(fresh, 12);
}

/// Only by name, as `./dev chaos` does.
BOOST_AUTO_TEST_CASE(chaos, *boost::unit_test::disabled()) {
  const char* seconds = std::getenv("TROUPE_CHAOS_SECONDS");
  const auto seed = given_seed().value_or(std::random_device{}());
  std::cout << "from TROUPE_SEED=" << seed << " on\n";
  run_seeds(seed, seconds == nullptr ? 0 : std::strtod(seconds, nullptr));
}
