#pragma once
// The timers of a shard: the next ones in memory, the others on its disk.

#include "cluster/rows.hpp"

#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace troupe::cluster {

/// A timer on the disk; only `$delayed` messages have one.
using timer_row = std::pair<timer_key, message_ptr>;

/// All timers up to some key, and those behind it that changed and are not on
/// the disk for sure. Not thread-safe.
class timer_window {
public:
  /// So many are due at once, at most.
  static constexpr std::size_t batch = 512;

  explicit timer_window(bool has_disk);

  void add(timer_key key, message_ptr message = {});
  void remove(const timer_key& key);

  /// Where to read on, at least `batch` timers, before `take_due` may be called
  /// for `now`; nullopt: what it takes is here.
  std::optional<timer_key> wanted(time_point now) const;
  /// What the disk has behind `after`; no more, unless `more`.
  void supply(const timer_key& after, std::vector<timer_row>&& rows, bool more);
  /// Calls `f(const timer_key&, const message_ptr&)` for what `take_due` would
  /// give next, `batch` of them at most.
  template <class F>
  void for_each_due(time_point now, F&& f) const {
    std::size_t left = batch;
    for (const auto& [key, at] : rows_) {
      if (key.due > now || !in_window(key) || left-- == 0)
        return;
      f(key, at.message);
    }
  }
  /// Removes the first timer, if it is due, and gives it.
  std::optional<timer_row> take_due(time_point now);
  /// When to look again; nullopt: there is nothing.
  std::optional<time_point> next_due() const;

  /// Calls `f(const timer_key&, const message_ptr*)` for what changed since the
  /// last call, with null for what is gone, and that first.
  template <class F>
  void take_changes(std::uint64_t index, F&& f) {
    for (auto& [key, at] : gone_)
      if (std::exchange(at.dirty, false)) {
        at.written = index;
        f(key, nullptr);
      }
    for (const auto& key : std::exchange(dirty_, {}))
      if (const auto at = rows_.find(key);
          at != rows_.end() && std::exchange(at->second.dirty, false)) {
        at->second.written = index;
        at->second.on_disk = true;
        f(key, &at->second.message);
      }
  }
  std::size_t change_count() const noexcept {
    return dirty_.size() + gone_.size();
  }
  /// The disk has what was taken up to `index`.
  void stored(std::uint64_t index);

private:
  struct slot {
    message_ptr message;
    bool on_disk = false;
    bool dirty = false;
    std::uint64_t written = 0;
  };
  struct removal {
    bool dirty = true;
    std::uint64_t written = 0;
  };
  bool in_window(const timer_key& key) const {
    return !horizon_ || key <= *horizon_;
  }

  bool has_disk_;
  std::map<timer_key, slot> rows_;
  std::map<timer_key, removal> gone_; ///< that may be on the disk yet
  std::vector<timer_key> dirty_;
  std::optional<timer_key> horizon_; ///< nullopt: all timers are here
};

} // namespace troupe::cluster
