// From publisher to subscriber, across reactors.

#include "tests/actors/manual_node.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::test;

BOOST_AUTO_TEST_CASE(smoke) {
  manual_node node{options_with(2, 5ms)};
  auto& a = node.connect(0, {.id = "a"});
  auto& b = node.connect(1, {.id = "b"});
  node.subscribe(a, "t/#");
  b.publish("t/1", "x");
  node.settle();
  BOOST_TEST(a.payloads() == std::vector<std::string>{"x"},
             boost::test_tools::per_element());
  node.shut_down();
  BOOST_TEST(node.running_actors() == 0U);
}
