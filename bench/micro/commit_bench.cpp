// What RocksDB alone makes of batches of a given size: one synced write after
// the other. Beside a broker's figure it says what the disk and RocksDB allow.

#include <CLI/CLI.hpp>
#include <rocksdb/db.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

struct settings {
  unsigned entries = 16;      ///< in a batch
  std::size_t bytes = 1024;   ///< in an entry
  double seconds = 3;         ///< to measure
  std::string directory{"."}; ///< a new one is made in it, and removed
};

/// Microseconds of each write.
std::vector<double> write_for(rocksdb::DB& db, const settings& wanted) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const std::string entry(wanted.bytes, 'x');
  std::vector<double> out;
  const auto end =
    clock_type::now() + std::chrono::duration<double>{wanted.seconds};
  std::uint64_t index = 0;
  for (auto now = clock_type::now(); now < end;) {
    rocksdb::WriteBatch batch;
    for (unsigned n = 0; n < wanted.entries; ++n, ++index) {
      std::string key(8, '\0'); // big-endian, as keys that count are
      for (unsigned i = 0; i < 8; ++i)
        key[i] = static_cast<char>(index >> (56 - 8 * i));
      batch.Put(key, entry);
    }
    const auto begin = clock_type::now();
    if (const auto done = db.Write(synced, &batch); !done.ok())
      throw std::runtime_error{done.ToString()};
    now = clock_type::now();
    out.push_back(
      std::chrono::duration<double, std::micro>{now - begin}.count());
  }
  return out;
}

void measure(const settings& wanted) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = std::size_t{16} << 20;
  rocksdb::DB* opened = nullptr;
  const auto status = rocksdb::DB::Open(options, wanted.directory, &opened);
  if (!status.ok())
    throw std::runtime_error{status.ToString()};
  const std::unique_ptr<rocksdb::DB> db{opened};
  const auto begin = clock_type::now();
  auto us = write_for(*db, wanted);
  const std::chrono::duration<double> elapsed = clock_type::now() - begin;
  std::sort(us.begin(), us.end());
  std::printf("{\"entries\": %u, \"bytes\": %zu, \"writes\": %zu, "
              "\"writes_per_s\": %.3f, \"p50_us\": %.3f, \"p99_us\": %.3f}\n",
              wanted.entries, wanted.bytes, us.size(),
              static_cast<double>(us.size()) / elapsed.count(),
              us[us.size() / 2], us[us.size() * 99 / 100]);
}

} // namespace

int main(int argc, char** argv) {
  settings wanted;
  CLI::App app{"Synced RocksDB writes, one after the other"};
  app.add_option("--entries", wanted.entries, "Entries in a batch")
    ->check(CLI::Range(1U, 1'000'000U))
    ->capture_default_str();
  app.add_option("--bytes", wanted.bytes, "Bytes in an entry")
    ->check(CLI::Range(std::size_t{1}, std::size_t{64} << 20))
    ->capture_default_str();
  app.add_option("--seconds", wanted.seconds, "How long")
    ->check(CLI::Range(0.01, 3600.0))
    ->capture_default_str();
  app.add_option("--dir", wanted.directory,
                 "Where to make the database, which is removed in the end");
  CLI11_PARSE(app, argc, argv);
  wanted.directory += "/commit-bench-XXXXXX";
  if (::mkdtemp(wanted.directory.data()) == nullptr) {
    std::perror(wanted.directory.c_str());
    return 1;
  }
  int status = 0;
  try {
    measure(wanted);
  } catch (const std::exception& error) {
    std::cerr << "commit_bench: " << error.what() << '\n';
    status = 1;
  }
  std::filesystem::remove_all(wanted.directory);
  return status;
}
