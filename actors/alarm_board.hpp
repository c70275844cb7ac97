#pragma once
// What is wrong with the node now, and what was.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::actors {

struct alarm {
  std::string name;    ///< `memory`; of one of several: `certificate:FILE`
  std::string message; ///< for people: what is wrong, and what helps
  /// Figures, by name.
  std::vector<std::pair<std::string, std::string>> details;
  std::int64_t activated_ms = 0;   ///< since 1970
  std::int64_t deactivated_ms = 0; ///< 0: it is active
};

/// Alarms by name: each is raised once, until it is cleared. Thread-safe.
class alarm_board {
public:
  /// Told of what was raised or cleared, under no lock, on the thread that did.
  using listener = std::function<void(const alarm&)>;

  /// @param history  most alarms that are kept when they are over.
  explicit alarm_board(std::size_t history = 1'000) : most_(history) {}

  void listen(listener told);
  void set_history(std::size_t most);

  /// @returns whether it is new; else its message and details are replaced.
  bool raise(std::string_view name, std::string message,
             std::vector<std::pair<std::string, std::string>> details,
             std::int64_t wall_ms);
  /// @returns whether it was active.
  bool clear(std::string_view name, std::int64_t wall_ms);

  std::vector<alarm> active() const;  ///< by name
  std::vector<alarm> history() const; ///< the newest first

private:
  mutable std::mutex mutex_;
  std::size_t most_;
  std::map<std::string, alarm, std::less<>> active_;
  std::deque<alarm> over_; ///< the newest first
  listener told_;
};

/// A figure that is too high from a limit on, and until it is a tenth below.
class alarm_level {
public:
  bool look(double value, double limit) noexcept {
    high_ = value > (high_ ? limit * 0.9 : limit);
    return high_;
  }

private:
  bool high_ = false;
};

} // namespace troupe::actors
