#pragma once
// How long the hops of a message take.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// What a hop's histogram held at one moment, or several of them together.
class hop_snapshot {
public:
  void merge(const hop_snapshot& other);
  std::uint64_t count() const noexcept { return count_; }
  std::chrono::microseconds sum() const noexcept { return sum_; }
  /// @param part  0 to 1; 0.99 is p99.
  /// @returns the upper end of the bucket that it is in; 0 if there is none.
  std::chrono::microseconds percentile(double part) const noexcept;
  /// How many were shorter than `limit`, to the precision of a bucket.
  std::uint64_t below(std::chrono::microseconds limit) const noexcept;

private:
  friend class hop_histogram;
  std::vector<std::uint64_t> counts_; ///< empty: nothing was recorded
  std::uint64_t count_ = 0;
  std::chrono::microseconds sum_{0};
};

/// Times in log-linear buckets: to the microsecond below 256 microseconds, and
/// within one part in 128 above, so within 0.1 ms up to 12.8 ms. What is longer
/// than two minutes is counted as that. Written by one thread, read by any.
class hop_histogram {
public:
  using duration = std::chrono::steady_clock::duration;

  /// @param times  how often it was that long.
  void record(duration took, std::uint64_t times = 1) noexcept;
  hop_snapshot read() const;

  static constexpr std::size_t buckets = 2'688;
  static std::size_t bucket_of(std::uint64_t microseconds) noexcept;
  /// The first microsecond that is in no bucket up to `bucket`.
  static std::uint64_t end_of(std::size_t bucket) noexcept;

private:
  std::array<std::atomic<std::uint64_t>, buckets> counts_{};
  std::atomic<std::uint64_t> sum_{0}; ///< microseconds
};

/// From where to where; of each reactor.
enum class hop : std::uint8_t {
  routed,    ///< received, until all receivers' reactors have it: no shard
  committed, ///< received, until its shard's log has it
  written,   ///< taken by a receiver's session for sending, until written
  whole,     ///< received, until written; of QoS 0 and 1
  turn,      ///< a turn of the reactor that had something to do
};
inline constexpr std::array<std::string_view, 5> hop_names{
  "routed", "committed", "written", "whole", "turn"};

/// Messages that wait until their socket has them: runs of those that came, and
/// were taken by the session, in the same turns. A message that continues a run
/// costs two comparisons. When there are too many runs, the last has the rest.
/// Not thread-safe.
class hop_times {
public:
  using time_point = std::chrono::steady_clock::time_point;
  /// Received then: not one whose time is to be counted.
  static constexpr time_point never = time_point::min();

  /// @param number  of the message; they count up, by one each.
  void note(time_point received, time_point taken,
            std::uint64_t number) noexcept {
    if (received != last_.received || taken != last_.taken || size_ == 0)
      begin_run(received, taken, number);
  }
  bool empty() const noexcept { return size_ == 0; }
  /// Calls `f(received, taken, count)` for the runs, which are forgotten then.
  /// @param end  one more than the last message's number.
  template <class F>
  void take(std::uint64_t end, F&& f) {
    for (std::size_t i = 0; i < size_; ++i) {
      const auto& x = runs_[i];
      const auto next = i + 1U < size_ ? runs_[i + 1U].first : end;
      if (x.received != never)
        f(x.received, x.taken, next - x.first);
    }
    size_ = 0;
  }

private:
  struct run {
    time_point received;
    time_point taken;
    std::uint64_t first = 0;
  };
  void begin_run(time_point received, time_point taken,
                 std::uint64_t number) noexcept {
    if (size_ == runs_.size())
      return;
    last_ = {received, taken, number};
    runs_[size_++] = last_;
  }

  run last_;
  std::size_t size_ = 0;
  std::array<run, 6> runs_;
};

} // namespace troupe::actors
