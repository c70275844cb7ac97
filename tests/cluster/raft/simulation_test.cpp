// Three replicas of every shard, with crashes and a network that does what
// networks do: nothing committed is lost, and all replicas agree.

#include "tests/cluster/raft/simulation.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::test;

namespace {

/// Runs seed after seed.
/// @returns what was found; nullopt: nothing.
std::optional<std::string> run_once(std::uint32_t seed, broken_rule broken,
                                    simulation_counters& sum) {
  simulation_options options;
  options.seed = seed;
  options.broken = broken;
  raft_simulation simulation{options};
  auto wrong = simulation.run();
  const auto& one = simulation.counters();
  sum.agreed.committed += one.agreed.committed;
  sum.acknowledged += one.acknowledged;
  sum.lost += one.lost;
  sum.agreed.leaders += one.agreed.leaders;
  sum.crashes += one.crashes;
  sum.truncations += one.truncations;
  sum.agreed.compared += one.agreed.compared;
  sum.messages += one.messages;
  sum.fingerprint ^= one.fingerprint;
  return wrong;
}

/// The simulation has to notice that `broken` is, with one of a few seeds. One
/// of the first is enough as things are.
void is_noticed(broken_rule broken, std::uint32_t first = 1) {
  simulation_counters sum;
  for (auto seed = first; seed < first + 60; ++seed)
    if (const auto wrong = run_once(seed, broken, sum)) {
      BOOST_TEST_MESSAGE("seed " << seed << ": " << *wrong);
      return;
    }
  BOOST_ERROR("not noticed in 60 runs with " << sum.crashes << " crashes");
}

} // namespace

BOOST_AUTO_TEST_SUITE(raft)

// With TROUPE_CHAOS_SECONDS in the environment for as long as that.
BOOST_AUTO_TEST_CASE(what_is_committed_stays_and_replicas_agree) {
  const auto first = test_seed();
  simulation_counters sum;
  const auto runs = run_seeds(first, 4, chaos_time(), [&](std::uint32_t seed) {
    const auto wrong = run_once(seed, broken_rule::none, sum);
    BOOST_REQUIRE_MESSAGE(!wrong, say_seed(seed) << ": " << wrong.value_or(""));
  });
  BOOST_TEST_MESSAGE(say_seed(first)
                     << ", " << runs << " runs: " << sum.agreed.committed
                     << " committed, " << sum.acknowledged << " acknowledged, "
                     << sum.lost << " lost, " << sum.agreed.leaders
                     << " leaders, " << sum.crashes << " crashes, "
                     << sum.truncations << " truncations, "
                     << sum.agreed.compared << " states compared, "
                     << sum.messages << " messages");
  // Else the checks had nothing to look at.
  BOOST_TEST(sum.acknowledged > 100U);
  BOOST_TEST(sum.lost > 0U);
  BOOST_TEST(sum.crashes > 0U);
  BOOST_TEST(sum.agreed.compared > 20U);
}

BOOST_AUTO_TEST_CASE(a_seed_leads_to_the_same_run_again) {
  simulation_counters one;
  simulation_counters other;
  run_once(7, broken_rule::none, one);
  run_once(7, broken_rule::none, other);
  BOOST_TEST(one.fingerprint == other.fingerprint);
  simulation_counters different;
  run_once(8, broken_rule::none, different);
  BOOST_TEST(one.fingerprint != different.fingerprint);
}

BOOST_AUTO_TEST_CASE(a_reply_before_the_fsync_is_noticed) {
  is_noticed(broken_rule::replies_wait_for_fsync);
}

BOOST_AUTO_TEST_CASE(a_vote_before_the_fsync_is_noticed) {
  is_noticed(broken_rule::votes_wait_for_fsync, 10);
}

BOOST_AUTO_TEST_CASE(applying_before_the_fsync_is_noticed) {
  is_noticed(broken_rule::apply_waits_for_fsync);
}

BOOST_AUTO_TEST_CASE(a_conflicting_suffix_that_stays_is_noticed) {
  is_noticed(broken_rule::conflicting_suffix_goes, 18);
}

BOOST_AUTO_TEST_SUITE_END()
