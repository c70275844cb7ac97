// What a synced write costs on this disk, and what gathering the writes of many
// shards makes of it. Files are in TMPDIR: it must be on the disk in question.

#include "storage/keys.hpp"
#include "storage/log_store.hpp"

#include <benchmark/benchmark.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

using namespace troupe::storage;
using clock_type = std::chrono::steady_clock;

constexpr std::uint16_t shards = 16;
const std::string entry(1024, 'x');

/// A directory that is removed in the end.
struct directory {
  directory() {
    path =
      (std::filesystem::temp_directory_path() / "troupe-bench-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr)
      std::abort();
  }
  ~directory() { std::filesystem::remove_all(path); }
  directory(const directory&) = delete;
  directory& operator=(const directory&) = delete;
  std::string path;
};

void count(benchmark::State& state, std::int64_t entries) {
  state.SetItemsProcessed(entries);
  state.SetBytesProcessed(entries * static_cast<std::int64_t>(entry.size()));
}

double us_since(clock_type::time_point begin) {
  return std::chrono::duration<double, std::micro>{clock_type::now() - begin}
    .count();
}

void report(benchmark::State& state, std::vector<double>& us) {
  std::sort(us.begin(), us.end());
  state.counters["p50_us"] = us[us.size() / 2];
  state.counters["p99_us"] = us[us.size() * 99 / 100];
}

/// RocksDB alone: synced batches of `size` entries, one after the other.
void synced_batches(benchmark::State& state, std::int64_t size) {
  const directory home;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = std::size_t{16} << 20;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, home.path, &opened).ok())
    return state.SkipWithError("cannot open");
  const std::unique_ptr<rocksdb::DB> db{opened};
  rocksdb::WriteOptions synced;
  synced.sync = true;

  std::uint64_t index = 0;
  std::vector<double> us;
  for ([[maybe_unused]] auto _ : state) {
    rocksdb::WriteBatch batch;
    for (std::int64_t n = 0; n < size; ++n, ++index)
      batch.Put(key_of(static_cast<std::uint16_t>(index % shards), index),
                entry);
    const auto begin = clock_type::now();
    if (!db->Write(synced, &batch).ok())
      return state.SkipWithError("cannot write");
    us.push_back(us_since(begin));
  }
  report(state, us);
  count(state, state.iterations() * size);
}

void rocksdb_batches(benchmark::State& state) {
  synced_batches(state, shards * state.range(0));
}

void rocksdb_single(benchmark::State& state) { synced_batches(state, 1); }

/// The log store: each of 16 shards has range(0) entries on their way, and
/// hands over one more for each that is told.
void log_store_groups(benchmark::State& state) {
  const directory home;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<appended> arrived;
  log_store log{{.directory = home.path + "/log.db"}};
  log.start([&](std::span<const appended> told) {
    {
      const std::lock_guard guard{mutex};
      arrived.insert(arrived.end(), told.begin(), told.end());
    }
    changed.notify_one();
  });

  std::uint64_t next[shards] = {};
  for (std::int64_t n = 0; n < state.range(0); ++n)
    for (std::uint16_t shard = 0; shard < shards; ++shard)
      log.append(shard, ++next[shard], entry);
  std::vector<appended> told;
  std::int64_t entries = 0;
  for ([[maybe_unused]] auto _ : state) {
    told.clear();
    {
      std::unique_lock lock{mutex};
      changed.wait(lock, [&] { return !arrived.empty(); });
      std::swap(told, arrived);
    }
    for (const auto& one : told) {
      log.append(one.shard, ++next[one.shard], entry);
      if (one.index % 1000 == 0)
        log.trim(one.shard, one.index);
    }
    entries += static_cast<std::int64_t>(told.size());
  }
  const auto done = log.counters();
  const auto groups = static_cast<double>(done.groups);
  state.counters["group"] = static_cast<double>(done.entries) / groups;
  state.counters["write_us"] =
    static_cast<double>(done.write_ns) / groups / 1e3;
  count(state, entries);
}

/// One entry of one shard at a time, from the call until it is told.
void log_store_single(benchmark::State& state) {
  const directory home;
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t last = 0;
  log_store log{{.directory = home.path + "/log.db"}};
  log.start([&](std::span<const appended> told) {
    {
      const std::lock_guard guard{mutex};
      last = told.back().index;
    }
    changed.notify_one();
  });
  std::uint64_t index = 0;
  std::vector<double> us;
  for ([[maybe_unused]] auto _ : state) {
    const auto begin = clock_type::now();
    log.append(1, ++index, entry);
    std::unique_lock lock{mutex};
    changed.wait(lock, [&] { return last == index; });
    us.push_back(us_since(begin));
  }
  report(state, us);
}

BENCHMARK(rocksdb_batches)->Arg(1)->Arg(8)->Arg(64)->UseRealTime();
BENCHMARK(log_store_groups)->Arg(1)->Arg(8)->Arg(64)->UseRealTime();
BENCHMARK(rocksdb_single)->UseRealTime();
BENCHMARK(log_store_single)->UseRealTime();

} // namespace
