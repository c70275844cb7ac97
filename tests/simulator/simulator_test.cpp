// The production node on a model machine, with model clients.

#include "tests/simulator/seeds.hpp"

using namespace troupe::simulator;

BOOST_AUTO_TEST_CASE(a_seed_replays_exactly) { replays_exactly({}); }

BOOST_AUTO_TEST_CASE(what_was_promised_is_kept) { run_given_or_many({}, 9s); }

/// Only by name, as `./dev chaos` does.
BOOST_AUTO_TEST_CASE(chaos, *boost::unit_test::disabled()) { run_chaos({}); }
