#pragma once
// How the threads of a run keep step.

#include "bench/load/options.hpp"
#include "bench/load/process_probe.hpp"

#include <atomic>
#include <barrier>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::bench {

/// What a worker shows while it works; written by it, read by the progress.
struct alignas(64) live_counts {
  std::atomic<std::uint64_t> ready{0}; ///< clients set up
  std::atomic<std::uint64_t> published{0};
  std::atomic<std::uint64_t> delivered{0};
};

/// Shared by the main thread and the workers. Thread-safe.
class run_control {
public:
  run_control(const options& o, const process_probe& watched)
    : live(o.threads),
      broker(watched),
      gate_(static_cast<std::ptrdiff_t>(o.threads) + 1) {}

  /// Waits until every thread has come here.
  void meet() { gate_.arrive_and_wait(); }
  /// The calling thread is not going to come any more.
  void leave() { gate_.arrive_and_drop(); }

  /// Notes why the run cannot go on; the first reason counts.
  void fail(const std::string& why) {
    const std::scoped_lock lock{mutex_};
    if (failure_.empty())
      failure_ = why;
    stopped_ = true;
  }
  std::string failure() const {
    const std::scoped_lock lock{mutex_};
    return failure_;
  }

  /// Something has failed, or the user wants an early end.
  bool stopped() const {
    return stopped_.load(std::memory_order_relaxed)
           || interrupted.load(std::memory_order_relaxed);
  }

  /// Set by the signal handler.
  static inline std::atomic<bool> interrupted{false};

  std::vector<live_counts> live; ///< one per worker
  const process_probe& broker;
  /// Set by the main thread before the load begins.
  instant load_at;
  /// The broker's resident bytes before the clients leave; by worker 0.
  std::uint64_t resident_loaded = 0;
  /// What the broker had written to the disk before the load, and once it was
  /// quiet after it; by worker 0.
  std::uint64_t written_before = 0;
  std::uint64_t written_after = 0;
  instant quiet_at;
  /// For the progress.
  std::atomic<const char*> phase{"starting"};

private:
  std::barrier<> gate_;
  mutable std::mutex mutex_;
  std::string failure_;
  std::atomic<bool> stopped_{false};
};

} // namespace troupe::bench
