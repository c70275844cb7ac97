#pragma once
// Signals, and the end of an end that takes too long.

#include <chrono>
#include <functional>
#include <thread>

namespace troupe::server {

/// Blocks SIGINT, SIGTERM and SIGHUP in the calling thread and those that it
/// makes later, and waits for them on a thread of its own, which runs whatever
/// hangs elsewhere. To be made before all other threads.
///
/// SIGHUP is reported each time. The first other signal is reported. A second
/// one ends the process at once, by that signal; so does, with exit code 1, the
/// time running out.
class shutdown_guard {
public:
  struct handlers {
    /// On the guard's thread: begins to read the configuration again.
    std::function<void()> reload;
    /// On the guard's thread: begins an ordered end.
    std::function<void(int signal)> begin;
    /// On the guard's thread, before the process ends regardless.
    std::function<void()> too_late;
  };

  /// @param most  from the first signal to the destructor.
  shutdown_guard(std::chrono::milliseconds most, handlers call);
  ~shutdown_guard();
  shutdown_guard(const shutdown_guard&) = delete;
  shutdown_guard& operator=(const shutdown_guard&) = delete;

private:
  void watch();
  /// @returns the signal that came, 0 if the guard is to end or -1 if the time
  ///          is over.
  int wait(std::chrono::milliseconds at_most) const;

  std::chrono::milliseconds most_;
  handlers call_;
  int signals_ = -1;
  int done_ = -1;
  std::thread thread_;
};

} // namespace troupe::server
