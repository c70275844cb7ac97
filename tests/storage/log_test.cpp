// What a log store keeps and whom it tells, on a disk without faults.

#include "storage/log_store.hpp"
#include "tests/storage/support/faulty_env.hpp"
#include "tests/storage/support/recorders.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <thread>

using namespace troupe::storage;
using namespace troupe::test;

namespace {

struct fixture {
  temporary_directory home;
  faulty_env disk; // without faults; its syncs cost nothing
  told_groups told;
  fatal_texts fatal;

  log_store_options options() {
    return {.directory = home / "log.db",
            .on_fatal = fatal.handler(),
            .env = disk.get()};
  }
};

using entry = std::pair<std::uint64_t, std::string>;

std::vector<entry> read_all(const log_store& log, std::uint16_t shard,
                            std::uint64_t from = 0,
                            std::size_t count = SIZE_MAX) {
  std::vector<entry> found;
  log.read(shard, from,
           [&](std::uint64_t index, std::span<const std::uint8_t> bytes) {
             found.emplace_back(index, std::string{bytes.begin(), bytes.end()});
             return found.size() < count;
           });
  return found;
}

void append(log_store& log, std::uint16_t shard, std::uint64_t first,
            std::uint64_t last) {
  for (auto index = first; index <= last; ++index)
    log.append(shard, index, "entry " + std::to_string(index));
}

std::vector<entry> expected(std::uint64_t first, std::uint64_t last) {
  std::vector<entry> all;
  for (auto index = first; index <= last; ++index)
    all.emplace_back(index, "entry " + std::to_string(index));
  return all;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(logs, fixture)

BOOST_AUTO_TEST_CASE(a_new_log_is_empty) {
  const log_store log{options()};
  BOOST_TEST(log.first_index(0) == 0);
  BOOST_TEST(log.last_index(0) == 0);
  BOOST_TEST(read_all(log, 0).empty());
  BOOST_TEST(!log.hard(0));
}

BOOST_AUTO_TEST_CASE(entries_are_there_after_a_restart) {
  {
    log_store log{options()};
    log.start(told.listener());
    append(log, 0, 1, 3);
    append(log, 0xFFFF, 7, 8); // begins anywhere
    log.append(3, 1, {});      // of no bytes
  }
  const log_store log{options()};
  BOOST_TEST(log.first_index(0) == 1);
  BOOST_TEST(log.last_index(0) == 3);
  BOOST_TEST(log.first_index(0xFFFF) == 7);
  BOOST_TEST(log.last_index(0xFFFF) == 8);
  BOOST_TEST(log.last_index(1) == 0);
  BOOST_CHECK(read_all(log, 0) == expected(1, 3));
  BOOST_CHECK(read_all(log, 0xFFFF) == expected(7, 8));
  BOOST_CHECK(read_all(log, 3) == (std::vector<entry>{{1, ""}}));
}

BOOST_AUTO_TEST_CASE(a_log_goes_on_after_a_restart) {
  for (std::uint64_t first = 1; first < 10; first += 3) {
    log_store log{options()};
    log.start(told.listener());
    append(log, 5, first, first + 2);
  }
  BOOST_CHECK(read_all(log_store{options()}, 5) == expected(1, 9));
  BOOST_TEST(fatal.all().empty());
}

BOOST_AUTO_TEST_CASE(reading_begins_and_ends_where_it_is_told) {
  log_store log{options()};
  append(log, 1, 1, 9);
  append(log, 2, 1, 2);
  log.start(told.listener());
  log.stop();
  BOOST_CHECK(read_all(log, 1, 8) == expected(8, 9));
  BOOST_CHECK(read_all(log, 1, 3, 2) == expected(3, 4));
  BOOST_TEST(read_all(log, 1, 10).empty());
}

BOOST_AUTO_TEST_CASE(hard_state_is_replaced_and_told_with_index_0) {
  {
    log_store log{options()};
    log.set_hard(4, "term 1");
    log.append(4, 1, "x");
    log.set_hard(4, "term 2");
    log.start(told.listener());
    log.stop();
    BOOST_CHECK(told.entries() == (group{{4, 0}, {4, 1}, {4, 0}}));
  }
  const log_store log{options()};
  BOOST_TEST(log.hard(4).value() == "term 2");
  BOOST_TEST(!log.hard(5));
  BOOST_TEST(log.last_index(4) == 1);
}

BOOST_AUTO_TEST_CASE(what_comes_during_a_sync_is_one_group) {
  log_store log{options()};
  std::promise<void> reached;
  std::promise<void> released;
  disk.on_sync([&](auto) {
    reached.set_value();
    released.get_future().wait();
  });
  log.start(told.listener());
  log.append(0, 1, "first");
  reached.get_future().wait();
  BOOST_TEST(told.all().empty()); // it is not on the disk yet
  disk.on_sync({});
  const auto syncs = disk.wal_syncs();
  for (std::uint16_t shard = 1; shard <= 16; ++shard)
    append(log, shard, 1, 10);
  released.set_value();
  log.stop();

  const auto groups = told.all();
  BOOST_REQUIRE_EQUAL(groups.size(), 2);
  BOOST_CHECK(groups[0] == (group{{0, 1}}));
  BOOST_TEST(groups[1].size() == 160);
  BOOST_TEST(disk.wal_syncs() - syncs == 2); // the first's and one for all
  const auto counters = log.counters();
  BOOST_TEST(counters.groups == 2);
  BOOST_TEST(counters.entries == 161);
  BOOST_TEST(counters.largest_group == 160);
  BOOST_TEST(counters.longest_write > 0);
  BOOST_TEST(counters.write_ns >= counters.longest_write);
}

BOOST_AUTO_TEST_CASE(is_told_in_the_order_of_the_calls) {
  constexpr std::uint16_t threads = 4;
  constexpr std::uint64_t each = 2000;
  log_store log{options()};
  log.start(told.listener());
  std::vector<std::thread> callers;
  for (std::uint16_t shard = 0; shard < threads; ++shard)
    callers.emplace_back([&log, shard] { append(log, shard, 1, each); });
  for (auto& caller : callers)
    caller.join();
  log.stop();
  std::map<std::uint16_t, std::uint64_t> last;
  for (const auto& [shard, index] : told.entries())
    BOOST_REQUIRE_EQUAL(index, ++last[shard]);
  BOOST_TEST(told.entries().size() == threads * each);
  BOOST_TEST(log.counters().entries == threads * each);
}

BOOST_AUTO_TEST_CASE(stopping_writes_and_tells_what_is_queued) {
  log_store log{options()};
  append(log, 0, 1, 100); // before it starts
  BOOST_TEST(told.all().empty());
  log.start(told.listener());
  append(log, 0, 101, 200);
  log.stop();
  BOOST_TEST(told.entries().size() == 200);
  log.stop(); // once more is nothing
  log.append(0, 201, "too late");
  BOOST_CHECK(read_all(log, 0) == expected(1, 200));
}

BOOST_AUTO_TEST_CASE(what_is_trimmed_is_gone_after_a_restart) {
  {
    log_store log{options()};
    append(log, 1, 1, 10);
    append(log, 2, 1, 10);
    log.trim(1, 4);
    log.trim(1, 3);   // less than before: nothing
    log.trim(2, 10);  // all of it
    log.trim(3, 100); // there is no such log
    log.start(told.listener());
  }
  {
    log_store log{options()};
    BOOST_TEST(log.first_index(1) == 5);
    BOOST_TEST(log.last_index(1) == 10);
    BOOST_TEST(log.last_index(2) == 0);
    BOOST_TEST(read_all(log, 2).empty());
    BOOST_CHECK(read_all(log, 1) == expected(5, 10));
    log.start(told.listener());
    append(log, 1, 11, 12);
    log.trim(1, 11);
    append(log, 2, 11, 11);
    append(log, 3, 1, 1);
  }
  const log_store log{options()};
  BOOST_CHECK(read_all(log, 1) == expected(12, 12));
  BOOST_CHECK(read_all(log, 2) == expected(11, 11));
  BOOST_CHECK(read_all(log, 3) == expected(1, 1));
  BOOST_TEST(fatal.all().empty());
}

BOOST_AUTO_TEST_CASE(a_suffix_gives_way_to_other_entries) {
  {
    log_store log{options()};
    append(log, 1, 1, 10);
    append(log, 2, 1, 3);
    log.truncate(1, 6);
    log.truncate(1, 6); // nothing is there
    log.truncate(2, 4); // likewise
    log.truncate(3, 1); // there is no such log
    log.append(1, 6, "another 6");
    log.truncate(2, 1); // all of it
    append(log, 2, 1, 2);
    log.start(told.listener());
  }
  auto wanted = expected(1, 5);
  wanted.emplace_back(6, "another 6");
  {
    log_store log{options()};
    BOOST_CHECK(read_all(log, 1) == wanted);
    BOOST_CHECK(read_all(log, 2) == expected(1, 2));
    BOOST_TEST(log.last_index(1) == 6);
    log.start(told.listener());
    log.truncate(1, 6); // of what an earlier process wrote
    append(log, 1, 6, 7);
  }
  BOOST_CHECK(read_all(log_store{options()}, 1) == expected(1, 7));
  BOOST_TEST(fatal.all().empty());
  // Truncations are not told: the entries that follow are.
  const auto all = told.entries();
  BOOST_CHECK((group{all.end() - 2, all.end()}) == (group{{1, 6}, {1, 7}}));
}

BOOST_AUTO_TEST_CASE(what_was_trimmed_is_not_replaced) {
  {
    log_store log{options()};
    append(log, 1, 1, 5);
    log.trim(1, 3);
    log.truncate(1, 4);
    append(log, 1, 4, 4);
    log.truncate(1, 3);
    append(log, 1, 3, 3);
    log.start(told.listener());
  }
  BOOST_REQUIRE_EQUAL(fatal.all().size(), 1);
  BOOST_TEST(fatal.all()[0].find("replaces entry 3") != std::string::npos);
  BOOST_TEST(told.all().empty()); // it was all one group
}

BOOST_AUTO_TEST_CASE(a_stepped_log_writes_when_it_is_told_to) {
  auto stepped = options();
  stepped.how.stepped = true;
  {
    log_store log{stepped};
    log.start(told.listener());
    BOOST_TEST(!log.step());
    append(log, 1, 1, 3);
    BOOST_TEST(told.all().empty());
    BOOST_TEST(read_all(log, 1).empty());
    BOOST_TEST(log.step());
    BOOST_TEST(told.all().size() == 1);
    BOOST_TEST(!log.step());
    append(log, 1, 4, 4);
  } // stops, and writes the rest
  BOOST_TEST(told.entries().size() == 4);
  BOOST_CHECK(read_all(log_store{options()}, 1) == expected(1, 4));
}

BOOST_AUTO_TEST_CASE(trimming_beyond_the_end_spares_what_comes_later) {
  log_store log{options()};
  append(log, 1, 1, 5);
  log.trim(1, 1000);
  append(log, 1, 6, 8);
  log.start(told.listener());
  log.stop();
  BOOST_CHECK(read_all(log, 1) == expected(6, 8));
}

BOOST_AUTO_TEST_CASE(trims_alone_are_written_after_a_moment_and_not_synced) {
  log_store log{options()};
  append(log, 1, 1, 5);
  log.start(told.listener());
  BOOST_REQUIRE(told.wait_for(5));
  const auto syncs = disk.wal_syncs();
  log.trim(1, 5);
  const auto patience =
    std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!read_all(log, 1).empty()) {
    BOOST_REQUIRE(std::chrono::steady_clock::now() < patience);
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  BOOST_TEST(disk.wal_syncs() == syncs);
  BOOST_TEST(told.all().size() == log.counters().groups);
}

BOOST_AUTO_TEST_CASE(without_sync_nothing_waits_for_the_disk) {
  auto unsynced = options();
  unsynced.sync = false;
  log_store log{unsynced};
  const auto syncs = disk.wal_syncs();
  append(log, 1, 1, 5);
  log.start(told.listener());
  log.stop();
  BOOST_TEST(told.entries().size() == 5);
  BOOST_TEST(disk.wal_syncs() == syncs);
}

BOOST_AUTO_TEST_CASE(an_entry_that_would_leave_a_gap_is_refused_whole) {
  {
    log_store log{options()};
    append(log, 1, 1, 2);
    log.start(told.listener());
    BOOST_REQUIRE(told.wait_for(2));
    log.append(1, 4, "3 is missing");
    BOOST_REQUIRE(
      fatal.wait_until([](const auto& texts) { return !texts.empty(); }));
    append(log, 1, 3, 3); // nothing more is written
  }
  BOOST_TEST(fatal.all().size() == 1);
  BOOST_TEST(fatal.all()[0].find("entry 4 after entry 2") != std::string::npos);
  BOOST_TEST(told.entries().size() == 2);
  BOOST_CHECK(read_all(log_store{options()}, 1) == expected(1, 2));
}

BOOST_AUTO_TEST_CASE(a_checkpoint_while_running_holds_what_was_told) {
  auto real = options();
  real.env = nullptr; // it links files
  log_store log{real};
  log.start(told.listener());
  append(log, 1, 1, 100);
  BOOST_REQUIRE(told.wait_for(100));
  std::thread writer{[&log] { append(log, 1, 101, 5000); }};
  log.checkpoint(home / "copy");
  writer.join();
  log.stop();

  auto copied = real;
  copied.directory = home / "copy";
  const log_store copy{copied};
  BOOST_TEST(copy.first_index(1) == 1);
  BOOST_TEST(copy.last_index(1) >= 100);
  BOOST_CHECK(read_all(copy, 1) == expected(1, copy.last_index(1)));
  BOOST_CHECK_THROW(log.checkpoint(home / "copy"), storage_error);
}

BOOST_AUTO_TEST_CASE(sizes_are_known) {
  log_store log{options()};
  log.append(1, 1, std::string(1 << 20, 'x'));
  log.start(told.listener());
  log.stop();
  BOOST_TEST(log.disk().wal >= 1U << 20);
  BOOST_TEST(log.disk().total() >= log.disk().wal);
  BOOST_TEST(log.memory().memtables >= 1U << 20);
}

BOOST_AUTO_TEST_SUITE_END()
