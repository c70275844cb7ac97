// What a state store keeps and whom it tells, on a disk without faults.

#include "storage/keys.hpp"
#include "storage/state_store.hpp"
#include "tests/storage/support/faulty_env.hpp"
#include "tests/storage/support/recorders.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <thread>

using namespace troupe::storage;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint8_t message = 0;
constexpr std::uint8_t session = 1;

struct fixture {
  temporary_directory home;
  faulty_env disk; // without faults; its syncs cost nothing
  told_applied told;
  fatal_texts fatal;

  state_store_options options() {
    return {.directory = home / "state.db",
            .families = {"message", "session"},
            .sync_interval = 20ms,
            .on_fatal = fatal.handler(),
            .env = disk.get()};
  }
};

using rows = std::vector<std::pair<std::string, std::string>>;

rows scan(const state_store& state, std::uint8_t family,
          std::string_view prefix, std::size_t count = SIZE_MAX) {
  rows found;
  state.scan(family, prefix, [&](std::string_view key, std::string_view value) {
    found.emplace_back(key, value);
    return found.size() < count;
  });
  return found;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(states, fixture)

BOOST_AUTO_TEST_CASE(a_new_store_is_empty) {
  const state_store state{options()};
  BOOST_TEST(!state.get(message, "a"));
  BOOST_TEST(scan(state, session, "").empty());
}

BOOST_AUTO_TEST_CASE(rows_are_there_after_a_restart) {
  {
    state_store state{options()};
    state.write(1, 1,
                {{message, "a1", "one"},
                 {message, "a2", "two"},
                 {message, "b1", ""},
                 {session, "a1", "other family"}});
    state.write(1, 2, {{message, "a2", std::nullopt}, {message, "a3", "3"}});
    state.start(told.listener());
  }
  const state_store state{options()};
  BOOST_CHECK(scan(state, message, "a") == (rows{{"a1", "one"}, {"a3", "3"}}));
  BOOST_CHECK(scan(state, message, "")
              == (rows{{"a1", "one"}, {"a3", "3"}, {"b1", ""}}));
  BOOST_CHECK(scan(state, session, "") == (rows{{"a1", "other family"}}));
  BOOST_TEST(state.get(message, "b1").value() == "");
  BOOST_TEST(!state.get(message, "a2"));
}

BOOST_AUTO_TEST_CASE(a_scan_ends_with_its_prefix_or_when_told) {
  state_store state{options()};
  std::vector<row> all;
  for (const std::uint16_t shard : {1, 2, 0xFFFF})
    for (std::uint32_t n = 0; n < 10; ++n)
      all.push_back({message, key_of(shard, n), std::to_string(n)});
  state.write(1, 1, std::move(all));
  state.start(told.listener());
  state.stop();
  BOOST_TEST(scan(state, message, key_of(std::uint16_t{2})).size() == 10);
  BOOST_TEST(scan(state, message, key_of(std::uint16_t{0xFFFF})).size() == 10);
  BOOST_TEST(scan(state, message, key_of(std::uint16_t{2}), 3).size() == 3);
  BOOST_TEST(scan(state, message, key_of(std::uint16_t{3})).empty());
}

BOOST_AUTO_TEST_CASE(large_values_go_to_blob_files) {
  const std::string large(100'000, 'L');
  {
    auto small_memtables = options();
    small_memtables.memtable_bytes = 1 << 20;
    state_store state{small_memtables};
    state.start(told.listener());
    for (std::uint32_t n = 0; n < 50; ++n)
      state.write(1, n + 1, {{message, key_of(n), large + std::to_string(n)}});
  }
  const state_store state{options()};
  BOOST_TEST(fatal.all().empty());
  for (std::uint32_t n = 0; n < 50; ++n) {
    const auto found = state.get(message, key_of(n));
    BOOST_TEST_CONTEXT("row " << n)
    BOOST_TEST((found == large + std::to_string(n)));
  }
  BOOST_TEST(state.disk().blob > 0);
}

BOOST_AUTO_TEST_CASE(slow_files_hold_writes_back_and_nothing_fails) {
  disk.on_sync([](std::string_view file) {
    if (file.ends_with(".sst"))
      std::this_thread::sleep_for(20ms);
  });
  auto small_memtables = options();
  small_memtables.memtable_bytes = 256 << 10;
  state_store state{small_memtables};
  state.start(told.listener());
  for (std::uint32_t n = 1; n <= 3000; ++n)
    state.write(1, n, {{message, key_of(n), std::string(1000, 'x')}});
  state.stop();
  BOOST_TEST(fatal.all().empty());
  BOOST_TEST(state.counters().writes == 3000);
  BOOST_TEST(told.last()[1] == 3000);
  BOOST_TEST(scan(state, message, "").size() == 3000);
}

BOOST_AUTO_TEST_CASE(writes_are_not_synced_one_by_one) {
  auto rarely = options();
  rarely.sync_interval = 1h;
  state_store state{rarely};
  const auto before = disk.wal_syncs();
  state.start(told.listener());
  for (std::uint64_t index = 1; index <= 1000; ++index)
    state.write(index % 3, index, {{message, "k", std::to_string(index)}});
  while (state.counters().writes < 1000)
    std::this_thread::sleep_for(1ms);
  BOOST_TEST(disk.wal_syncs() == before);
  BOOST_TEST(told.all().empty());
  BOOST_TEST(state.get(message, "k").value() == "1000"); // yet visible
  state.stop();
  // Each shard once, with the last it wrote.
  BOOST_CHECK(told.all()
              == (std::vector<applied>{{0, 999}, {1, 1000}, {2, 998}}));
  BOOST_TEST(disk.wal_syncs() > before);
  BOOST_TEST(state.counters().syncs == 1);
  BOOST_TEST(state.counters().rows == 1000);
  BOOST_TEST(state.counters().queued == 0);
}

BOOST_AUTO_TEST_CASE(what_waits_to_be_synced_is_bounded) {
  auto often = options();
  often.sync_interval = 1h;
  often.sync_bytes = 10'000;
  state_store state{often};
  state.start(told.listener());
  state.write(1, 1, {{message, "a", std::string(9'000, 'x')}});
  while (state.counters().writes < 1)
    std::this_thread::sleep_for(1ms);
  BOOST_TEST(told.all().empty());
  state.write(2, 7, {{message, "b", std::string(1'000, 'x')}});
  BOOST_TEST(told.wait_for(2, 7));
  BOOST_TEST(told.wait_for(1, 1));
  BOOST_TEST(state.counters().syncs == 1);
}

BOOST_AUTO_TEST_CASE(a_write_is_told_within_the_interval_without_another) {
  state_store state{options()};
  state.start(told.listener());
  state.write(7, 12, {{message, "k", "v"}});
  BOOST_TEST(told.wait_for(7, 12));
  const auto syncs = disk.wal_syncs();
  std::this_thread::sleep_for(60ms);
  BOOST_TEST(disk.wal_syncs() == syncs); // nothing new, no sync
}

BOOST_AUTO_TEST_CASE(syncs_come_under_load_that_never_pauses) {
  state_store state{options()};
  state.start(told.listener());
  std::atomic<bool> enough{false};
  std::thread writer{[&] {
    for (std::uint64_t index = 1; !enough; ++index) {
      state.write(1, index, {{message, "k", "v"}});
      while (state.counters().queued > 1000)
        std::this_thread::yield();
    }
  }};
  const bool told_thrice = told.wait_until(
    [](const std::vector<applied>& all) { return all.size() >= 3; });
  enough = true;
  writer.join();
  BOOST_TEST(told_thrice);
}

BOOST_AUTO_TEST_CASE(nothing_is_told_before_its_sync) {
  state_store state{options()};
  std::promise<void> reached;
  std::promise<void> released;
  disk.on_sync([&](auto) {
    reached.set_value();
    released.get_future().wait();
  });
  state.start(told.listener());
  state.write(1, 1, {{message, "k", "v"}});
  reached.get_future().wait();
  BOOST_TEST(told.all().empty());
  disk.on_sync({});
  released.set_value();
  BOOST_TEST(told.wait_for(1, 1));
}

// Bytes of a row that a reader is lent were written by RocksDB, which the
// thread sanitizer cannot see into.
#ifndef __SANITIZE_THREAD__
BOOST_AUTO_TEST_CASE(a_reader_sees_all_rows_of_a_write_or_none) {
  state_store state{options()};
  state.start(told.listener());
  std::thread writer{[&] {
    for (std::uint64_t index = 1; index <= 5000; ++index) {
      const auto value = std::to_string(index);
      state.write(
        1, index,
        {{message, "a", value}, {message, "b", value}, {message, "c", value}});
    }
  }};
  while (state.counters().writes < 5000) {
    const auto seen = scan(state, message, "");
    for (const auto& [key, value] : seen)
      BOOST_REQUIRE_EQUAL(value, seen.front().second);
    BOOST_REQUIRE(seen.empty() || seen.size() == 3);
  }
  writer.join();
}
#endif

BOOST_AUTO_TEST_CASE(a_family_can_be_added_and_none_left_out) {
  {
    state_store state{options()};
    state.write(1, 1, {{session, "k", "v"}});
    state.start(told.listener());
  }
  auto more = options();
  more.families.emplace_back("filter");
  {
    state_store state{more};
    BOOST_TEST(state.get(session, "k").value() == "v");
    state.write(1, 2, {{2, "k", "new"}});
    state.start(told.listener());
  }
  BOOST_TEST(state_store{more}.get(2, "k").value() == "new");
  BOOST_CHECK_THROW(state_store{options()}, storage_error);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_while_running_holds_what_was_told) {
  auto real = options();
  real.env = nullptr; // it links files
  real.memtable_bytes = 1 << 20;
  state_store state{real};
  state.start(told.listener());
  std::thread writer{[&] {
    for (std::uint32_t n = 1; n <= 3000; ++n)
      state.write(1, n, {{message, key_of(n), std::string(1000, 'x')}});
  }};
  BOOST_REQUIRE(told.wait_for(1, 1));
  const auto durable = told.last()[1];
  state.checkpoint(home / "copy");
  writer.join();
  state.stop();

  auto copied = real;
  copied.directory = home / "copy";
  const state_store copy{copied};
  const auto found = scan(copy, message, "");
  BOOST_TEST(found.size() >= durable);
  std::uint32_t next = 0;
  for (const auto& [key, value] : found)
    BOOST_REQUIRE_EQUAL(get<std::uint32_t>(key), ++next);
}

BOOST_AUTO_TEST_CASE(memory_and_rows_are_known) {
  state_store state{options()};
  std::vector<row> all;
  for (std::uint32_t n = 0; n < 10'000; ++n)
    all.push_back({message, key_of(n), std::string(100, 'x')});
  state.write(1, 1, std::move(all));
  state.start(told.listener());
  state.stop();
  BOOST_TEST(state.memory().memtables > 1'000'000);
  BOOST_TEST(state.estimated_rows(message) == 10'000);
  BOOST_TEST(state.estimated_rows(session) == 0);
  BOOST_TEST(state.disk().wal > 1'000'000);
}

BOOST_AUTO_TEST_SUITE_END()
