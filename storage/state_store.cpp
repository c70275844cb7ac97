#include "storage/state_store.hpp"

#include "storage/database.hpp"
#include "storage/state_writer.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <utility>

namespace troupe::storage {

namespace {

constexpr std::size_t kib = std::size_t{1} << 10;
constexpr std::size_t mib = std::size_t{1} << 20;

rocksdb::DBOptions options_of(const state_store_options& given) {
  auto options = common_options(given.env);
  // Nobody was told of what is beyond a torn record: it is applied again, from
  // the log.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // As much as no limit: only the writer begins a new write-ahead log.
  options.max_total_wal_size = std::uint64_t{1} << 40;
  // Would be allocated by the size of the limits, and spares a write that is
  // synced once a second next to nothing.
  options.allow_fallocate = false;
  options.max_open_files = 512; // what an open file needs is in the cache
  return options;
}

rocksdb::CompressionType compression() {
  const auto known = rocksdb::GetSupportedCompressions();
  return std::find(known.begin(), known.end(), rocksdb::kLZ4Compression)
             != known.end()
           ? rocksdb::kLZ4Compression
           : rocksdb::kNoCompression;
}

std::vector<rocksdb::ColumnFamilyDescriptor>
families_of(const state_store_options& given) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(given.cache_bytes);
  // Otherwise they stay in memory for each file, and grow with the rows.
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_size = 8 * kib;
  table.format_version = 5;

  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.compression = compression();
  // Never reached: see state_writer.hpp.
  family.write_buffer_size = 4 * given.memtable_bytes;
  family.max_write_buffer_number = 3;
  // What a family with rows takes at least, and there are a dozen of them.
  family.arena_block_size = std::min(256 * kib, given.memtable_bytes / 64);
  // With sizes that follow the last level at most about a tenth of the disk is
  // taken by rows that were replaced.
  family.level_compaction_dynamic_level_bytes = true;
  family.target_file_size_base = 32 * mib;
  family.max_bytes_for_level_base = 256 * mib;
  // What was deleted in a part that is never written again goes in a day.
  family.periodic_compaction_seconds = 24 * 60 * 60;

  family.enable_blob_files = true;
  family.min_blob_size = 4 * kib;
  family.blob_file_size = 64 * mib;
  family.blob_compression_type = compression();
  family.enable_blob_garbage_collection = true;
  family.blob_garbage_collection_age_cutoff = 0.25;
  family.blob_garbage_collection_force_threshold = 0.5;

  std::vector<rocksdb::ColumnFamilyDescriptor> all;
  for (const auto& name : given.families)
    all.emplace_back(name, family);
  return all;
}

} // namespace

struct state_store::impl {
  explicit impl(state_store_options given)
    : options(std::move(given)),
      db(options.directory, "state", options_of(options), families_of(options)),
      writer(options, db) {}

  const state_store_options options;
  database db;
  state_writer writer;
};

state_store::state_store(state_store_options options)
  : impl_(std::make_unique<impl>(std::move(options))) {}

state_store::~state_store() = default;

void state_store::scan(std::uint8_t family, std::string_view prefix,
                       const row_reader& read) const {
  impl_->db.scan(family, prefix, prefix, read);
}

std::optional<std::string> state_store::get(std::uint8_t family,
                                            std::string_view key) const {
  return impl_->db.get(family, key);
}

std::unique_ptr<row_cursor> state_store::open(std::uint8_t family,
                                              std::string_view prefix) const {
  return impl_->db.open(family, prefix);
}

void state_store::write(std::uint16_t shard, std::uint64_t applied_index,
                        std::vector<row> rows) {
  impl_->writer.push({shard, applied_index, std::move(rows)});
}

void state_store::start(listener told) { impl_->writer.start(std::move(told)); }

bool state_store::step() { return impl_->writer.step(); }

void state_store::stop() { impl_->writer.stop(); }

void state_store::checkpoint(const std::filesystem::path& directory) const {
  impl_->db.checkpoint(directory);
}

void state_store::verify() const { impl_->db.verify(); }

state_counters state_store::counters() const noexcept {
  return impl_->writer.counters();
}

disk_usage state_store::disk() const { return impl_->db.disk(); }

memory_usage state_store::memory() const { return impl_->db.memory(); }

std::uint64_t state_store::estimated_rows(std::uint8_t family) const {
  std::uint64_t rows = 0;
  impl_->db->GetIntProperty(impl_->db.family(family),
                            rocksdb::DB::Properties::kEstimateNumKeys, &rows);
  return rows;
}

} // namespace troupe::storage
