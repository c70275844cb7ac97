#pragma once
// Two more replicas of every shard of the node, on Raft.

#include "tests/cluster/raft/agreement.hpp"
#include "tests/cluster/raft/node.hpp"
#include "tests/simulator/peers.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::simulator {

/// Rules that are broken on purpose.
struct broken_replication {
  /// By the others.
  test::broken_rule rule = test::broken_rule::none;
  /// The node takes for committed what is on its own disk.
  bool own_disk_is_enough = false;
};

/// Each of the others has a log, a disk and a state of each shard; they have no
/// clients. While the node is away or out of reach one of them leads, sees to
/// what becomes due, and hands over to the node when that is there again.
class replicas final : public peers, private test::node_world {
public:
  explicit replicas(const peers_options& options,
                    const broken_replication& broken = {});
  ~replicas() override;

  void node_starts(std::size_t reactors) override;
  std::unique_ptr<cluster::replicated_log>
  make_log(actors::log_parts&& parts) override;
  bool node_turns(std::size_t reactor, actors::home& on) override;
  void node_ends() override;
  void node_is_gone() override;
  bool node_leads() const override;
  std::string event() override;
  bool work() override;
  void heal() override;
  void crash_some() override;
  std::chrono::milliseconds until_tick() const override;
  void time_passed() override;
  void compare(const storage::state_store& node) override;
  const std::string& wrong() const override { return wrong_; }

  peers_counters counters() const override;

private:
  class node_log;
  struct message {
    cluster::node_id from;
    cluster::node_id to;
    std::uint16_t shard = 0;
    std::vector<std::uint8_t> bytes;
  };
  using milliseconds = std::chrono::milliseconds;

  // test::node_world
  test::time_point now() const override;
  std::uint64_t random(std::uint64_t from, std::uint64_t to) override;
  void to_write(test::raft_node&) override {}
  void send(cluster::node_id from, cluster::node_id to, std::uint16_t shard,
            std::vector<std::uint8_t> bytes) override;
  void applied(cluster::node_id by, std::uint16_t shard,
               cluster::log_index index, const std::string& entry,
               bool own) override;
  void granted(std::uint16_t,
               const std::vector<cluster::claim_granted>&) override {}
  void lost(std::uint16_t shard, const std::string& entry) override;
  void leads(cluster::node_id by, std::uint16_t shard,
             std::uint64_t term) override;
  void rows(std::uint16_t shard, cluster::log_index index,
            test::lines&& dump) override;
  void truncated() override {}
  void wrong(const std::string& what) override;

  bool chance(std::uint32_t percent) { return random(0, 99) < percent; }
  std::uint16_t any_shard() {
    return static_cast<std::uint16_t>(random(0, test::simulated_shards - 1));
  }
  test::raft_node& any() { return *others_[random(0, others_.size() - 1)]; }
  bool cut(cluster::node_id from, cluster::node_id to) const {
    return cut_.contains({from, to});
  }
  void deliver_one();
  std::string make_trouble();
  void isolate(cluster::node_id who);
  void crash(test::raft_node& who, milliseconds down_for);
  void look_after(test::raft_node& who);

  random_source& random_;
  std::function<milliseconds()> elapsed_;
  broken_replication broken_;
  test::agreement agreed_{test::simulated_shards,
                          [this](const std::string& what) { wrong(what); }};
  std::vector<std::unique_ptr<test::raft_node>> others_;

  // Of the node:
  bool node_up_ = false;
  std::vector<std::unique_ptr<cluster::raft_engine>> engines_; ///< by reactor
  std::array<node_log*, test::simulated_shards> logs_{};

  // Of the network, and of the others' troubles:
  std::vector<message> on_its_way_;
  std::set<std::pair<cluster::node_id, cluster::node_id>> cut_;
  std::uint32_t drop_ = 0;                       ///< percent
  std::set<cluster::node_id> slow_;              ///< its disk
  std::map<cluster::node_id, milliseconds> due_; ///< to start again
  std::uint64_t proposed_ = 0;                   ///< by the others
  std::string wrong_;
  peers_counters counters_;
};

peers_maker three_replicas(const broken_replication& broken = {});

} // namespace troupe::simulator
