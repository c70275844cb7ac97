#pragma once
// The log of a shard that several nodes have.

#include "cluster/raft_engine.hpp"
#include "cluster/raft_records.hpp"
#include "cluster/replicated_log.hpp"
#include "cluster/time_base.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace troupe::storage {
class log_store;
}

namespace troupe::cluster {

enum class raft_role : std::uint8_t {
  follower,
  candidate,
  leader,
  pre_candidate, ///< asks whether an election could be won
};

struct raft_options {
  std::uint16_t shard = 0;
  std::vector<node_id> voters; ///< this node is one of them
  log_index applied = 0;       ///< the state has these entries already
  /// In ticks of the engine: how long a follower waits for a leader, up to
  /// twice as long, and how often a leader says that it is there.
  std::uint32_t election_ticks = 10;
  std::uint32_t heartbeat_ticks = 1;
};

/// What a replica does to those around it, always from within `turn` of its
/// engine. Bytes are borrowed for the call.
struct raft_callbacks {
  replicated_log::committed committed;
  replicated_log::lost lost;
  /// A message for another node's `step`. It may be lost, come late, twice, or
  /// in another order.
  std::function<void(node_id to, std::span<const std::uint8_t> message)> send;
  /// Role, leader or term are new.
  std::function<void()> status_changed;
};

/// One replica of a shard's log (Ongaro and Ousterhout: In Search of an
/// Understandable Consensus Algorithm; the core is etcd's). Entries and hard
/// state lie in the node's log store. What relies on them leaves when the store
/// has told that they are on the disk: votes, replies to the leader, and what
/// is committed; only a leader's entries go out to the others before that.
///
/// The log has all entries since the first: without snapshots it must not be
/// trimmed, and its replicas are always the same.
class raft_log final : public replicated_log {
public:
  /// Reads the shard's log, so not on a reactor. What is committed and not yet
  /// applied is reported from the first turns on.
  /// @throws storage::storage_error, record_error  the log cannot be read, or
  ///         is not that of `options.applied`.
  raft_log(raft_options options, raft_engine& engine, storage::log_store& store,
           const time_base& times, raft_callbacks callbacks);
  ~raft_log() override;
  raft_log(const raft_log&) = delete;
  raft_log& operator=(const raft_log&) = delete;

  /// To the leader, best when it `leads`; elsewhere the entry is lost. If the
  /// leader changes, what becomes of the entry is reported when a majority is
  /// known to agree on it.
  /// The leader, and everything that leaders before it committed was reported:
  /// the state is the newest, and proposals can build on it.
  bool leads() const noexcept override { return leads_; }
  log_index propose(entry_ptr entry) override;
  std::size_t outstanding() const noexcept override { return waiting_.size(); }
  std::size_t take_size() noexcept override;
  void appended(log_index index) override;

  /// A message that another replica of the shard sent. What cannot be read is
  /// dropped.
  void step(std::span<const std::uint8_t> message);
  /// Stands for election, if it can be won.
  void campaign();
  /// Has `to`, another voter, lead in place of this replica, as soon as it has
  /// the whole log; until then entries that are proposed are lost. If it takes
  /// longer than an election this replica goes on. Nothing where it is not the
  /// leader.
  void transfer(node_id to);

  raft_role role() const noexcept { return role_; }
  /// `none` while none is known.
  node_id leader() const noexcept { return leader_; }
  std::uint64_t term() const noexcept { return term_; }
  /// Of the last entry handed to the store; 0: there is none.
  log_index last_index() const noexcept { return last_; }

private:
  friend class raft_engine;

  /// What was proposed here.
  struct proposal {
    std::uint64_t number;
    std::uint64_t term; ///< 0: not proposed to a leader
    log_index index;    ///< as foretold
    entry_ptr entry;
  };

  void open();
  void carry_out(raft_engine::output kind, std::span<const std::uint8_t> in);
  void set_status(raft_role role, node_id leader, std::uint64_t term);
  void append(log_index index, const raft_entry& x);
  void commit(log_index index, const raft_entry& x);
  void refuse(std::uint64_t number);
  void lose_before(std::uint64_t term);

  raft_options options_;
  raft_engine& engine_;
  storage::log_store& store_;
  const time_base& times_;
  raft_callbacks callbacks_;
  std::uint32_t slot_;

  raft_role role_ = raft_role::follower;
  node_id leader_ = node_id::none;
  std::uint64_t term_ = 0;
  bool leads_ = false;
  log_index last_ = 0;
  /// What the store is to tell before the core goes on; 0: the hard state.
  std::optional<log_index> awaited_;

  std::deque<proposal> waiting_; ///< in their order in the log
  std::uint64_t proposed_ = 0;   ///< counts proposals
  std::size_t size_ = 0;
};

} // namespace troupe::cluster
