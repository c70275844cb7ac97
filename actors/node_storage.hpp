#pragma once
// The databases of a node, and the way back from the disk to its shards.

#include "actors/options.hpp"
#include "cluster/local_log.hpp"
#include "cluster/row_reads.hpp"
#include "cluster/time_base.hpp"
#include "storage/log_store.hpp"
#include "storage/reader.hpp"
#include "storage/space_guard.hpp"
#include "storage/state_store.hpp"

#include <array>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

namespace troupe::actors {

struct shared_state;
class topic_shard;

/// Opened before the reactors run, closed after them. What it reads is read on
/// the caller's thread; what shards write goes to its own threads, and what
/// comes of that to the shards' reactors.
class node_storage {
public:
  /// @throws storage::storage_error, cluster::record_error
  node_storage(const storage_options& options, const environment& world,
               std::size_t shards);

  storage::log_store& log() noexcept { return log_; }
  storage::state_store& state() noexcept { return state_; }
  const cluster::time_base& times() const noexcept { return times_; }
  const cluster::clock_at_start& clock() const noexcept { return clock_; }
  const storage_options& options() const noexcept { return options_; }

  /// @param shared  whose shards are told what is on the disk.
  void start(shared_state& shared);
  /// How much room the disk has; `enough` before `start`.
  storage::space_level space() const noexcept {
    return space_ ? space_->level() : storage::space_level::enough;
  }
  std::uint64_t free_bytes() const noexcept {
    return space_ ? space_->free_bytes() : 0;
  }
  /// Has `what` looked for on a thread of its own; the shard's actor gets the
  /// answer as `answered`, in the order of the questions but for those about
  /// cleaning. Any thread.
  void read(std::uint16_t shard, cluster::disk_wants&& what);
  /// Memory of both databases: what is not in files yet, and what was read.
  /// Any thread but reactors.
  std::uint64_t cache_bytes() const;
  /// Copies of both databases as of now, in a directory that does not exist
  /// yet, on the same file system. Any thread but reactors.
  /// @throws storage::storage_error
  void backup(const std::filesystem::path& directory);

  /// What its threads may do next, if it has none (`environment::drive`).
  enum class work : std::uint8_t { log, state, read };
  static constexpr std::array all_work{work::log, work::state, work::read};
  /// Does some of it. @returns false: there was nothing to do.
  bool step(work which);

  /// Writes and syncs what was handed over. After the reactors have ended.
  void stop();

private:
  void told(std::span<const storage::appended> group);
  void check_clock();
  void space_changed(storage::space_level level, std::uint64_t free);
  void stored(std::uint16_t shard, std::uint64_t applied);
  void trim(std::uint16_t shard, std::uint64_t applied);
  void fail(std::string_view what) const;
  static void return_memory();

  storage_options options_;
  bool stepped_;
  bool trims_; ///< the log: nobody else needs it
  shared_state* shared_ = nullptr;
  storage::log_store log_;
  storage::state_store state_;
  cluster::clock_at_start clock_;
  cluster::time_base times_;
  /// The last one looks for what can be cleaned away, which takes its time.
  std::array<storage::reader, 3> readers_;
  std::mutex trim_mutex_;
  bool hold_trims_ = false; ///< guarded by trim_mutex_: for a backup
  std::map<std::uint16_t, std::uint64_t> held_trims_; ///< likewise
  std::optional<storage::space_guard> space_;         ///< while it runs
};

} // namespace troupe::actors
