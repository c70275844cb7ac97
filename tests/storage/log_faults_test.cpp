// What a log store has told survives, and nothing else is told.

#include "storage/log_store.hpp"
#include "tests/storage/support/faulty_env.hpp"
#include "tests/storage/support/recorders.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>

using namespace troupe::storage;
using namespace troupe::test;

namespace {

using indexes = std::map<std::uint16_t, std::uint64_t>;

/// The bytes of an entry: known from where it is, between 0 and 64 KiB.
std::string bytes_of(std::uint16_t shard, std::uint64_t index) {
  std::mt19937_64 random{index << 16 | shard};
  const auto size = random() % 3 == 0 ? random() % 65'536 : random() % 500;
  return std::string(size, static_cast<char>('a' + random() % 26));
}

/// Everything that a log must be, given what was told and may be trimmed.
void check(const log_store& log, const indexes& told, const indexes& trimmed) {
  for (const auto& [shard, last_told] : told) {
    const auto first = log.first_index(shard);
    const auto last = log.last_index(shard);
    const auto up_to = trimmed.contains(shard) ? trimmed.at(shard) : 0;
    if (last == 0)
      BOOST_REQUIRE_GE(up_to, last_told);
    else
      BOOST_REQUIRE_GE(last, last_told);
    BOOST_REQUIRE_LE(first, up_to + 1);
    auto next = first;
    log.read(shard, 0,
             [&, at = shard](std::uint64_t index,
                             std::span<const std::uint8_t> found) {
               const auto wanted = bytes_of(at, index);
               BOOST_REQUIRE_EQUAL(index, next++);
               BOOST_REQUIRE(std::string(found.begin(), found.end()) == wanted);
               return true;
             });
    BOOST_REQUIRE_EQUAL(next, last == 0 ? first : last + 1);
  }
}

/// Appends from where a log ends, to some of eight shards, until told to stop.
class load {
public:
  load(log_store& log, const indexes& told, std::uint32_t seed)
    : log_(log),
      random_(seed) {
    for (std::uint16_t shard = 0; shard < 8; ++shard) {
      next_[shard] = log.last_index(shard) + 1;
      // Trimmed to the end: what was told says where it was.
      if (log.last_index(shard) == 0 && told.contains(shard))
        next_[shard] = told.at(shard) + 1;
    }
  }

  void step() {
    const auto shard = static_cast<std::uint16_t>(random_() % 8);
    auto& next = next_[shard];
    if (random_() % 20 == 0 && next > 1) {
      const auto up_to =
        next - 1 - random_() % std::min<std::uint64_t>(next, 9);
      log_.trim(shard, up_to);
      auto& greatest = trimmed_[shard];
      greatest = std::max(greatest, up_to);
    } else {
      log_.append(shard, next, bytes_of(shard, next));
      ++next;
    }
  }
  const indexes& trimmed() const { return trimmed_; }

private:
  log_store& log_;
  std::mt19937 random_;
  indexes next_;
  indexes trimmed_;
};

struct fixture {
  temporary_directory home;
  faulty_env disk;
  log_store_options options() {
    return {.directory = home / "log.db",
            .memtable_bytes = 1 << 20, // so that files change often
            .on_fatal = [](std::string_view) {},
            .env = disk.get()};
  }
};

void merge(indexes& into, const indexes& from) {
  for (const auto& [shard, index] : from)
    into[shard] = std::max(into[shard], index);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(log_faults, fixture)

BOOST_AUTO_TEST_CASE(what_was_told_survives_any_loss_of_power) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT("TROUPE_TEST_SEED=" << seed) {
    std::mt19937 random{seed};
    indexes told;
    indexes trimmed;
    for (int round = 0; round < 40; ++round) {
      told_groups groups;
      {
        log_store log{options()};
        check(log, told, trimmed);
        // What survived without having been told counts from now on.
        for (std::uint16_t shard = 0; shard < 8; ++shard)
          if (log.last_index(shard) > 0)
            told[shard] = log.last_index(shard);
        load work{log, told, static_cast<std::uint32_t>(random())};
        log.start(groups.listener());
        const auto steps = random() % 400;
        const auto cut_at = random() % (steps + 1);
        for (unsigned step = 0; step < steps; ++step) {
          if (step == cut_at) {
            merge(told, groups.last());
            disk.cut_power();
          }
          work.step();
          if (random() % 50 == 0)
            std::this_thread::yield();
        }
        if (cut_at >= steps) {
          merge(told, groups.last());
          disk.cut_power();
        }
        log.stop();
        merge(trimmed, work.trimmed());
      }
      disk.restore_power(random);
    }
    check(log_store{options()}, told, trimmed);
  }
}

BOOST_AUTO_TEST_CASE(a_replaced_suffix_is_there_whole_or_not_at_all) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT("TROUPE_TEST_SEED=" << seed) {
    std::mt19937 random{seed};
    using entries = std::vector<std::string>; // of one shard, from index 1
    entries now;
    std::vector<entries> possible{now}; // after a loss of power
    int version = 0;
    for (int round = 0; round < 60; ++round) {
      {
        auto stepped = options();
        stepped.how.stepped = true;
        log_store log{stepped};
        entries found;
        log.read(1, 1,
                 [&](std::uint64_t index, std::span<const std::uint8_t> bytes) {
                   BOOST_REQUIRE_EQUAL(index, found.size() + 1);
                   found.emplace_back(bytes.begin(), bytes.end());
                   return true;
                 });
        BOOST_REQUIRE(std::find(possible.begin(), possible.end(), found)
                      != possible.end());
        now = found;
        possible = {now};
        log.start([&](auto) { possible = {now}; });
        bool power = true;
        for (auto groups = random() % 8; groups > 0 && power; --groups) {
          // What is there gives way from anywhere on, and more comes.
          if (random() % 2 == 0) {
            const auto from = 1 + random() % (now.size() + 2);
            log.truncate(1, from);
            now.resize(std::min<std::size_t>(now.size(), from - 1));
          }
          for (auto count = random() % 4; count > 0; --count) {
            now.push_back(bytes_of(1, static_cast<std::uint64_t>(++version)));
            log.append(1, now.size(), now.back());
          }
          possible.push_back(now);
          if (random() % 6 == 0) { // the power goes while it is being synced
            power = false;
            disk.on_sync([&](auto) { disk.cut_power(); });
          }
          const auto before = possible;
          log.step();
          if (!power)
            possible = before;
        }
        disk.on_sync({});
        disk.cut_power();
      }
      disk.restore_power(random);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_fatal_once_and_loses_nothing_told) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT("TROUPE_TEST_SEED=" << seed) {
    std::mt19937 random{seed};
    indexes told;
    indexes trimmed;
    for (int round = 0; round < 10; ++round) {
      told_groups groups;
      fatal_texts fatal;
      const auto what = round % 2 == 0 ? faulty_env::fault::no_space
                                       : faulty_env::fault::io_error;
      {
        auto with_texts = options();
        with_texts.on_fatal = fatal.handler();
        log_store log{with_texts};
        check(log, told, trimmed);
        for (std::uint16_t shard = 0; shard < 8; ++shard)
          if (log.last_index(shard) > 0)
            told[shard] = log.last_index(shard);
        load work{log, told, static_cast<std::uint32_t>(random())};
        disk.fail_after(random() % 3'000'000, what);
        log.start(groups.listener());
        for (int step = 0; step < 1000; ++step)
          work.step();
        log.stop();
        merge(trimmed, work.trimmed());
        BOOST_TEST(fatal.all().size() == 1);
      }
      BOOST_TEST(fatal.all().size() == 1);
      const auto text = fatal.all().at(0);
      BOOST_TEST_INFO(text);
      BOOST_TEST(text.find(home.path().string()) != std::string::npos);
      merge(told, groups.last());
      disk.heal();
    }
    check(log_store{options()}, told, trimmed);
  }
}

BOOST_AUTO_TEST_CASE(a_failed_sync_is_fatal_and_not_told) {
  told_groups groups;
  fatal_texts fatal;
  auto with_texts = options();
  with_texts.on_fatal = fatal.handler();
  log_store log{with_texts};
  disk.fail_after(0, faulty_env::fault::sync_error);
  log.start(groups.listener());
  log.append(1, 1, "x");
  log.stop();
  BOOST_TEST(groups.all().empty());
  BOOST_TEST(fatal.all().size() == 1);
}

BOOST_AUTO_TEST_CASE(a_slow_disk_makes_large_groups) {
  disk.on_sync(
    [](auto) { std::this_thread::sleep_for(std::chrono::milliseconds{5}); });
  told_groups groups;
  log_store log{options()};
  log.start(groups.listener());
  for (std::uint64_t index = 1; index <= 2000; ++index)
    log.append(0, index, "x");
  log.stop();
  BOOST_TEST(groups.entries().size() == 2000);
  BOOST_TEST(log.counters().groups < 100);
  BOOST_TEST(log.counters().longest_write >= 5'000'000);
}

BOOST_AUTO_TEST_SUITE_END()
