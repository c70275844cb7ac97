// Rows that are in memory, of those that are on a disk, compared with all of
// them.

#include "cluster/resident_table.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <random>
#include <set>
#include <unordered_map>

using troupe::cluster::resident_table;
using troupe::test::test_seed;

namespace {

using table = resident_table<int>;
using changes = std::vector<std::pair<std::string, std::optional<int>>>;

template <class Table>
changes taken(Table& from, std::uint64_t index) {
  changes made;
  from.take_changes(index, [&](const std::string& key, const auto& row) {
    made.emplace_back(key, row);
  });
  return made;
}

} // namespace

BOOST_AUTO_TEST_CASE(without_a_disk_all_rows_are_known) {
  table x{false};
  BOOST_TEST(x.knows("a"));
  BOOST_TEST((x.find("a") == nullptr));
  x.change("a") = 1;
  x.set_blindly("b", true);
  BOOST_TEST(*x.find("a") == 1);
  BOOST_TEST(*x.peek("b") == 0);
  x.erase("a");
  x.set_blindly("b", false);
  x.set_blindly("c", false);
  BOOST_TEST(x.size() == 0U);
  x.change("d") = 4;
  for (int i = 0; i < 4; ++i)
    x.evict(9);
  BOOST_TEST(*x.find("d") == 4);
  BOOST_TEST(x.change_count() == 0U);
  BOOST_TEST(taken(x, 1).empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_known_is_supplied_once) {
  table x{true};
  BOOST_TEST(!x.knows("a"));
  BOOST_TEST(!x.is_here("a"));
  x.supply("a", 1);
  x.supply("b", std::nullopt);
  BOOST_TEST((x.knows("a") && x.knows("b")));
  BOOST_TEST(*x.find("a") == 1);
  BOOST_TEST((x.find("b") == nullptr));
  x.change("a") = 2;
  x.change("b") = 3;
  x.supply("a", 1); // older than what is here
  x.supply("b", std::nullopt);
  BOOST_TEST(*x.peek("a") == 2);
  BOOST_TEST(*x.peek("b") == 3);
  x.erase("a");
  x.supply("a", 1);
  BOOST_TEST((x.peek("a") == nullptr));
  BOOST_TEST(x.is_here("a"));
}

BOOST_AUTO_TEST_CASE(changes_are_told_once) {
  table x{true};
  x.supply("a", 1);
  x.supply("b", 2);
  x.supply("c", std::nullopt);
  x.change("a") = 5;
  x.change("a") = 6;
  x.erase("b");
  x.change("c") = 7;
  x.erase("c"); // the disk never had it
  x.set_blindly("d", true);
  x.set_blindly("e", false);
  BOOST_TEST(x.change_count() == 5U);
  const changes wanted{
    {"a", 6}, {"b", std::nullopt}, {"d", 0}, {"e", std::nullopt}};
  BOOST_TEST((taken(x, 1) == wanted));
  BOOST_TEST(x.change_count() == 0U);
  BOOST_TEST(taken(x, 2).empty());
  x.erase("a"); // the disk may have it by now
  x.change("b") = 8;
  const changes then{{"a", std::nullopt}, {"b", 8}};
  BOOST_TEST((taken(x, 3) == then));
}

BOOST_AUTO_TEST_CASE(a_change_may_be_taken_away_as_it_is_written) {
  table x{true};
  x.change("a") = 1;
  x.take_changes(
    1, [](const std::string&, std::optional<int>& row) { row.reset(); });
  BOOST_TEST((x.peek("a") == nullptr));
  BOOST_TEST(x.is_here("a")); // known to be gone
}

BOOST_AUTO_TEST_CASE(rows_stay_while_they_are_needed) {
  table x{true};
  const auto evict = [&](std::uint64_t stored) { x.evict(stored); };
  x.supply("idle", 1);
  x.supply("none", std::nullopt);
  x.supply("pinned", 2);
  x.supply("changed", 3);
  x.supply("used", 4);
  x.pin("pinned");
  x.pin("pinned");
  x.change("changed") = 5;
  evict(9);
  BOOST_TEST(x.size() == 5U); // needed since the call before the last one
  BOOST_TEST(x.knows("used"));
  evict(9);
  BOOST_TEST((!x.is_here("idle") && !x.is_here("none")));
  BOOST_TEST(
    (x.is_here("pinned") && x.is_here("changed") && x.is_here("used")));
  for (int i = 0; i < 2; ++i)
    evict(9);
  BOOST_TEST(!x.is_here("used"));
  // Taken, but not on the disk for sure.
  taken(x, 10);
  for (int i = 0; i < 4; ++i)
    evict(9);
  BOOST_TEST(*x.peek("changed") == 5);
  evict(10);
  evict(10);
  BOOST_TEST(!x.is_here("changed"));
  x.unpin("pinned");
  evict(10);
  evict(10);
  BOOST_TEST(x.is_here("pinned"));
  x.unpin("pinned");
  evict(10);
  evict(10);
  BOOST_TEST(x.size() == 0U);
}

BOOST_AUTO_TEST_CASE(who_owns_the_table_may_keep_rows_and_is_told) {
  table x{true};
  x.supply("a", 1);
  x.supply("b", 2);
  x.supply("c", std::nullopt);
  std::map<std::string, int> gone;
  for (int i = 0; i < 5; ++i)
    x.evict(
      0, [](const std::string&, int row) { return row == 2; },
      [&](const std::string& key, int row) { gone.emplace(key, row); });
  BOOST_TEST((gone == std::map<std::string, int>{{"a", 1}}));
  BOOST_TEST(x.is_here("b"));
  BOOST_TEST(!x.is_here("c"));
}

namespace {

/// A table, what it should have, and its disk: batches become visible in their
/// order, and are stored for good later.
template <class Table>
class model {
public:
  explicit model(std::uint32_t seed) : random_(seed) {}

  void step() {
    const auto key = "k" + std::to_string(random_() % 40);
    switch (random_() % 10) {
    case 0:
    case 1:
      look(key);
      break;
    case 2:
    case 3: {
      know(key);
      const auto value = static_cast<int>(random_() % 1'000);
      all_[key] = table_.change(key) = value;
      break;
    }
    case 4:
      know(key);
      table_.erase(key);
      all_.erase(key);
      break;
    case 5: {
      const bool there = random_() % 2 == 0;
      if (pinned_.contains(key))
        break;
      table_.set_blindly(key, there);
      if (there)
        all_[key] = 0;
      else
        all_.erase(key);
      break;
    }
    case 6:
      if (pinned_.erase(key) != 0) {
        table_.unpin(key);
      } else if (pinned_.size() < 4) {
        know(key);
        table_.pin(key);
        pinned_.insert(key);
      }
      break;
    case 7:
      take();
      break;
    case 8:
      if (!queued_.empty()) {
        for (const auto& [k, row] : queued_.front().second)
          if (row)
            disk_[k] = *row;
          else
            disk_.erase(k);
        visible_ = queued_.front().first;
        queued_.pop_front();
      }
      break;
    default:
      if (visible_ > stored_ && random_() % 2 == 0)
        stored_ = visible_;
      table_.evict(stored_);
      for (const auto& x : pinned_)
        BOOST_TEST(table_.is_here(x));
    }
  }
  void finish() {
    for (const auto& x : pinned_)
      table_.unpin(x);
    take();
    for (const auto& [index, batch] : queued_)
      for (const auto& [key, row] : batch)
        if (row)
          disk_[key] = *row;
        else
          disk_.erase(key);
    BOOST_TEST((disk_ == all_));
    for (int i = 0; i < 3; ++i)
      table_.evict(index_);
    BOOST_TEST(table_.size() == 0U);
  }

private:
  void take() {
    ++index_;
    queued_.emplace_back(index_, taken(table_, index_));
  }
  void know(const std::string& key) {
    if (table_.knows(key))
      return;
    const auto at = disk_.find(key);
    table_.supply(key,
                  at == disk_.end() ? std::nullopt : std::optional{at->second});
  }
  void look(const std::string& key) {
    know(key);
    const auto* found = table_.find(key);
    const auto at = all_.find(key);
    BOOST_REQUIRE((found != nullptr) == (at != all_.end()));
    if (found != nullptr)
      BOOST_REQUIRE(*found == at->second);
  }

  std::minstd_rand random_;
  Table table_{true};
  std::map<std::string, int> all_;
  std::map<std::string, int> disk_;
  std::deque<std::pair<std::uint64_t, changes>> queued_;
  std::set<std::string> pinned_;
  std::uint64_t index_ = 0;
  std::uint64_t visible_ = 0;
  std::uint64_t stored_ = 0;
};

template <class Table>
void run_model() {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  for (std::uint32_t round = 0; round < 50; ++round) {
    model<Table> x{seed + round};
    for (int i = 0; i < 2'000; ++i)
      x.step();
    x.finish();
  }
}

template <class Key, class Entry>
using hashed = std::unordered_map<Key, Entry>;

} // namespace

BOOST_AUTO_TEST_CASE(a_sorted_table_has_what_was_put_in) {
  run_model<resident_table<int>>();
}

BOOST_AUTO_TEST_CASE(a_hashed_table_has_what_was_put_in) {
  run_model<resident_table<int, hashed>>();
}
