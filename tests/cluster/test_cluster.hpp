#pragma once
// Several shards and what they forward to each other.

#include "tests/cluster/row_store.hpp"

#include <memory>

namespace troupe::test {

/// What happens to what is on its way between two shards.
struct faults {
  bool delays = false;     ///< anything may overtake anything
  bool duplicates = false; ///< a part is delivered twice
  bool drops = false;      ///< a part is lost
};

/// The shards of a node. Forwards wait in `network` until `carry` takes them.
class test_cluster {
public:
  explicit test_cluster(std::size_t shards = 4, std::uint32_t seed = 1)
    : random_(seed) {
    for (std::size_t i = 0; i < shards; ++i) {
      cluster::shard_options options;
      options.shard = static_cast<std::uint16_t>(i);
      options.shards = shards;
      shards_.push_back(std::make_unique<durable_shard>(options));
      connect(options.shard);
    }
  }

  durable_shard& operator[](std::size_t shard) { return *shards_[shard]; }
  std::size_t size() const noexcept { return shards_.size(); }
  std::uint16_t shard_of(std::string_view key) const {
    return cluster::shard_of(key, shards_.size());
  }
  /// A name in `shard` that begins with `prefix`.
  std::string name_in(std::uint16_t shard, const std::string& prefix) const {
    for (int i = 0;; ++i)
      if (auto made = prefix + std::to_string(i); shard_of(made) == shard)
        return made;
  }

  /// Applies `x` to one shard, and notes what is forwarded.
  std::vector<std::string> send(std::uint16_t to, const cluster::command& x) {
    auto made = (*shards_[to])(x);
    history[to].insert(history[to].end(), made.begin(), made.end());
    return made;
  }
  void wait(std::chrono::seconds time) {
    for (auto& x : shards_)
      x->now += time;
    for (std::size_t i = 0; i < size(); ++i)
      send(static_cast<std::uint16_t>(i), cluster::time_command{});
  }
  /// Delivers until nothing is on its way.
  void carry(const faults& how = {}) {
    while (!network.empty())
      carry_one(how);
  }
  void carry_one(const faults& how) {
    const auto at = how.delays ? random_() % network.size() : 0;
    const auto [to, what] = network[at];
    if (!how.duplicates || random_() % 3 != 0)
      network.erase(network.begin() + static_cast<std::ptrdiff_t>(at));
    if (!how.drops || random_() % 3 != 0)
      send(to, what);
  }
  /// Sends again what other shards may not have, as a start does.
  void resend(std::uint16_t from) {
    shards_[from]->state.for_each_forward(
      [&](std::uint16_t to, const cluster::forward_command& x) {
        network.emplace_back(to, x);
      });
  }
  std::size_t outbox_size() const {
    std::size_t made = 0;
    for (const auto& x : shards_)
      x->state.for_each_forward([&](auto, const auto&) { ++made; });
    return made;
  }
  /// Carries and resends with `how` until every outbox is empty.
  /// @returns how often it had to send again.
  int settle(const faults& how = {}) {
    carry(how);
    int again = 0;
    for (; outbox_size() != 0; ++again) {
      for (std::size_t i = 0; i < size(); ++i)
        resend(static_cast<std::uint16_t>(i));
      carry(how);
    }
    return again;
  }
  /// The shard loses what is not in its rows and its log, and starts again.
  void crash(std::uint16_t shard) {
    shards_[shard] = shards_[shard]->started_again();
    connect(shard);
    resend(shard);
  }

  /// On their way: the target and what it is told.
  std::vector<std::pair<std::uint16_t, cluster::command>> network;
  /// All lines of each shard.
  std::map<std::uint16_t, std::vector<std::string>> history;
  /// What was forwarded first, resent or not, in its order.
  std::vector<std::string> forwarded;

private:
  void connect(std::uint16_t shard) {
    auto& effects = shards_[shard]->effects;
    effects.on_forward = [this](std::uint16_t to,
                                cluster::forward_command&& x) {
      forwarded.push_back(describe(x.what->what));
      network.emplace_back(to, std::move(x));
    };
    effects.on_forwarded = [this, shard](std::uint16_t from,
                                         std::uint64_t sequence) {
      network.emplace_back(from, cluster::forwarded_command{shard, sequence});
    };
  }

  std::minstd_rand random_;
  std::vector<std::unique_ptr<durable_shard>> shards_;
};

} // namespace troupe::test
