#pragma once
// The machine that a simulated node runs on: clock, disk, and one thread.

#include "actors/node.hpp"
#include "actors/node_storage.hpp"
#include "tests/simulator/peers.hpp"
#include "tests/storage/support/faulty_env.hpp"
#include "tests/support/temporary_directory.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace troupe::simulator {

using namespace std::chrono_literals;
/// What differs between machines.
struct machine_shape {
  std::size_t reactors = 1;
  bool sync = true; ///< false breaks a rule: a write is told without sync
  storage::broken_rules broken{};
  bool reuses_identifiers = false;
  peers_maker replicas{}; ///< empty: its disk is all there is
};

/// Runs the lives of one node, one after the other, on one disk. Time passes
/// and work is done only when it is called; nothing here asks the system what
/// time it is.
class machine {
public:
  /// @param random  decides what a crash leaves of unsynced writes, where
  ///                hashes begin, and what the steady clock shows.
  machine(const machine_shape& shape, random_source& random);
  ~machine();
  machine(const machine&) = delete;
  machine& operator=(const machine&) = delete;

  // ---- lives ---------------------------------------------------------------
  /// @throws storage::storage_error, cluster::record_error  the node refuses
  /// what is on the disk.
  void start();
  /// In order: clients are told, everything is written.
  void stop();
  /// Whatever no sync has confirmed may be lost. Sockets are the caller's to
  /// close before.
  void crash();
  bool up() const noexcept { return node_ != nullptr; }
  /// The power goes in the middle of the next sync; the machine does not
  /// notice, and has to be crashed right after what it did then.
  void fail_at_next_sync();
  bool has_failed() const noexcept { return power_gone_; }

  // ---- work ----------------------------------------------------------------
  std::size_t reactors() const noexcept { return shape_.reactors; }
  /// @returns whether there was something to do.
  bool turn(std::size_t reactor);
  bool step(actors::node_storage::work which);
  /// The client's end of a new connection.
  int attach(std::size_t reactor);

  // ---- replicas ------------------------------------------------------------
  /// Null: there are no others.
  peers* others() noexcept { return peers_.get(); }
  /// Whether all that shards were given is committed. Without others it is,
  /// when there is nothing left to do.
  bool settled() const;
  /// Writes all that is applied, and has it compared.
  void compare_replicas();

  // ---- time ----------------------------------------------------------------
  /// Since the simulation began, over all lives.
  std::chrono::milliseconds elapsed() const noexcept { return elapsed_; }
  /// Lets time pass, but not beyond the node's next timer. The others work
  /// meanwhile only if the node is not up.
  /// @returns what has passed.
  std::chrono::milliseconds pass(std::chrono::milliseconds most);

  // ---- what it says --------------------------------------------------------
  actors::node::numbers numbers() { return node_->count_all(); }

private:
  actors::node_options options();
  bool drive();
  void let_pass(std::chrono::milliseconds time);

  machine_shape shape_;
  random_source& random_;
  test::temporary_directory directory_;
  test::faulty_env disk_;
  std::chrono::milliseconds elapsed_{0};
  std::chrono::steady_clock::time_point boot_; ///< of the steady clock
  bool power_gone_ = false;
  std::optional<std::chrono::milliseconds> starting_; ///< since
  bool crashing_ = false; ///< nobody else does anything meanwhile
  std::unique_ptr<peers> peers_;
  std::unique_ptr<actors::node> node_;
};

} // namespace troupe::simulator
