// The tables under a shard, compared with a look at every entry.

#include "cluster/memory_log.hpp"
#include "tests/cluster/support.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe::cluster;
using namespace troupe::test;
using troupe::protocol::matches;

BOOST_AUTO_TEST_CASE(a_filter_set_matches_what_each_filter_alone_matches) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (int round = 0; round < 30; ++round) {
    filter_set set;
    std::vector<std::pair<std::string, std::uint32_t>> all;
    std::uint32_t next = 1;
    for (int step = 0; step < 300; ++step) {
      if (all.empty() || random() % 3 != 0) {
        all.emplace_back(random_filter(random), next);
        set.add(all.back().first, next++);
      } else {
        const auto at = random() % all.size();
        set.remove(all[at].first, all[at].second);
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(at));
      }
      if (step % 5 != 0)
        continue;
      const auto topic = random_topic(random);
      std::vector<std::uint32_t> found;
      set.match(topic, found);
      std::vector<std::uint32_t> wanted;
      for (const auto& [filter, id] : all)
        if (matches(filter, topic))
          wanted.push_back(id);
      std::sort(found.begin(), found.end());
      std::sort(wanted.begin(), wanted.end());
      BOOST_TEST((found == wanted), "topic " << topic << " seed " << seed);
    }
    for (const auto& [filter, id] : all)
      set.remove(filter, id);
    std::vector<std::uint32_t> none;
    set.match(random_topic(random), none);
    BOOST_TEST(none.empty());
  }
}

BOOST_AUTO_TEST_CASE(removing_what_a_filter_set_never_had_changes_nothing) {
  filter_set set;
  set.add("a/+", 1);
  for (const auto* filter : {"a/+", "a/#", "a/+/b", "x", "a"})
    set.remove(filter, 2);
  std::vector<std::uint32_t> found;
  set.match("a/b", found);
  BOOST_TEST(found == std::vector<std::uint32_t>{1},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_memory_log_commits_in_order_and_never_within_propose) {
  std::vector<std::function<void()>> later;
  std::vector<log_index> committed;
  std::vector<entry_ptr> entries;
  memory_log log{5ms,
                 [&](std::chrono::milliseconds delay, auto f) {
                   BOOST_TEST(delay.count() == 5);
                   later.push_back(std::move(f));
                 },
                 [&](log_index at, const entry_ptr& x) {
                   committed.push_back(at);
                   entries.push_back(x);
                 }};
  std::vector<entry_ptr> proposed;
  for (log_index i = 1; i <= 3; ++i) {
    proposed.push_back(std::make_shared<log_entry>());
    BOOST_TEST(log.propose(proposed.back()) == i);
    BOOST_TEST(committed.empty());
    BOOST_TEST(log.outstanding() == i);
  }
  later[0]();
  BOOST_TEST(log.outstanding() == 2U);
  BOOST_TEST(log.propose(std::make_shared<log_entry>()) == 4U);
  later[1]();
  later[2]();
  BOOST_TEST(committed == (std::vector<log_index>{1, 2, 3}),
             boost::test_tools::per_element());
  BOOST_TEST((entries == proposed));
  BOOST_TEST(log.outstanding() == 1U);
}

BOOST_AUTO_TEST_CASE(the_shard_of_a_key_never_changes) {
  // Stored data depends on it: a different number is a different format.
  BOOST_TEST(shard_of("a/b", 16) == shard_of("a/b", 16));
  std::set<std::uint16_t> used;
  for (int i = 0; i < 1'000; ++i) {
    const auto shard = shard_of("topic/" + std::to_string(i), 16);
    BOOST_TEST(shard < 16);
    used.insert(shard);
  }
  BOOST_TEST(used.size() == 16U);
}
