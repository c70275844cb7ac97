#pragma once
// The thread that writes state.db. Inside storage/ only.

#include "storage/counter.hpp"
#include "storage/database.hpp"
#include "storage/state_store.hpp"
#include "storage/work_queue.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <vector>

namespace troupe::storage {

/// What a shard asks for.
struct state_task {
  std::uint16_t shard;
  std::uint64_t applied_index;
  std::vector<row> rows;
};

/// Carries out tasks in order, syncs now and then, tells. Borrows what it is
/// given.
///
/// Writes are not synced one by one, so a power failure cuts the write-ahead
/// log somewhere. That is right as long as there is one such log: with two the
/// end of the first could be lost and the second be there, and RocksDB would
/// not notice the hole. So a new one is begun only here, by a flush right after
/// a sync, and RocksDB's own limits are too high to make it begin one.
class state_writer {
public:
  state_writer(const state_store_options& options, database& db)
    : options_(options),
      db_(db) {}
  ~state_writer() { stop(); }

  void push(state_task task);
  void start(state_store::listener told);
  bool step();
  void stop();
  state_counters counters() const noexcept;

private:
  using clock = std::chrono::steady_clock;

  // All of the following: on the writer thread, or that of `step`. What answers
  // bool answers false if it failed; there must be no further call then.
  void run();
  bool carry_out();
  bool sync_is_due() const;
  bool write(const state_task& task);
  bool flush_if_full(std::size_t written);
  bool sync();
  void fail(const std::string& what);

  const state_store_options& options_;
  database& db_;
  work_queue<state_task> queue_;
  std::thread thread_;
  bool running_ = false; ///< started, not stopped, and no write has failed
  state_store::listener told_;
  std::vector<state_task> tasks_;                   ///< under way
  std::map<std::uint16_t, std::uint64_t> unsynced_; ///< applied index by shard
  std::optional<clock::time_point> sync_due_;
  std::size_t unsynced_bytes_ = 0;
  std::size_t unchecked_ = 0; ///< bytes written since the memtables were asked

  std::atomic<std::uint64_t> pushed_{0};
  counter writes_;
  counter rows_;
  counter bytes_;
  counter syncs_;
  counter sync_ns_;
  counter longest_sync_;
};

} // namespace troupe::storage
