#pragma once
// The thread that writes log.db. Inside storage/ only.

#include "storage/counter.hpp"
#include "storage/database.hpp"
#include "storage/log_store.hpp"
#include "storage/work_queue.hpp"

#include <rocksdb/write_batch.h>

#include <chrono>
#include <map>
#include <thread>
#include <vector>

namespace troupe::storage {

/// The indexes that a shard's log holds; `first` is greater than `last` if it
/// holds none.
struct index_range {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
};
using shard_ranges = std::map<std::uint16_t, index_range>;

/// Positions of the column families of log.db.
struct log_family {
  static constexpr std::size_t entry = 0;
  static constexpr std::size_t hard = 1;
};

/// What a shard asks for.
struct log_task {
  enum class kind : std::uint8_t { append, truncate, hard, trim };
  kind what;
  std::uint16_t shard;
  std::uint64_t index; ///< of the entry, the first or the last one to go
  std::string bytes;
};

/// Gathers tasks, writes them in groups, tells. Borrows what it is given.
class log_writer {
public:
  log_writer(const log_store_options& options, database& db,
             shard_ranges ranges);
  ~log_writer() { stop(); }

  void push(log_task task) { queue_.push(std::move(task)); }
  void start(log_store::listener told);
  bool step();
  void stop();
  log_counters counters() const noexcept;

private:
  using clock = std::chrono::steady_clock;

  // All of the following: on the writer thread, or that of `step`.
  void run();
  bool write_group();
  bool add(const log_task& task, rocksdb::WriteBatch& batch);
  bool add_append(const log_task& task, rocksdb::WriteBatch& batch);
  bool add_truncate(const log_task& task, rocksdb::WriteBatch& batch);
  void note_trim(const log_task& task);
  bool trims_are_due() const;
  void add_trims(rocksdb::WriteBatch& batch);
  bool write(rocksdb::WriteBatch& batch, bool sync);
  void fail(const std::string& what);

  const log_store_options& options_;
  database& db_;
  work_queue<log_task> queue_;
  std::thread thread_;
  bool running_ = false; ///< started, not stopped, and no write has failed
  log_store::listener told_;
  std::vector<log_task> tasks_; ///< of the group
  std::vector<appended> group_; ///< to be told after the next write
  shard_ranges ranges_;
  std::map<std::uint16_t, std::uint64_t> trims_; ///< asked for, not written
  std::optional<clock::time_point> trims_due_;
  std::uint64_t untrimmed_ = 0; ///< bytes appended since trims were written
  rocksdb::WriteBatch late_;    ///< see `broken_rules::tells_before_it_writes`

  counter groups_;
  counter entries_;
  counter bytes_;
  counter write_ns_;
  counter longest_write_;
  counter largest_group_;
};

} // namespace troupe::storage
