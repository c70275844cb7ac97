#include "tests/cluster/raft/agreement.hpp"

#include <algorithm>

namespace troupe::test {

using namespace cluster;

agreement::agreement(std::uint16_t shards,
                     std::function<void(const std::string& what)> wrong)
  : shards_(shards),
    wrong_(std::move(wrong)) {}

void agreement::applied(node_id by, std::uint16_t shard, log_index index,
                        const std::string& entry) {
  auto& of = shards_[shard];
  if (index <= of.history.size()) {
    if (of.history[index - 1] != entry)
      wrong_(text("shard ", shard, ": node ", static_cast<std::uint64_t>(by),
                  " applies something else as entry ", index));
    return;
  }
  if (index != of.history.size() + 1)
    return wrong_(text("shard ", shard, ": entry ", index, " out of nowhere"));
  if (of.lost.contains(entry))
    wrong_(text("shard ", shard, ": entry ", index, " was reported as lost"));
  of.history.push_back(entry);
  ++counters_.committed;
}

void agreement::lost(std::uint16_t shard, const std::string& entry) {
  auto& of = shards_[shard];
  of.lost.insert(entry);
  if (std::find(of.history.begin(), of.history.end(), entry)
      != of.history.end())
    wrong_(text("shard ", shard, ": a committed entry is reported as lost"));
}

void agreement::leads(node_id by, std::uint16_t shard, std::uint64_t term) {
  const auto [at, first] = shards_[shard].leaders.emplace(term, by);
  if (first)
    ++counters_.leaders;
  else if (at->second != by)
    wrong_(text("shard ", shard, ": term ", term, " has two leaders"));
}

void agreement::rows(std::uint16_t shard, log_index index, lines&& dump) {
  const auto [at, first] = shards_[shard].rows.try_emplace(index, dump);
  if (first)
    return;
  ++counters_.compared;
  if (at->second == dump)
    return;
  const auto different = std::mismatch(at->second.begin(), at->second.end(),
                                       dump.begin(), dump.end());
  wrong_(text(
    "shard ", shard, ": other rows at entry ", index, ": ",
    different.first == at->second.end() ? "nothing" : *different.first, " / ",
    different.second == dump.end() ? "nothing" : *different.second));
}

} // namespace troupe::test
