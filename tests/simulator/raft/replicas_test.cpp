// The production node with two more replicas of each of its shards, and model
// clients.

#include "tests/simulator/raft/replicas.hpp"
#include "tests/simulator/seeds.hpp"

using namespace troupe::simulator;

namespace {

machine_shape replicated() {
  machine_shape made;
  made.replicas = three_replicas();
  return made;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_seed_replays_exactly) { replays_exactly(replicated()); }

BOOST_AUTO_TEST_CASE(what_was_promised_is_kept) {
  const auto all = run_given_or_many(replicated(), 5s);
  if (!all)
    return;
  // Else the checks had nothing to look at.
  BOOST_TEST(all->replicas.lost > 0U);
  BOOST_TEST(all->replicas.foreign > 0U);
  BOOST_TEST(all->replicas.crashes > 0U);
  BOOST_TEST(all->replicas.compared > 20U);
}

/// Only by name, as `./dev chaos` does.
BOOST_AUTO_TEST_CASE(chaos, *boost::unit_test::disabled()) {
  run_chaos(replicated());
}
