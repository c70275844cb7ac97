#pragma once
// Listeners that write down what they are told.

#include "storage/log_store.hpp"
#include "storage/state_store.hpp"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::test {

/// What threads add to and a test waits for.
template <class T>
class recorder {
public:
  void add(T x) {
    {
      const std::lock_guard guard{mutex_};
      all_.push_back(std::move(x));
    }
    changed_.notify_all();
  }
  std::vector<T> all() const {
    const std::lock_guard guard{mutex_};
    return all_;
  }
  /// @returns false: what `enough(all)` asks for has not come for a long time.
  template <class F>
  bool wait_until(F enough) const {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{20},
                             [&] { return enough(all_); });
  }

private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<T> all_;
};

using group = std::vector<storage::appended>;

/// The groups that a log store tells.
class told_groups : public recorder<group> {
public:
  storage::log_store::listener listener() {
    return [this](std::span<const storage::appended> told) {
      add({told.begin(), told.end()});
    };
  }
  /// Everything that was told, in order.
  group entries() const {
    group joined;
    for (const auto& one : all())
      joined.insert(joined.end(), one.begin(), one.end());
    return joined;
  }
  bool wait_for(std::size_t count) const {
    return wait_until([count](const std::vector<group>& groups) {
      std::size_t sum = 0;
      for (const auto& one : groups)
        sum += one.size();
      return sum >= count;
    });
  }
  /// The last index told of each shard.
  std::map<std::uint16_t, std::uint64_t> last() const {
    std::map<std::uint16_t, std::uint64_t> greatest;
    for (const auto& [shard, index] : entries())
      greatest[shard] = index;
    return greatest;
  }
};

struct applied {
  std::uint16_t shard = 0;
  std::uint64_t index = 0;
  friend bool operator==(const applied&, const applied&) = default;
};

/// What a state store tells.
class told_applied : public recorder<applied> {
public:
  storage::state_store::listener listener() {
    return [this](std::uint16_t shard, std::uint64_t index) {
      add({shard, index});
    };
  }
  bool wait_for(std::uint16_t shard, std::uint64_t index) const {
    return wait_until([=](const std::vector<applied>& told) {
      for (const auto& one : told)
        if (one.shard == shard && one.index >= index)
          return true;
      return false;
    });
  }
  std::map<std::uint16_t, std::uint64_t> last() const {
    std::map<std::uint16_t, std::uint64_t> greatest;
    for (const auto& [shard, index] : all())
      greatest[shard] = index;
    return greatest;
  }
};

/// What a store says when a write failed.
class fatal_texts : public recorder<std::string> {
public:
  std::function<void(std::string_view)> handler() {
    return [this](std::string_view what) { add(std::string{what}); };
  }
};

} // namespace troupe::test
