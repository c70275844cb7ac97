// The simulator notices when a rule of replication is broken: by the node, or
// by the replicas around it. Rules about votes, and about entries that gave
// way, need more elections: tests/cluster/raft breaks these.

#include "tests/simulator/raft/replicas.hpp"
#include "tests/simulator/seeds.hpp"

using namespace troupe::simulator;
using troupe::test::broken_rule;

namespace {

machine_shape with(const broken_replication& broken) {
  machine_shape made;
  made.replicas = three_replicas(broken);
  return made;
}

machine_shape with(broken_rule broken) {
  return with(broken_replication{.rule = broken});
}

} // namespace

BOOST_AUTO_TEST_CASE(an_acknowledgement_before_a_majority_has_it_is_noticed) {
  // Seldom: the entries that only the node has must be lost to it.
  finds(with({.own_disk_is_enough = true}), {"I", "replicas"}, 100, 24);
}

BOOST_AUTO_TEST_CASE(a_node_that_does_not_wait_for_its_own_disk_is_noticed) {
  auto shape = with(broken_rule::none);
  shape.broken.tells_before_it_writes = true;
  finds(shape, {"I", "node", "replicas"});
}

BOOST_AUTO_TEST_CASE(a_reply_before_the_fsync_is_noticed) {
  finds(with(broken_rule::replies_wait_for_fsync), {"I", "node", "replicas"});
}

BOOST_AUTO_TEST_CASE(applying_before_the_fsync_is_noticed) {
  finds(with(broken_rule::apply_waits_for_fsync), {"I", "node", "replicas"});
}
