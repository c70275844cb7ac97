#include "storage/log_store.hpp"

#include "storage/database.hpp"
#include "storage/keys.hpp"
#include "storage/log_writer.hpp"
#include "storage/wal_tail.hpp"

#include <rocksdb/db.h>
#include <rocksdb/table.h>

#include <utility>

namespace troupe::storage {

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

rocksdb::DBOptions options_of(const log_store_options& given) {
  auto options = common_options(given.env);
  options.wal_recovery_mode =
    rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  // The hard state hardly ever fills its memtable; this makes it let go of old
  // write-ahead logs.
  options.max_total_wal_size = 8 * given.memtable_bytes;
  return options;
}

/// For damage that RocksDB does not see.
const std::filesystem::path& checked_directory(const log_store_options& given) {
  check_wal_tails(given.directory, given.env);
  return given.directory;
}

std::vector<rocksdb::ColumnFamilyDescriptor>
families_of(const log_store_options& given) {
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true; // read once, from the first to the last

  rocksdb::ColumnFamilyOptions entry;
  entry.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  entry.compression = rocksdb::kNoCompression;
  // Entries live for a second or so. What is trimmed while it is in memory is
  // dropped on the way to a file, and four memtables go there together, so that
  // the later ones can trim the first. The rest is soon read again by a
  // compaction that leaves out what was trimmed meanwhile. Measured with 70
  // MB/s of entries, messages of 64 bytes: with four, and a state that is
  // synced every 16 MiB, the node writes 327 bytes for each message; with two,
  // and a state that is synced once a second, 411.
  entry.write_buffer_size = given.memtable_bytes;
  entry.min_write_buffer_number_to_merge = 4;
  entry.max_write_buffer_number = 6;
  entry.level0_file_num_compaction_trigger = 2;

  auto hard = entry;
  hard.write_buffer_size = 1 * mib;
  return {{"entry", entry}, {"hard", hard}};
}

/// @throws storage_error  for entries that are missing.
shard_ranges ranges_in(const database& db) {
  shard_ranges found;
  db.scan(log_family::entry, {}, {}, [&](std::string_view key, auto) {
    if (key.size() != 10)
      throw storage_error{db.text("has a key of " + std::to_string(key.size())
                                  + " bytes among its entries, which is not "
                                    "one of ours: it is damaged")};
    const auto shard = get<std::uint16_t>(key);
    const auto index = get<std::uint64_t>(key, 2);
    const auto [at, first_one] =
      found.try_emplace(shard, index_range{index, index});
    if (!first_one) {
      if (index != at->second.last + 1)
        throw storage_error{db.text(
          "shard " + std::to_string(shard) + " has entry "
          + std::to_string(at->second.last) + " and then "
          + std::to_string(index)
          + ": those between are missing; restore the data directory from a "
            "backup")};
      at->second.last = index;
    }
    return true;
  });
  return found;
}

} // namespace

struct log_store::impl {
  explicit impl(log_store_options given)
    : options(std::move(given)),
      db(checked_directory(options), "log", options_of(options),
         families_of(options)),
      found(ranges_in(db)),
      writer(options, db, found) {}

  index_range range(std::uint16_t shard) const {
    const auto at = found.find(shard);
    return at == found.end() ? index_range{0, 0} : at->second;
  }

  const log_store_options options;
  database db;
  const shard_ranges found;
  log_writer writer;
};

log_store::log_store(log_store_options options)
  : impl_(std::make_unique<impl>(std::move(options))) {}

log_store::~log_store() = default;

std::uint64_t log_store::first_index(std::uint16_t shard) const {
  return impl_->range(shard).first;
}

std::uint64_t log_store::last_index(std::uint16_t shard) const {
  return impl_->range(shard).last;
}

void log_store::read(std::uint16_t shard, std::uint64_t from,
                     const entry_reader& read) const {
  impl_->db.scan(
    log_family::entry, key_of(shard), key_of(shard, from),
    [&](std::string_view key, std::string_view value) {
      return read(
        get<std::uint64_t>(key, 2),
        {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
    });
}

std::optional<std::string> log_store::hard(std::uint16_t shard) const {
  return impl_->db.get(log_family::hard, key_of(shard));
}

void log_store::append(std::uint16_t shard, std::uint64_t index,
                       std::string bytes) {
  impl_->writer.push({log_task::kind::append, shard, index, std::move(bytes)});
}

void log_store::truncate(std::uint16_t shard, std::uint64_t from) {
  impl_->writer.push({log_task::kind::truncate, shard, from, {}});
}

void log_store::set_hard(std::uint16_t shard, std::string bytes) {
  impl_->writer.push({log_task::kind::hard, shard, 0, std::move(bytes)});
}

void log_store::trim(std::uint16_t shard, std::uint64_t up_to) {
  impl_->writer.push({log_task::kind::trim, shard, up_to, {}});
}

void log_store::start(listener told) { impl_->writer.start(std::move(told)); }

bool log_store::step() { return impl_->writer.step(); }

void log_store::stop() { impl_->writer.stop(); }

void log_store::checkpoint(const std::filesystem::path& directory) const {
  impl_->db.checkpoint(directory);
}

void log_store::verify() const { impl_->db.verify(); }

log_counters log_store::counters() const noexcept {
  return impl_->writer.counters();
}

disk_usage log_store::disk() const { return impl_->db.disk(); }

memory_usage log_store::memory() const { return impl_->db.memory(); }

} // namespace troupe::storage
