#include "storage/database.hpp"

#include "storage/keys.hpp"
#include "storage/state_store.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

namespace troupe::storage {

namespace fs = std::filesystem;

namespace {

/// Key in the default column family, which holds nothing else.
constexpr std::string_view mark_key = "format";
/// Raised when a version without the change cannot read what is written.
constexpr std::string_view format = "1";

constexpr const char* restore = "; restore the data directory from a backup, "
                                "or move it away to begin without "
                                "data";

std::string_view view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

std::string advice(const rocksdb::Status& why) {
  const auto text = why.ToString();
  const auto says = [&](const char* words) {
    return text.find(words) != std::string::npos;
  };
  if (why.IsIOError() && says("lock"))
    return "another process has it open: stop that one, or use another "
           "directory";
  if (why.IsNoSpace())
    return "the disk is full: free some space and start again";
  if (why.IsInvalidArgument() && says("olumn famil"))
    return "it holds data that this version does not know: use the version "
           "that wrote it, or a later one";
  if (why.IsNotSupported())
    return "it was written by a later version: use that one";
  if (why.IsCorruption() || says("No such file"))
    return std::string{"it is damaged"} + restore;
  return "check that the directory can be read and written by this user";
}

/// RocksDB's diary goes nowhere. On a full disk the one that it keeps in a file
/// stops the process: a failed write is followed by another one, which the
/// library as packaged asserts that there is none.
class no_diary final : public rocksdb::Logger {
public:
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

} // namespace

rocksdb::DBOptions common_options(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  if (env != nullptr)
    options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  // Not track_and_verify_wals_in_manifest: in 7.8 it can miss, after a crash, a
  // write-ahead log that was deleted rightly, and then refuses to open.
  options.recycle_log_file_num = 0;
  // A background error ends the store at its next write: nothing is retried
  // behind its back.
  options.max_bgerror_resume_count = 0;
  options.max_background_jobs = 2; // one flushes, one compacts
  // Spreads the writing of sorted files, so that an fsync of a log beside them
  // does not wait for all of it.
  options.bytes_per_sync = 1 << 20;
  options.info_log = std::make_shared<no_diary>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

database::database(fs::path directory, std::string_view kind,
                   const rocksdb::DBOptions& options,
                   std::vector<rocksdb::ColumnFamilyDescriptor> families)
  : directory_(std::move(directory)),
    kind_(kind) {
  std::error_code failed;
  fs::create_directories(directory_, failed);
  if (!fs::is_directory(directory_))
    throw storage_error{text("is not a directory and cannot be made one ("
                             + failed.message() + "): choose another path")};
  try {
    refuse_others(options);
    open(options, std::move(families));
    mark_if_new();
  } catch (...) {
    close();
    throw;
  }
}

database::~database() { close(); }

/// Before anything is changed: RocksDB takes a directory without the file that
/// names the others for a new database, and believes a list of files that lost
/// its end. It deletes what it does not know.
void database::refuse_others(const rocksdb::DBOptions& options) const {
  std::error_code ignored;
  bool has_rows = false;
  bool has_log = false;
  for (const auto& file : fs::directory_iterator{directory_, ignored}) {
    const auto type = file.path().extension();
    has_rows |= type == ".sst" || type == ".blob";
    has_log |= type == ".log";
  }
  if (!fs::exists(directory_ / "CURRENT", ignored)) {
    if (has_rows || has_log)
      throw storage_error{text("its file CURRENT is missing, others are there: "
                               "it is damaged")
                          + restore};
    return;
  }
  rocksdb::DB* opened = nullptr;
  const auto status =
    rocksdb::DB::OpenForReadOnly({options, {}}, directory_.string(), &opened);
  const std::unique_ptr<rocksdb::DB> db{opened};
  if (!status.ok() || has_mark(*db))
    return; // `open` says why it cannot
  const std::unique_ptr<rocksdb::Iterator> rows{db->NewIterator({})};
  rows->SeekToFirst();
  if (has_rows || rows->Valid())
    throw storage_error{text("has files with rows, but not our mark: it is "
                             "damaged, or another program's")
                        + restore};
}

void database::open(const rocksdb::DBOptions& options,
                    std::vector<rocksdb::ColumnFamilyDescriptor> families) {
  families.emplace_back(rocksdb::kDefaultColumnFamilyName,
                        rocksdb::ColumnFamilyOptions{});
  rocksdb::DB* opened = nullptr;
  const auto status = rocksdb::DB::Open(options, directory_.string(), families,
                                        &families_, &opened);
  db_.reset(opened);
  if (!status.ok())
    fail_to_open(status);
  default_family_ = families_.back();
  families_.pop_back();
}

/// @returns false: there is none.
bool database::has_mark(rocksdb::DB& db) const {
  std::string mark;
  const auto status = db.Get({}, mark_key, &mark);
  if (status.IsNotFound())
    return false;
  if (!status.ok())
    fail_to_open(status);
  if (mark != this->mark())
    throw storage_error{text("is marked \"" + mark + "\" instead of \""
                             + this->mark()
                             + "\": it is of another kind, or a later version "
                               "wrote it, which can go on with it")};
  return true;
}

void database::mark_if_new() {
  if (has_mark(*db_))
    return;
  auto all = families_;
  all.push_back(default_family_);
  for (auto* family : all) {
    const std::unique_ptr<rocksdb::Iterator> rows{db_->NewIterator({}, family)};
    rows->SeekToFirst();
    if (rows->Valid())
      throw storage_error{
        text("is a database of another program: choose another directory")};
    if (!rows->status().ok())
      fail_to_open(rows->status());
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  auto status = db_->Put(synced, mark_key, mark());
  // In a sorted file it does not hold the first write-ahead log back.
  if (status.ok())
    status = db_->Flush({}, default_family_);
  if (!status.ok())
    fail_to_open(status);
}

void database::fail_to_open(const rocksdb::Status& why) const {
  throw storage_error{text("cannot be opened", why) + "; " + advice(why)};
}

void database::close() {
  if (!db_)
    return;
  for (auto* family : families_)
    db_->DestroyColumnFamilyHandle(family);
  if (default_family_ != nullptr)
    db_->DestroyColumnFamilyHandle(default_family_);
  db_.reset();
}

namespace {

class iterator_cursor final : public row_cursor {
public:
  iterator_cursor(const database& of, rocksdb::ColumnFamilyHandle* family,
                  std::string_view prefix)
    : of_(of),
      end_(end_of_prefix(prefix)),
      end_slice_(end_) {
    rocksdb::ReadOptions options;
    if (!end_.empty())
      options.iterate_upper_bound = &end_slice_;
    rows_.reset(of->NewIterator(options, family));
  }
  void seek(std::string_view key) override {
    rows_->Seek(key);
    check();
  }
  void next() override {
    rows_->Next();
    check();
  }
  bool valid() const override { return rows_->Valid(); }
  std::string_view key() const override { return view(rows_->key()); }
  std::string_view value() const override { return view(rows_->value()); }

private:
  void check() const {
    if (!rows_->status().ok())
      throw storage_error{of_.text("cannot be read", rows_->status()) + "; "
                          + advice(rows_->status())};
  }

  const database& of_;
  std::string end_;
  rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> rows_;
};

} // namespace

std::unique_ptr<row_cursor> database::open(std::size_t family,
                                           std::string_view prefix) const {
  return std::make_unique<iterator_cursor>(*this, families_[family], prefix);
}

void database::scan(std::size_t family, std::string_view prefix,
                    std::string_view from, const row_reader& each) const {
  const auto rows = open(family, prefix);
  for (rows->seek(from); rows->valid(); rows->next())
    if (!each(rows->key(), rows->value()))
      break;
}

std::optional<std::string> database::get(std::size_t family,
                                         std::string_view key) const {
  std::string value;
  const auto status = db_->Get({}, families_[family], key, &value);
  if (status.IsNotFound())
    return std::nullopt;
  if (!status.ok())
    throw storage_error{text("cannot be read", status) + "; " + advice(status)};
  return value;
}

void database::checkpoint(const fs::path& directory) const {
  rocksdb::Checkpoint* made = nullptr;
  auto status = rocksdb::Checkpoint::Create(db_.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint{made};
  // With the write-ahead log as it is: to flush instead would begin a new one
  // on this thread, which only the writer may (see state_writer.hpp).
  if (status.ok())
    status = checkpoint->CreateCheckpoint(
      directory.string(), std::numeric_limits<std::uint64_t>::max());
  if (!status.ok())
    throw storage_error{
      text("cannot be copied to " + directory.string(), status)};
}

void database::verify() const {
  auto status = db_->VerifyChecksum();
  if (status.ok())
    status = db_->VerifyFileChecksums({});
  if (!status.ok() && !status.IsInvalidArgument()) // files without checksums
    throw storage_error{text("is damaged", status)
                        + "; restore it from a backup"};
}

disk_usage database::disk() const {
  disk_usage sum;
  std::error_code ignored; // files come and go meanwhile
  for (const auto& file : fs::directory_iterator{directory_, ignored}) {
    const auto type = file.path().extension();
    const auto size = file.file_size(ignored);
    if (ignored)
      continue;
    if (type == ".sst")
      sum.sst += size;
    else if (type == ".blob")
      sum.blob += size;
    else if (type == ".log")
      sum.wal += size;
  }
  return sum;
}

memory_usage database::memory() const {
  memory_usage sum;
  db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kSizeAllMemTables,
                                &sum.memtables);
  // One cache for all families.
  db_->GetIntProperty(families_.front(),
                      rocksdb::DB::Properties::kBlockCacheUsage, &sum.cache);
  return sum;
}

std::string database::mark() const {
  return "troupe " + kind_ + " " + std::string{format};
}

std::string database::text(std::string_view problem) const {
  return "the " + kind_ + " database in " + directory_.string() + ": "
         + std::string{problem};
}

std::string database::text(std::string_view problem,
                           const rocksdb::Status& why) const {
  return text(std::string{problem} + " (" + why.ToString() + ")");
}

} // namespace troupe::storage
