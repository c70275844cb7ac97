#pragma once
// One RocksDB instance. Inside storage/ only.

#include "storage/disk_usage.hpp"
#include "storage/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class Status;
struct ColumnFamilyDescriptor;
struct DBOptions;
} // namespace rocksdb

namespace troupe::storage {

class row_cursor;

/// What all databases of a node have in common.
/// @param env  null: the system's.
rocksdb::DBOptions common_options(rocksdb::Env* env);

/// An open database with column families known by their position, and whatever
/// is the same for all stores. Thread-safe, as RocksDB is; blocks on the disk.
class database {
public:
  using row_reader =
    std::function<bool(std::string_view key, std::string_view value)>;

  /// @param kind  what it holds, in messages and in the mark that is left in
  /// it.
  /// @throws storage_error
  database(std::filesystem::path directory, std::string_view kind,
           const rocksdb::DBOptions& options,
           std::vector<rocksdb::ColumnFamilyDescriptor> families);
  ~database();
  database(const database&) = delete;
  database& operator=(const database&) = delete;

  rocksdb::DB* operator->() const noexcept { return db_.get(); }
  rocksdb::ColumnFamilyHandle* family(std::size_t position) const {
    return families_[position];
  }
  const std::vector<rocksdb::ColumnFamilyHandle*>& families() const noexcept {
    return families_;
  }

  /// Rows from `from` on whose keys begin with `prefix`, until `each` answers
  /// false.
  /// @throws storage_error
  void scan(std::size_t family, std::string_view prefix, std::string_view from,
            const row_reader& each) const;
  /// @throws storage_error
  std::unique_ptr<row_cursor> open(std::size_t family,
                                   std::string_view prefix) const;
  /// @throws storage_error
  std::optional<std::string> get(std::size_t family,
                                 std::string_view key) const;
  /// @throws storage_error
  void checkpoint(const std::filesystem::path& directory) const;
  /// Reads every file and compares its checksums. @throws storage_error
  void verify() const;
  disk_usage disk() const;
  memory_usage memory() const;

  /// "the log database in /var/lib/troupe/log.db: <problem>".
  std::string text(std::string_view problem) const;
  std::string text(std::string_view problem, const rocksdb::Status& why) const;

private:
  void refuse_others(const rocksdb::DBOptions& options) const;
  void open(const rocksdb::DBOptions& options,
            std::vector<rocksdb::ColumnFamilyDescriptor> families);
  bool has_mark(rocksdb::DB& db) const;
  void mark_if_new();
  std::string mark() const;
  [[noreturn]] void fail_to_open(const rocksdb::Status& why) const;
  void close();

  std::filesystem::path directory_;
  std::string kind_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* default_family_ = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

} // namespace troupe::storage
