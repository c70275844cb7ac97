// The queue in one block of memory, compared with std::deque.

#include "protocol/ring.hpp"
#include "tests/rules/support.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>

using troupe::protocol::ring;

namespace {

/// Owns memory, so that a sanitizer sees what is destroyed twice or never.
struct owned {
  explicit owned(int x) : value(std::make_unique<int>(x)) {}
  std::unique_ptr<int> value;
};

void check_equal(ring<owned>& one, const std::deque<int>& other) {
  BOOST_REQUIRE(one.size() == other.size());
  BOOST_REQUIRE(one.empty() == other.empty());
  for (std::size_t i = 0; i < other.size(); ++i)
    BOOST_REQUIRE(*one[i].value == other[i]);
  if (!other.empty()) {
    BOOST_REQUIRE(*one.front().value == other.front());
    BOOST_REQUIRE(*one.back().value == other.back());
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(a_ring_does_what_a_deque_does) {
  const auto seed = troupe::test::test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (int round = 0; round < 20; ++round) {
    ring<owned> one;
    std::deque<int> other;
    for (int step = 0; step < 1'000; ++step) {
      const auto dice = random() % 10;
      if (dice < 5 || other.empty()) {
        BOOST_TEST(*one.push_back(owned{step}).value == step);
        other.push_back(step);
      } else if (dice < 7) {
        one.pop_front();
        other.pop_front();
      } else if (dice == 7) {
        one.pop_back();
        other.pop_back();
      } else if (dice == 8) {
        const auto at = random() % other.size();
        one.erase(at);
        other.erase(other.begin() + static_cast<std::ptrdiff_t>(at));
      } else if (random() % 20 == 0) {
        one.clear();
        one.shrink();
        other.clear();
      }
      check_equal(one, other);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_moved_ring_takes_its_elements_along) {
  ring<owned> from;
  for (int i = 0; i < 10; ++i)
    from.push_back(owned{i});
  ring<owned> to{std::move(from)};
  check_equal(to, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  ring<owned> third;
  third.push_back(owned{77});
  third = std::move(to);
  check_equal(third, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

BOOST_AUTO_TEST_CASE(an_empty_ring_that_shrank_is_of_use_again) {
  ring<owned> x;
  x.shrink();
  x.push_back(owned{1});
  x.shrink(); // not empty: nothing happens
  BOOST_TEST(*x.front().value == 1);
  x.pop_front();
  x.shrink();
  x.push_back(owned{2});
  BOOST_TEST(*x.back().value == 2);
}
