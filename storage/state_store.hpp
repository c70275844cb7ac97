#pragma once
// state.db: the applied state of all shards of a node, as rows.

#include "storage/disk_usage.hpp"
#include "storage/error.hpp"
#include "storage/running.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class Env;
}

namespace troupe::storage {

struct state_store_options {
  std::filesystem::path directory; ///< created if it is missing
  /// Column families. One that is new is created; one that is there must be
  /// named. Elsewhere they are known by their position in this list.
  std::vector<std::string> families;
  /// How long a write may wait to be synced, at most.
  std::chrono::milliseconds sync_interval{1000};
  /// How much may wait to be synced, in bytes: about that, and one write.
  std::size_t sync_bytes = std::size_t{16} << 20;
  /// Blocks, indexes and filters of all families together, in bytes.
  std::size_t cache_bytes = std::size_t{64} << 20;
  /// Rows not in sorted files yet, of all families together, in bytes; three
  /// times as much is the most there can be while they are moved there.
  std::size_t memtable_bytes = std::size_t{64} << 20;
  /// Called once, on the writer thread, when a write failed; nothing is written
  /// or told afterwards.
  std::function<void(std::string_view what)> on_fatal = abort_with;
  /// Files and threads of the database; null: the system's. Outlives the store.
  rocksdb::Env* env = nullptr;
  running how{}; ///< threads and clock
};

/// One change. Keys begin with the shard, big-endian (`keys.hpp`).
struct row {
  std::uint8_t family = 0; ///< position in `state_store_options::families`
  std::string key;
  std::optional<std::string> value; ///< nullopt: delete
};

/// Goes through rows in the order of their keys. For one thread at a time, but
/// no reactor. What moves it throws storage_error.
class row_cursor {
public:
  virtual ~row_cursor() = default;
  virtual void seek(std::string_view key) = 0; ///< the first one from it on
  virtual void next() = 0;                     ///< if it is `valid`
  virtual bool valid() const = 0;              ///< false at the end
  // Borrowed until it moves:
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
};

/// What a state store has done since it was opened.
struct state_counters {
  std::uint64_t writes = 0; ///< calls of `write` that were carried out
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0; ///< of keys and values
  std::uint64_t syncs = 0;
  std::uint64_t sync_ns = 0;
  std::uint64_t longest_sync = 0; ///< ns
  std::uint64_t queued = 0;       ///< writes handed over, not carried out yet
};

/// The rows of all shards, in one database with one writer thread.
///
/// After a power failure the rows are those of some call of `write` and of all
/// calls before it, never of one before a sync that was told. Functions that
/// read call RocksDB on the calling thread: they block on the disk and must not
/// be called from reactors, whose file tables may be their own.
class state_store {
public:
  using listener =
    std::function<void(std::uint16_t shard, std::uint64_t applied_index)>;
  /// @returns whether to go on.
  using row_reader =
    std::function<bool(std::string_view key, std::string_view value)>;

  /// Opens the database, creates it if there is none.
  /// @throws storage_error
  explicit state_store(state_store_options options);
  /// Stops.
  ~state_store();
  state_store(const state_store&) = delete;
  state_store& operator=(const state_store&) = delete;

  // ---- reading: any thread but reactors, at any time ------------------------
  /// The rows whose keys begin with `prefix`, in the order of their keys, as of
  /// the call, until `read` answers false. Bytes are borrowed for the call.
  /// @throws storage_error
  void scan(std::uint8_t family, std::string_view prefix,
            const row_reader& read) const;
  /// @throws storage_error
  std::optional<std::string> get(std::uint8_t family,
                                 std::string_view key) const;
  /// The rows whose keys begin with `prefix`, as of the call, to go through by
  /// `seek`. Ends before the store does.
  std::unique_ptr<row_cursor> open(std::uint8_t family,
                                   std::string_view prefix) const;

  // ---- writing: any thread, never blocks on the disk ------------------------
  /// Changes that belong together: they become visible, and survive, all or
  /// none. Calls are carried out in their order. What comes before `start` is
  /// written then; what comes after `stop` or a failed write is dropped.
  /// @param applied_index  of the shard, with these rows; told when durable.
  void write(std::uint16_t shard, std::uint64_t applied_index,
             std::vector<row> rows);

  // ---- running --------------------------------------------------------------
  /// Begins to write. `told` is called on the writer thread (or from `step` and
  /// `stop`, if the store is stepped) after each sync, once for each shard that
  /// has written since the one before, with the greatest applied index that is
  /// durable now. It does not throw. Not from a reactor: the writer has the
  /// file table of the caller.
  void start(listener told);
  /// Only if the store is stepped, after `start`: carries out the writes that
  /// are queued, and a sync if one is due.
  /// @returns false: there was nothing to do.
  bool step();
  /// Writes and syncs what is queued, tells it and ends the writer thread. Not
  /// from the listener.
  void stop();

  // ---- beside ---------------------------------------------------------------
  /// A copy as of now that shares files with this database. The directory must
  /// not exist yet; same file system. Not from reactors; also while running.
  /// @throws storage_error
  void checkpoint(const std::filesystem::path& directory) const;
  /// Reads every file and compares its checksums. Not from reactors.
  /// @throws storage_error
  void verify() const;

  state_counters counters() const noexcept; ///< any thread
  disk_usage disk() const;                  ///< any thread, lists the directory
  memory_usage memory() const;              ///< any thread but reactors
  /// Rows of a family, roughly. Any thread but reactors.
  std::uint64_t estimated_rows(std::uint8_t family) const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::storage
