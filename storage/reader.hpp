#pragma once
// A thread that waits for the disk so that others need not.

#include "storage/work_queue.hpp"

#include <functional>
#include <thread>
#include <vector>

namespace troupe::storage {

/// Runs functions that read, in the order of the calls, on a thread of its own.
/// What is posted before `start` runs then; what is posted after `stop` is
/// dropped.
class reader {
public:
  /// They must not throw.
  using work = std::function<void()>;

  reader() = default;
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;
  ~reader() { stop(); }

  /// Not from a reactor: the thread has the file table of the caller.
  /// @param stepped  without a thread, as in `running`: `step` runs them.
  void start(bool stepped = false);
  /// Only if it is stepped: runs the next one. @returns false: there was none.
  bool step();
  /// Any thread.
  void post(work what) { queue_.push(std::move(what)); }
  /// Runs what is queued and ends the thread. Not from it.
  void stop();

private:
  work_queue<work> queue_;
  std::vector<work> taken_; ///< stepped: in the order in which they come
  std::thread thread_;
};

} // namespace troupe::storage
