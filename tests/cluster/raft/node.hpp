#pragma once
// One node of the simulation: its disk, its engine, and a replica of each
// shard.

#include "cluster/raft_log.hpp"
#include "storage/log_store.hpp"
#include "tests/cluster/row_store.hpp"
#include "tests/storage/support/faulty_env.hpp"
#include "tests/support/temporary_directory.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::test {

inline constexpr std::uint16_t simulated_shards = 4;
inline constexpr std::uint64_t simulated_nodes = 3;

/// What a node may do wrong, to see that the simulation notices.
enum class broken_rule {
  none,
  /// What relies on the disk leaves before it is there.
  replies_wait_for_fsync,
  /// Votes do, entries do not.
  votes_wait_for_fsync,
  /// Nothing leaves early, but the state has what the disk has not.
  apply_waits_for_fsync,
  /// Entries behind one that was replaced are still there after a crash.
  conflicting_suffix_goes,
};

class raft_node;

/// What is around a node.
class node_world {
public:
  virtual time_point now() const = 0;
  virtual std::uint64_t random(std::uint64_t from, std::uint64_t to) = 0;
  /// There may be something for its disk: `write` is due some time.
  virtual void to_write(raft_node& by) = 0;
  virtual void send(cluster::node_id from, cluster::node_id to,
                    std::uint16_t shard, std::vector<std::uint8_t> message) = 0;
  /// @param entry  its bytes; empty for Raft's own.
  /// @param own    proposed by this node, in this life.
  virtual void applied(cluster::node_id by, std::uint16_t shard,
                       cluster::log_index index, const std::string& entry,
                       bool own) = 0;
  virtual void granted(std::uint16_t shard,
                       const std::vector<cluster::claim_granted>& all) = 0;
  virtual void lost(std::uint16_t shard, const std::string& entry) = 0;
  virtual void leads(cluster::node_id by, std::uint16_t shard,
                     std::uint64_t term) = 0;
  virtual void rows(std::uint16_t shard, cluster::log_index index,
                    lines&& dump) = 0;
  virtual void truncated() = 0;
  virtual void wrong(const std::string& what) = 0;

protected:
  ~node_world() = default;
};

/// What differs between simulations.
struct node_shape {
  broken_rule broken = broken_rule::none;
  std::chrono::milliseconds tick{20}; ///< of its engine
  std::size_t retained_max = 20;      ///< of a shard; 0: no limit
  std::size_t delayed_max = 10;       ///< likewise
};

/// Does its work when it is told: `write` and `advance`.
class raft_node {
public:
  /// Off.
  raft_node(cluster::node_id id, node_world& world, const node_shape& shape);
  ~raft_node();

  cluster::node_id id() const noexcept { return id_; }
  bool up() const noexcept { return engine_ != nullptr; }
  /// Counts starts and crashes.
  std::uint64_t life() const noexcept { return life_; }

  /// Reads its disk; `advance` sets it going.
  void start();
  /// Loses power. What was not synced is gone, and perhaps the last group that
  /// was, which nobody has been told of, is there.
  void crash();

  const cluster::raft_log& log(std::uint16_t shard) const {
    return *replicas_[shard]->log;
  }
  cluster::log_index applied(std::uint16_t shard) const {
    return replicas_[shard]->applied;
  }
  void propose(std::uint16_t shard, std::vector<cluster::command> commands);
  void receive(std::uint16_t shard, const std::vector<std::uint8_t>& message);
  void campaign(std::uint16_t shard);
  /// Where it leads: has another node lead.
  void transfer(std::uint16_t shard, cluster::node_id to);
  /// Its disk writes what it was given. @returns false: nothing.
  bool write();
  /// Time has passed.
  void advance();
  time_point next_tick() const { return engine_->next_tick(); }
  /// Brings the rows up to date and has them compared.
  void flush_rows(std::uint16_t shard);

private:
  struct proposal {
    cluster::log_index index;
    std::string bytes;
  };
  struct replica {
    replica(const cluster::shard_options& options, memory_rows found);
    cluster::disk_finds find(const cluster::disk_wants& what) const;
    void apply(cluster::command& x, time_point now);
    /// Answers what the state asked its disk.
    void answer_reads();

    std::uint16_t shard;
    recorder effects;
    std::vector<cluster::disk_wants> reads;
    memory_rows disk; ///< as it is read, synced or not
    cluster::shard_state_machine state;
    std::unique_ptr<cluster::raft_log> log;
    cluster::log_index applied = 0;
    cluster::log_index last_seen = 0; ///< in the log
    time_point proposed_at{};         ///< time of the last entry proposed
    std::map<cluster::entry_ptr, proposal> proposed;
  };
  struct outgoing {
    cluster::node_id to;
    std::uint16_t shard;
    std::vector<std::uint8_t> bytes;
  };

  cluster::shard_options options_of(std::uint16_t shard) const;
  storage::log_store_options store_options();
  void open_store();
  cluster::raft_callbacks callbacks(std::uint16_t shard);
  void committed(std::uint16_t shard, cluster::log_index index,
                 const cluster::entry_ptr& entry);
  /// Has the rows searched for what nobody needs any more.
  void sweep(std::uint16_t shard);
  void hand_over(std::uint16_t shard, std::vector<cluster::command> commands);
  /// What the states want proposed, where they lead.
  void propose_next();
  void send(outgoing what);
  /// Turns until the engine has nothing more to do.
  void run();
  void tell_early();
  std::vector<std::string> stored(std::uint16_t shard) const;
  void keep_suffixes(const std::vector<std::vector<std::string>>& before);
  void bring_suffixes_back();

  cluster::node_id id_;
  node_world& world_;
  node_shape shape_;
  temporary_directory home_;
  faulty_env disk_;
  std::unique_ptr<storage::log_store> store_;
  std::unique_ptr<cluster::raft_engine> engine_;
  std::vector<std::unique_ptr<replica>> replicas_;
  /// The rows of each shard that a start may find: since the last sync.
  std::vector<std::vector<memory_rows>> on_disk_;
  std::uint64_t life_ = 0;
  std::uint64_t proposed_ = 0; ///< counts what states wanted proposed
  bool told_ = true;           ///< the store may tell
  std::vector<outgoing> held_;
  std::vector<std::vector<std::string>> stale_; ///< suffixes, by shard
};

} // namespace troupe::test
