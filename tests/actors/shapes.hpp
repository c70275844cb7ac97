#pragma once
// The shapes of node that matter: reactors, and how long a log takes.

#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>

namespace troupe::test {

/// Runs `f(homes, log_delay)`.
template <class F>
void on_every_shape(F&& f) {
  for (const std::size_t homes : {1U, 2U, 3U})
    for (const auto delay :
         {std::chrono::milliseconds{0}, std::chrono::milliseconds{5}})
      BOOST_TEST_CONTEXT(homes << " homes, log delay " << delay.count())
  f(homes, delay);
}

/// Runs `f(homes, log_delay, seed)`, each with a seed of its own.
template <class F>
void on_every_shape_at_random(F&& f) {
  const auto seed = test_seed();
  std::uint32_t round = 0;
  on_every_shape([&](std::size_t homes, std::chrono::milliseconds delay) {
    BOOST_TEST_CONTEXT("TROUPE_TEST_SEED=" << seed)
    f(homes, delay, seed + round++);
  });
}

} // namespace troupe::test
