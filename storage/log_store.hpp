#pragma once
// log.db: the log entries of all shards of a node.

#include "storage/disk_usage.hpp"
#include "storage/error.hpp"
#include "storage/running.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rocksdb {
class Env;
}

namespace troupe::storage {

struct log_store_options {
  std::filesystem::path directory; ///< created if it is missing
  /// Whether a group is on the disk, and not only with the operating system,
  /// before it is told. Without, a power failure may also leave a log with a
  /// gap, which the next start refuses.
  bool sync = true;
  /// A quarter of what is kept in memory before it moves to sorted files, in
  /// bytes; six times as much is the most there can be when the disk is slow.
  /// What is trimmed sooner never moves.
  std::size_t memtable_bytes = std::size_t{16} << 20;
  /// Called once, on the writer thread, when a write failed; nothing is written
  /// or told afterwards.
  std::function<void(std::string_view what)> on_fatal = abort_with;
  /// Files and threads of the database; null: the system's. Outlives the store.
  rocksdb::Env* env = nullptr;
  running how{}; ///< threads and clock
};

/// What a shard is told: an entry (or, with index 0, the hard state given last)
/// is on the disk.
struct appended {
  std::uint16_t shard = 0;
  std::uint64_t index = 0; ///< 0: the hard state
  friend bool operator==(const appended&, const appended&) = default;
};

/// What a log store has done since it was opened.
struct log_counters {
  std::uint64_t groups = 0;        ///< synced writes
  std::uint64_t entries = 0;       ///< hard states included
  std::uint64_t bytes = 0;         ///< of entries, without keys
  std::uint64_t write_ns = 0;      ///< in writes, nearly all of it is fsync
  std::uint64_t longest_write = 0; ///< ns
  std::uint64_t largest_group = 0; ///< entries
};

/// The log entries and the hard state of all shards, in one database with one
/// writer thread: whatever the shards hand over while a write is on its way to
/// the disk goes there together with the next one.
///
/// The indexes of a shard's entries are without gaps. Functions that read call
/// RocksDB on the calling thread: they block on the disk and must not be called
/// from reactors, whose file tables may be their own.
class log_store {
public:
  using listener = std::function<void(std::span<const appended>)>;
  /// @returns whether to go on.
  using entry_reader =
    std::function<bool(std::uint64_t index, std::span<const std::uint8_t>)>;

  /// Opens the database, creates it if there is none, and checks it.
  /// @throws storage_error
  explicit log_store(log_store_options options);
  /// Stops.
  ~log_store();
  log_store(const log_store&) = delete;
  log_store& operator=(const log_store&) = delete;

  // ---- what was there when the store was opened -----------------------------
  /// 0 if the shard has no entries.
  std::uint64_t first_index(std::uint16_t shard) const;
  /// 0 if the shard has no entries.
  std::uint64_t last_index(std::uint16_t shard) const;

  // ---- reading: any thread but reactors, at any time ------------------------
  /// The entries of a shard beginning with `from`, in order, until `read`
  /// answers false. Bytes are borrowed for the call.
  /// @throws storage_error
  void read(std::uint16_t shard, std::uint64_t from,
            const entry_reader& read) const;
  /// @throws storage_error
  std::optional<std::string> hard(std::uint16_t shard) const;

  // ---- writing: any thread, never blocks on the disk ------------------------
  // What is handed over before `start` is written then; what comes after `stop`
  // or a failed write is dropped.

  /// The next entry of a shard. An empty log begins with any index but 0. The
  /// index after the last one is the only other that is right: anything else is
  /// refused as a failed write, since it would leave a log that cannot be read.
  void append(std::uint16_t shard, std::uint64_t index, std::string bytes);
  /// Entries from `from` on give way to others: the next one to append is
  /// `from`. They may be there again after a power failure until something
  /// handed over later is told. Not below what was trimmed, which is refused as
  /// a failed write.
  void truncate(std::uint16_t shard, std::uint64_t from);
  /// Replaces the hard state of a shard (Raft's term, vote and commit).
  void set_hard(std::uint16_t shard, std::string bytes);
  /// Entries up to `up_to` are not needed any more. They go with a later group,
  /// or after a moment, and may be there again after a power failure.
  void trim(std::uint16_t shard, std::uint64_t up_to);

  // ---- running --------------------------------------------------------------
  /// Begins to write. `told` is called on the writer thread (or from `step` and
  /// `stop`, if the store is stepped), once per group, with what is on the disk
  /// now in the order of the calls. It does not throw. Not from a reactor: the
  /// writer has the file table of the caller.
  void start(listener told);
  /// Only if the store is stepped, after `start`: writes what is queued as one
  /// group, or trims that are due.
  /// @returns false: there was nothing to do.
  bool step();
  /// Writes what is queued, tells it and ends the writer thread. Not from the
  /// listener.
  void stop();

  // ---- beside ---------------------------------------------------------------
  /// A copy as of now that shares files with this database. The directory must
  /// not exist yet; same file system. Not from reactors; also while running.
  /// @throws storage_error
  void checkpoint(const std::filesystem::path& directory) const;
  /// Reads every file and compares its checksums. Not from reactors.
  /// @throws storage_error
  void verify() const;

  log_counters counters() const noexcept; ///< any thread
  disk_usage disk() const;                ///< any thread, lists the directory
  memory_usage memory() const;            ///< any thread but reactors

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::storage
