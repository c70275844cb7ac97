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

/// Messages that wait for the same moment, such as that their socket has them:
/// those of one turn together. When there are too many turns, the last count as
/// the one before them. Not thread-safe.
class hop_times {
public:
  using time_point = std::chrono::steady_clock::time_point;
  struct entry {
    time_point received;
    time_point taken; ///< by the session
    std::uint64_t count = 0;
  };

  void note(time_point received, time_point taken) noexcept {
    if (size_ != 0) {
      auto& last = entries_[size_ - 1U];
      if ((last.received == received && last.taken == taken)
          || size_ == entries_.size()) {
        ++last.count;
        return;
      }
    }
    entries_[size_++] = {received, taken, 1};
  }
  bool empty() const noexcept { return size_ == 0; }
  /// Calls `f(const entry&)` for all, which are forgotten then.
  template <class F>
  void take(F&& f) {
    for (std::size_t i = 0; i < size_; ++i)
      f(entries_[i]);
    size_ = 0;
  }

private:
  std::array<entry, 6> entries_;
  std::uint8_t size_ = 0;
};

} // namespace troupe::actors
