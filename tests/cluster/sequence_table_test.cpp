// Values by ascending sequences, compared with a map.

#include "cluster/sequence_table.hpp"
#include "tests/cluster/record_source.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>

using troupe::cluster::sequence_table;
using namespace troupe::test;

namespace {

struct fixture {
  sequence_table<std::string> table;
  std::map<std::uint64_t, std::string> wanted;

  void add(std::uint64_t sequence) {
    wanted[sequence] = std::to_string(sequence);
    table.add(sequence, std::to_string(sequence));
  }
  void erase(std::uint64_t sequence) {
    wanted.erase(sequence);
    table.erase(*table.find(sequence));
  }
  void check(std::uint64_t behind) {
    BOOST_REQUIRE(table.size() == wanted.size());
    BOOST_REQUIRE(table.empty() == wanted.empty());
    if (!wanted.empty()) {
      BOOST_REQUIRE(table.front().sequence == wanted.begin()->first);
      BOOST_REQUIRE(table.back().sequence == wanted.rbegin()->first);
    }
    auto at = wanted.upper_bound(behind);
    table.for_each_behind(behind, [&](auto& x) {
      BOOST_REQUIRE(at != wanted.end());
      BOOST_REQUIRE(x.sequence == at->first);
      BOOST_REQUIRE(x.value == at->second);
      ++at;
    });
    BOOST_REQUIRE(at == wanted.end());
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(it_is_what_a_map_is, fixture) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  std::uint64_t last = 0;
  for (auto round = 0; round < 20'000; ++round) {
    const auto goal = round / 2'000 % 2 == 0 ? 500U : 5U; // grows and shrinks
    if (wanted.empty() || random.below(2 * goal) > wanted.size()) {
      last += random.below(4) == 0 ? 1 + random.below(20) : 1;
      add(last);
    } else if (random.coin()) {
      erase(wanted.begin()->first);
    } else {
      auto at = wanted.begin();
      std::advance(at, random.below(static_cast<std::uint32_t>(wanted.size())));
      erase(at->first);
    }
    const auto some = last - random.below(600) % (last + 1);
    const auto* found = table.find(some);
    BOOST_REQUIRE((found != nullptr) == wanted.contains(some));
    if (found != nullptr)
      BOOST_REQUIRE(found->value == wanted[some]);
    if (round % 16 == 0)
      check(some);
  }
}

BOOST_FIXTURE_TEST_CASE(one_old_value_does_not_keep_the_room_of_others,
                        fixture) {
  add(1);
  for (std::uint64_t i = 2; i < 100'000; ++i) {
    add(i);
    if (i > 10)
      erase(i - 5);
  }
  check(0);
  BOOST_TEST(table.room() < 200U);
}
