#pragma once
// Runs of the simulator in tests: many seeds, or the one that is given.

#include "tests/simulator/simulation.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <initializer_list>
#include <iostream>
#include <optional>
#include <string_view>

namespace troupe::simulator {

/// The line that has a run again. The program tells how many replicas there
/// are.
inline std::string replay_line(std::uint32_t seed) {
  namespace framework = boost::unit_test::framework;
  return test::say_seed(seed) + ' ' + framework::master_test_suite().argv[0]
         + " --run_test=what_was_promised_is_kept";
}

inline void has_no_violation(const run_options& how) {
  const auto result = simulate(how);
  BOOST_REQUIRE_MESSAGE(result.violations.empty(),
                        replay_line(how.seed) + '\n' + result.report);
}

/// Runs seeds one after the other until `time` has passed. None may find
/// anything.
/// @returns sums.
inline run_result find_nothing(const machine_shape& machine, std::uint32_t seed,
                               std::chrono::duration<double> time) {
  run_result sum;
  const auto began = std::chrono::steady_clock::now();
  const auto runs = test::run_seeds(seed, 1, time, [&](std::uint32_t next) {
    const auto x = simulate({.seed = next, .machine = machine});
    sum.events += x.events;
    sum.crashes += x.crashes;
    sum.stops += x.stops;
    sum.publications += x.publications;
    sum.deliveries += x.deliveries;
    sum.elapsed += x.elapsed;
    sum.replicas += x.replicas;
    BOOST_REQUIRE_MESSAGE(x.violations.empty(),
                          replay_line(next) + '\n' + x.report);
  });
  const std::chrono::duration<double> passed =
    std::chrono::steady_clock::now() - began;
  std::cout << runs << " runs, " << sum.events << " events ("
            << static_cast<std::uint64_t>(static_cast<double>(sum.events)
                                          / passed.count())
            << " per second), " << sum.crashes << " crashes, " << sum.stops
            << " stops, " << sum.publications << " publications, "
            << sum.deliveries << " deliveries, " << sum.elapsed.count() / 1'000
            << " simulated seconds in " << passed.count() << " s\n";
  if (const auto& of = sum.replicas; of.messages != 0)
    std::cout << of.messages << " messages between replicas, " << of.committed
              << " entries committed, " << of.lost << " lost, " << of.foreign
              << " that the node did not propose, " << of.leaders
              << " leaders, " << of.crashes << " crashes of others, "
              << of.compared << " states compared\n";
  return sum;
}

/// The given seed with all of its events; else those from 1 on for some
/// `time`, and new ones for as long.
/// @returns sums of the first ones; none if a seed was given.
inline std::optional<run_result>
run_given_or_many(const machine_shape& machine,
                  std::chrono::duration<double> time) {
  if (const auto seed = test::given_seed()) {
    has_no_violation({.seed = *seed, .lines = 100'000, .machine = machine});
    return std::nullopt;
  }
  auto first = find_nothing(machine, 1, time);
  const auto fresh = std::random_device{}();
  std::cout << "from " << test::say_seed(fresh) << " on\n";
  find_nothing(machine, fresh, time);
  return first;
}

/// As long as `./dev chaos` says.
inline void run_chaos(const machine_shape& machine) {
  const auto seed = test::test_seed();
  std::cout << "from " << test::say_seed(seed) << " on\n";
  find_nothing(machine, seed, test::chaos_time());
}

inline void replays_exactly(const machine_shape& machine) {
  for (const std::uint32_t seed : {3U, 4U, 5U}) {
    const run_options how{.seed = seed, .events = 1'000, .machine = machine};
    const auto first = simulate(how);
    const auto again = simulate(how);
    BOOST_TEST(first.hash == again.hash, "seed " << seed);
    BOOST_TEST(first.events == again.events);
  }
}

/// Runs up to `runs` seeds until one finds something, which has to be one of
/// `expected`: invariants, or "node" for a node that refuses to go on.
inline void finds(const machine_shape& broken,
                  std::initializer_list<const char*> expected,
                  std::uint32_t runs = 100, std::uint32_t first_seed = 1) {
  std::size_t events = 0;
  for (auto seed = first_seed; seed < first_seed + runs; ++seed) {
    const auto result = simulate({.seed = seed, .machine = broken});
    events += result.events;
    if (result.violations.empty())
      continue;
    const auto& first = result.violations.front();
    std::cout << "run " << seed << ", " << events << " events: " << first
              << '\n';
    bool right = false;
    for (const std::string_view what : expected)
      right |= first.starts_with(what);
    BOOST_TEST(right, result.report);
    return;
  }
  BOOST_ERROR("nothing was found in " << runs << " runs, " << events
                                      << " events");
}

} // namespace troupe::simulator
