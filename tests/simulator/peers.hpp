#pragma once
// The other replicas of a simulated node's shards, as its machine sees them.

#include "actors/home.hpp"
#include "actors/options.hpp"
#include "storage/state_store.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

namespace troupe::simulator {

using random_source = std::mt19937;

/// What happened among the replicas.
struct peers_counters {
  std::uint64_t messages = 0;
  std::uint64_t committed = 0; ///< entries
  std::uint64_t lost = 0;      ///< entries of the node, to be proposed again
  std::uint64_t foreign = 0;   ///< entries that the node did not propose
  std::uint64_t leaders = 0;   ///< terms with one
  std::uint64_t crashes = 0;   ///< of the others
  std::uint64_t compared = 0;  ///< states of two replicas at one index

  peers_counters& operator+=(const peers_counters& x) {
    messages += x.messages;
    committed += x.committed;
    lost += x.lost;
    foreign += x.foreign;
    leaders += x.leaders;
    crashes += x.crashes;
    compared += x.compared;
    return *this;
  }
};

/// Their nodes, their disks, and the network between all of them. As the
/// machine, they do nothing by themselves. Here "the node" is that with the
/// clients.
class peers {
public:
  virtual ~peers() = default;

  // ---- the node ------------------------------------------------------------
  /// Before the node is made: its logs come from `make_log`.
  virtual void node_starts(std::size_t reactors) = 0;
  virtual std::unique_ptr<cluster::replicated_log>
  make_log(actors::log_parts&& parts) = 0;
  /// Before a turn of one of its reactors, which is to do what its logs have
  /// to. @returns whether there is something.
  virtual bool node_turns(std::size_t reactor, actors::home& on) = 0;
  /// From here on nothing that it does reaches anybody.
  virtual void node_ends() = 0;
  /// After its shards have gone.
  virtual void node_is_gone() = 0;
  /// Whether it leads all shards, and knows what became of what it proposed.
  virtual bool node_leads() const = 0;

  // ---- what happens --------------------------------------------------------
  /// Something of it. @returns in words, what.
  virtual std::string event() = 0;
  /// Delivers and writes what can be. @returns whether there was anything.
  virtual bool work() = 0;
  /// Ends all trouble: everybody is up and can be reached.
  virtual void heal() = 0;
  virtual void crash_some() = 0;

  // ---- time ----------------------------------------------------------------
  /// Time must not pass by more at once.
  virtual std::chrono::milliseconds until_tick() const = 0;
  virtual void time_passed() = 0;

  // ---- what must be true ---------------------------------------------------
  /// Compares all replicas with each other, when nothing is on its way.
  /// @param node  has written everything.
  virtual void compare(const storage::state_store& node) = 0;
  /// What was found wrong first; empty: nothing.
  virtual const std::string& wrong() const = 0;
  virtual peers_counters counters() const = 0;
};

/// What is around them.
struct peers_options {
  random_source& random;
  std::function<std::chrono::milliseconds()> elapsed;
};

using peers_maker = std::function<std::unique_ptr<peers>(const peers_options&)>;

} // namespace troupe::simulator
