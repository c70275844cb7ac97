#pragma once
// From many threads to one. Inside storage/ only.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace troupe::storage {

/// Hands values to one thread, which takes all there are at once.
template <class T>
class work_queue {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Any thread. A closed queue drops the value.
  void push(T x) {
    bool wake = false;
    {
      const std::lock_guard guard{mutex_};
      if (closed_)
        return;
      values_.push_back(std::move(x));
      wake = std::exchange(sleeping_, false);
    }
    if (wake)
      wake_up_.notify_one();
  }

  /// Any thread. What is in the queue can still be taken.
  void close() {
    {
      const std::lock_guard guard{mutex_};
      closed_ = true;
      sleeping_ = false;
    }
    wake_up_.notify_one();
  }

  /// Waits until there is a value, the queue is closed or it is `until`.
  /// @param into  receives everything in the queue, in the order of the calls,
  ///              in place of what it held.
  /// @returns false: the queue is closed and empty.
  bool take(std::vector<T>& into, std::optional<time_point> until) {
    into.clear();
    std::unique_lock lock{mutex_};
    if (values_.empty() && !closed_) {
      sleeping_ = true;
      const auto ready = [this] { return !sleeping_; };
      if (until)
        wake_up_.wait_until(lock, *until, ready);
      else
        wake_up_.wait(lock, ready);
      sleeping_ = false;
    }
    std::swap(into, values_);
    return !into.empty() || !closed_;
  }

  /// The same without waiting.
  void take_now(std::vector<T>& into) {
    into.clear();
    const std::lock_guard guard{mutex_};
    std::swap(into, values_);
  }

private:
  std::mutex mutex_;
  std::condition_variable wake_up_;
  std::vector<T> values_;
  bool sleeping_ = false; ///< the taker waits and nobody has woken it yet
  bool closed_ = false;
};

} // namespace troupe::storage
