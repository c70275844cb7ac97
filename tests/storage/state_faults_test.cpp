// Writes of a state store survive whole and in order, up to what was told.

#include "storage/keys.hpp"
#include "storage/state_store.hpp"
#include "tests/storage/support/faulty_env.hpp"
#include "tests/storage/support/recorders.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <thread>

using namespace troupe::storage;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t shards = 4;

/// One number for all shards and all rounds; a write's rows in three families
/// carry it, and each names the write before it.
using number = std::uint64_t;

std::vector<row> rows_of(number n) {
  std::mt19937_64 random{n};
  const auto shard = static_cast<std::uint16_t>(n % shards);
  const std::string filling(random() % 4 == 0 ? random() % 20'000
                                              : random() % 100,
                            static_cast<char>('a' + n % 26));
  return {{0, key_of(shard, n), filling},
          {1, key_of(std::uint16_t{0}), std::to_string(n)}, // the last write
          {2, key_of(shard, n), std::to_string(n)},
          {2, key_of(shard, n - 100), std::nullopt}};
}

/// The last write that is there, after checking that those before it are, too.
number check(const state_store& state) {
  const auto text = state.get(1, key_of(std::uint16_t{0}));
  const auto last = text ? std::stoull(*text) : 0;
  number messages = 0;
  number others = 0;
  state.scan(0, {}, [&](std::string_view key, std::string_view value) {
    const auto n = get<number>(key, 2);
    BOOST_REQUIRE_LE(n, last);
    BOOST_REQUIRE(value == *rows_of(n)[0].value);
    ++messages;
    return true;
  });
  state.scan(2, {}, [&](std::string_view key, std::string_view) {
    const auto n = get<number>(key, 2);
    BOOST_REQUIRE_LE(n, last);
    BOOST_REQUIRE_GT(n + 100, last);
    ++others;
    return true;
  });
  BOOST_REQUIRE_EQUAL(messages, last);
  BOOST_REQUIRE_EQUAL(others, std::min<number>(last, 100));
  return last;
}

number greatest(const told_applied& listener) {
  number x = 0;
  for (const auto& one : listener.all())
    x = std::max(x, one.index);
  return x;
}

struct fixture {
  temporary_directory home;
  faulty_env disk;
  state_store_options options() {
    return {.directory = home / "state.db",
            .families = {"message", "last", "other"},
            .sync_interval = 2ms,
            .memtable_bytes = 256 << 10, // so that files change often
            .on_fatal = [](std::string_view) {},
            .env = disk.get()};
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(state_faults, fixture)

BOOST_AUTO_TEST_CASE(writes_survive_whole_and_in_order_up_to_what_was_told) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT("TROUPE_TEST_SEED=" << seed) {
    std::mt19937 random{seed};
    number told = 0;
    for (int round = 0; round < 40; ++round) {
      told_applied listener;
      {
        auto with_interval = options();
        if (round % 3 == 0)
          with_interval.sync_interval = 1h; // only flushes sync
        // Power fails while one write-ahead log is synced, behind the next one.
        disk.on_sync([](std::string_view file) {
          if (file.ends_with(".log"))
            std::this_thread::sleep_for(3ms);
        });
        state_store state{with_interval};
        const auto last = check(state);
        BOOST_REQUIRE_GE(last, told);
        told = last;
        state.start(listener.listener());
        const auto count = random() % 400;
        const auto cut_at = random() % (count + 1);
        for (number n = last + 1; n <= last + count; ++n) {
          if (n == last + cut_at) {
            told = std::max(told, greatest(listener));
            disk.cut_power();
          }
          state.write(n % shards, n, rows_of(n));
          if (random() % 30 == 0)
            std::this_thread::sleep_for(1ms);
        }
        if (cut_at == 0) {
          told = std::max(told, greatest(listener));
          disk.cut_power();
        }
        state.stop();
      }
      disk.restore_power(random);
    }
    BOOST_REQUIRE_GE(check(state_store{options()}), told);
  }
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_fatal_once_and_loses_nothing_told) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT("TROUPE_TEST_SEED=" << seed) {
    std::mt19937 random{seed};
    number told = 0;
    for (int round = 0; round < 10; ++round) {
      told_applied listener;
      fatal_texts fatal;
      {
        auto with_texts = options();
        with_texts.on_fatal = fatal.handler();
        state_store state{with_texts};
        const auto last = check(state);
        BOOST_REQUIRE_GE(last, told);
        disk.fail_after(random() % 1'000'000, round % 2 == 0
                                                ? faulty_env::fault::no_space
                                                : faulty_env::fault::io_error);
        state.start(listener.listener());
        for (number n = last + 1; n <= last + 1000; ++n)
          state.write(n % shards, n, rows_of(n));
        state.stop();
      }
      BOOST_TEST(fatal.all().size() == 1);
      told = std::max(told, greatest(listener));
      disk.heal();
    }
    BOOST_REQUIRE_GE(check(state_store{options()}), told);
  }
}

BOOST_AUTO_TEST_CASE(a_failed_sync_is_fatal_and_not_told) {
  told_applied listener;
  fatal_texts fatal;
  auto with_texts = options();
  with_texts.on_fatal = fatal.handler();
  state_store state{with_texts};
  disk.fail_after(0, faulty_env::fault::sync_error);
  state.start(listener.listener());
  state.write(1, 1, rows_of(1));
  state.stop();
  BOOST_TEST(listener.all().empty());
  BOOST_TEST(fatal.all().size() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
