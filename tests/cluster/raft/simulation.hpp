#pragma once
// Three nodes with a replica of every shard each, in one thread and in virtual
// time, with everything that can go wrong between and below them.

#include "tests/cluster/raft/agreement.hpp"
#include "tests/cluster/raft/node.hpp"
#include "tests/cluster/random_commands.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace troupe::test {

struct simulation_options {
  std::uint32_t seed = 1;
  std::chrono::seconds trouble{15}; ///< virtual; then all is well again
  broken_rule broken = broken_rule::none;
};

struct simulation_counters {
  agreement_counters agreed;
  std::uint64_t acknowledged = 0; ///< to the node that proposed it
  std::uint64_t lost = 0;         ///< reported as such to that node
  std::uint64_t crashes = 0;
  std::uint64_t truncations = 0; ///< entries of a follower that gave way
  std::uint64_t messages = 0;
  std::uint64_t fingerprint = 0; ///< of all that happened, in its order
};

/// Runs once. What is checked, after each event, is `agreement`; that an entry
/// which was committed has the index that was foretold;
/// and at the end that every shard has a leader, takes commands, and has all
/// replicas at the same place.
class raft_simulation : private node_world {
public:
  explicit raft_simulation(simulation_options options);
  ~raft_simulation();

  /// @returns what was found wrong; nullopt: nothing.
  std::optional<std::string> run();
  const simulation_counters& counters() const noexcept { return counters_; }

private:
  struct event {
    time_point due;
    std::uint64_t number; ///< at the same time: in the order of the calls
    std::function<void()> what;
    bool operator<(const event& x) const {
      return std::tie(due, number) > std::tie(x.due, x.number);
    }
  };
  struct shard_model {
    random_commands next;
    recorder seen; ///< grants, for `next`
  };

  // node_world
  time_point now() const override { return now_; }
  std::uint64_t random(std::uint64_t from, std::uint64_t to) override {
    return std::uniform_int_distribution<std::uint64_t>{from, to}(random_);
  }
  void to_write(raft_node& by) override;
  void send(cluster::node_id from, cluster::node_id to, std::uint16_t shard,
            std::vector<std::uint8_t> message) override;
  void applied(cluster::node_id by, std::uint16_t shard,
               cluster::log_index index, const std::string& entry,
               bool own) override;
  void granted(std::uint16_t shard,
               const std::vector<cluster::claim_granted>& all) override;
  void lost(std::uint16_t shard, const std::string& entry) override;
  void leads(cluster::node_id by, std::uint16_t shard,
             std::uint64_t term) override;
  void rows(std::uint16_t shard, cluster::log_index index,
            lines&& dump) override;
  void truncated() override { ++counters_.truncations; }
  void wrong(const std::string& what) override;

  bool chance(double probability) {
    return std::bernoulli_distribution{probability}(random_);
  }
  raft_node& node(cluster::node_id id) {
    return *nodes_[static_cast<std::size_t>(id) - 1];
  }
  raft_node& any_node() { return *nodes_[random(0, nodes_.size() - 1)]; }
  raft_node* leader_of(std::uint16_t shard);
  void note(const std::string& what);
  void after(std::chrono::milliseconds time, std::function<void()> f);
  void start(raft_node& which);
  /// Has the node notice that time passes, as long as it lives.
  void tick(raft_node& which);
  void run_until(time_point end);
  void propose_again_and_again(std::uint16_t shard);
  void propose(std::uint16_t shard, raft_node& to);
  void make_trouble();
  void crash(raft_node& which, std::chrono::milliseconds down_for);
  void heal();
  void check_end();

  simulation_options options_;
  std::mt19937_64 random_;
  time_point now_ = start_time;
  std::priority_queue<event> events_;
  std::uint64_t scheduled_ = 0;
  std::vector<shard_model> shards_;
  std::vector<std::unique_ptr<raft_node>> nodes_;
  bool calm_ = false;
  double drop_ = 0;
  std::uint64_t delay_max_ms_ = 8;
  std::set<std::pair<cluster::node_id, cluster::node_id>> cut_;
  std::set<cluster::node_id> slow_;    ///< writes take long
  std::set<cluster::node_id> writing_; ///< a write is on its way
  agreement agreed_{simulated_shards,
                    [this](const std::string& what) { wrong(what); }};
  std::optional<std::string> wrong_;
  simulation_counters counters_;
};

} // namespace troupe::test
