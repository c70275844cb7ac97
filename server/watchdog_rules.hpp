#pragma once
// When a process may say that it is alive.

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace troupe::server {

/// Decides about the signs of life of a process of several parts, which are
/// its reactors. A sign is due at half of the time after which the service
/// manager gives the process up, and is given only if every part has answered
/// the question that was put to all with the sign before: a part that hangs
/// silences the process. No clock, no thread.
class watchdog_rules {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// @param timeout  of the service manager, above zero
  watchdog_rules(std::size_t parts, std::chrono::microseconds timeout);

  struct decision {
    bool feed = false;     ///< give a sign of life
    std::uint64_t ask = 0; ///< put this question to every part; 0: none
    /// The parts that have not answered in time; said once.
    std::vector<std::size_t> silent;
    bool mended = false; ///< the parts that were silent have answered
    time_point next;     ///< when to decide again
  };
  /// @param answered  the last question that each part has answered; 0: none
  decision decide(time_point now, std::span<const std::uint64_t> answered);

private:
  std::size_t parts_;
  std::chrono::microseconds timeout_;
  std::uint64_t asked_ = 0;
  time_point due_;
  bool said_ = false; ///< that parts are silent
};

} // namespace troupe::server
