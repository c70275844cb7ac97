#pragma once
// Latencies in log-linear buckets.

#include "bench/load/time.hpp"

#include <bit>
#include <cstdint>
#include <vector>

namespace troupe::bench {

/// Counts durations with a relative error below 1 %: 128 linear buckets per
/// power of two of nanoseconds, as HdrHistogram does. Not thread-safe.
class histogram {
public:
  histogram() : counts_(bucket_count) {}

  void record(std::int64_t ns) {
    const auto x = ns < 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(ns);
    ++counts_[bucket_of(x)];
    ++total_;
    sum_ += x;
    if (x > max_)
      max_ = x;
  }

  void merge(const histogram& other);

  std::uint64_t total() const { return total_; }
  double max_us() const { return static_cast<double>(max_) / 1e3; }
  double mean_us() const;

  /// @param share  in [0, 1], for example 0.99.
  /// @returns microseconds; 0 if nothing was recorded.
  double quantile_us(double share) const;

private:
  static constexpr unsigned linear_bits = 7;
  static constexpr std::uint64_t linear = 1U << linear_bits;
  static constexpr unsigned largest_exponent = 44; ///< almost five hours
  static constexpr std::size_t bucket_count =
    (largest_exponent - linear_bits + 1) * linear;

  static std::size_t bucket_of(std::uint64_t x) {
    if (x < linear)
      return x;
    const auto exponent = static_cast<unsigned>(std::bit_width(x)) - 1;
    const auto index = (exponent - linear_bits + 1) * linear
                       + ((x >> (exponent - linear_bits)) - linear);
    return index < bucket_count ? index : bucket_count - 1;
  }

  /// The largest value of a bucket.
  static std::uint64_t upper_end(std::size_t index);

  std::vector<std::uint64_t> counts_;
  std::uint64_t total_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

} // namespace troupe::bench
