#pragma once
// etcd's Raft core, for the replicas that live on one thread.

#include "protocol/types.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace troupe::cluster {

class raft_log;

/// A node among the voters of shards.
enum class node_id : std::uint64_t { none = 0 };

/// The core found one of its rules broken: a log that has lost what it had, or
/// a mistake of ours. The engine and its replicas must not be used any more.
class raft_failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The part of the core that is behind one foreign call, for many shards: what
/// their replicas want of it is gathered, handed over at once, and what it
/// answers is carried out. Belongs to one thread; engines on different threads
/// do not meet. A program that is linked with it has Go's runtime, with threads
/// that are made when it is loaded: signals that it reads from a descriptor
/// must be blocked before (ADR 11).
class raft_engine {
public:
  using time_point = protocol::time_point;

  /// @param self  this node.
  /// @param tick  the unit in which elections and heartbeats are timed.
  raft_engine(node_id self, time_point now,
              std::chrono::milliseconds tick = std::chrono::milliseconds{100});
  /// After its replicas.
  ~raft_engine();
  raft_engine(const raft_engine&) = delete;
  raft_engine& operator=(const raft_engine&) = delete;

  node_id self() const noexcept { return self_; }

  /// It is `now`, for all replicas. Calls may be as rare or as frequent as they
  /// like: what counts is the time that has passed since the last tick.
  void advance(time_point now);
  /// When `advance` has something to tell, at the earliest.
  time_point next_tick() const noexcept { return ticked_ + tick_; }

  /// Whether `turn` has something to do.
  bool pending() const noexcept { return !in_.empty(); }
  /// Hands over what was gathered and has the replicas carry out the answer.
  /// What they gather meanwhile is for the next turn. Not from their callbacks.
  /// @throws raft_failure, and what a callback throws: then the rest of the
  ///         answer is lost, and the engine must not be used any more either.
  void turn();

  /// Makes the random part of election timeouts repeatable, in all engines of
  /// the process. For simulations.
  static void seed(std::uint64_t seed);

private:
  friend class raft_log;

  /// Kinds of records, as in `raft/flat.go`.
  enum class input : std::uint8_t {
    open = 1,
    close,
    tick,
    step,
    propose,
    synced,
    campaign,
    transfer,
  };
  enum class output : std::uint8_t {
    status = 1,
    hard,
    append,
    send,
    committed,
    refused,
    failed,
  };

  std::uint32_t add(raft_log& log);
  void remove(std::uint32_t slot);
  /// One record: numbers of 64 bits, then bytes.
  void put(input kind, std::uint32_t slot,
           std::initializer_list<std::uint64_t> numbers,
           std::span<const std::uint8_t> bytes = {});

  node_id self_;
  std::chrono::milliseconds tick_;
  time_point ticked_; ///< when the last tick was due
  std::uintptr_t engine_;
  std::vector<raft_log*> logs_; ///< by slot; null where one has gone
  std::string in_;              ///< for the next turn
  std::string handed_over_;     ///< in this turn
};

} // namespace troupe::cluster
