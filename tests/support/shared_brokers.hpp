#pragma once
// Include once per test program: ends the brokers that its cases share.

#include "tests/support/broker.hpp"

#include <boost/test/results_collector.hpp>
#include <boost/test/unit_test.hpp>

namespace troupe::test {

struct shared_brokers {
  shared_brokers() = default;
  ~shared_brokers() {
    namespace unit = boost::unit_test;
    const auto id = unit::framework::master_test_suite().p_id;
    end_shared_brokers(!unit::results_collector.results(id).passed());
  }
};

} // namespace troupe::test

using troupe::test::shared_brokers;
BOOST_TEST_GLOBAL_FIXTURE(shared_brokers);
