#pragma once
// What the replicas of shards say they have, and whether it can be true of one
// log.

#include "cluster/raft_engine.hpp"
#include "cluster/replicated_log.hpp"
#include "tests/cluster/support.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace troupe::test {

struct agreement_counters {
  std::uint64_t committed = 0;
  std::uint64_t leaders = 0;
  std::uint64_t compared = 0; ///< states of two replicas at one index
};

/// - All replicas apply the same entries under the same indexes, without gaps,
///   whatever they lost and whenever they started;
/// - at the same index they have the same rows;
/// - no term of a shard has two leaders;
/// - an entry that was reported as lost is never committed.
class agreement {
public:
  agreement(std::uint16_t shards,
            std::function<void(const std::string& what)> wrong);

  void applied(cluster::node_id by, std::uint16_t shard,
               cluster::log_index index, const std::string& entry);
  /// @param entry  no other one has the same bytes.
  void lost(std::uint16_t shard, const std::string& entry);
  void leads(cluster::node_id by, std::uint16_t shard, std::uint64_t term);
  void rows(std::uint16_t shard, cluster::log_index index, lines&& dump);

  /// Index of the last entry that anybody applied.
  cluster::log_index last(std::uint16_t shard) const {
    return shards_[shard].history.size();
  }
  /// The bytes of an entry that was applied.
  const std::string& entry(std::uint16_t shard,
                           cluster::log_index index) const {
    return shards_[shard].history.at(index - 1);
  }
  const agreement_counters& counters() const noexcept { return counters_; }

private:
  struct of_shard {
    std::vector<std::string> history;                  ///< entries, from 1
    std::map<cluster::log_index, lines> rows;          ///< by index
    std::map<std::uint64_t, cluster::node_id> leaders; ///< by term
    std::set<std::string> lost;                        ///< entries
  };

  std::vector<of_shard> shards_;
  std::function<void(const std::string& what)> wrong_;
  agreement_counters counters_;
};

} // namespace troupe::test
