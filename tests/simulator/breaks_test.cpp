// The simulator notices when a rule is broken: each case breaks one in the
// production code, and some run has to find it.

#include "cluster/rows.hpp"
#include "tests/simulator/seeds.hpp"

using namespace troupe::simulator;
using troupe::cluster::row_family;

namespace {

machine_shape losing(row_family what) {
  machine_shape shape;
  shape.broken.loses_family = static_cast<std::uint8_t>(what);
  return shape;
}

} // namespace

BOOST_AUTO_TEST_CASE(an_acknowledgement_before_the_commit_is_noticed) {
  machine_shape shape;
  shape.broken.tells_before_it_writes = true;
  finds(shape, {"I", "node"});
}

BOOST_AUTO_TEST_CASE(a_write_without_sync_is_noticed) {
  machine_shape shape;
  shape.sync = false;
  finds(shape, {"I", "node"});
}

BOOST_AUTO_TEST_CASE(a_log_trimmed_before_the_state_has_synced_is_noticed) {
  machine_shape shape;
  shape.broken.tells_before_it_syncs = true;
  finds(shape, {"I", "node"});
}

BOOST_AUTO_TEST_CASE(rows_without_their_applied_index_are_noticed) {
  finds(losing(row_family::applied), {"I", "node"});
}

BOOST_AUTO_TEST_CASE(a_forgotten_duplicate_filter_is_noticed) {
  // I7: a Will that comes twice, as QoS 2 that comes twice is an I2.
  finds(losing(row_family::inbound), {"I2", "I7", "I9"});
}

BOOST_AUTO_TEST_CASE(a_packet_identifier_used_again_is_noticed) {
  machine_shape shape;
  shape.reuses_identifiers = true;
  finds(shape, {"I4"});
}
