#include "actors/hop_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace troupe::actors {

namespace {

constexpr std::uint64_t parts = 128; ///< of each doubling
constexpr std::uint64_t longest = (std::uint64_t{1} << 27) - 1;

void add(std::atomic<std::uint64_t>& to, std::uint64_t by) noexcept {
  to.store(to.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

} // namespace

std::size_t hop_histogram::bucket_of(std::uint64_t microseconds) noexcept {
  const auto x = std::min(microseconds, longest);
  const auto doublings =
    static_cast<std::uint64_t>(std::max(8, int(std::bit_width(x))) - 8);
  return static_cast<std::size_t>(doublings * parts + (x >> doublings));
}

std::uint64_t hop_histogram::end_of(std::size_t bucket) noexcept {
  if (bucket < 2 * parts)
    return bucket + 1;
  const auto doublings = bucket / parts - 1;
  return (bucket - doublings * parts + 1) << doublings;
}

void hop_histogram::record(duration took, std::uint64_t times) noexcept {
  using std::chrono::microseconds;
  const auto us = std::chrono::duration_cast<microseconds>(took).count();
  const auto length = us < 0 ? 0 : static_cast<std::uint64_t>(us);
  add(counts_[bucket_of(length)], times);
  add(sum_, std::min(length, longest) * times);
}

hop_snapshot hop_histogram::read() const {
  hop_snapshot x;
  x.counts_.resize(buckets);
  for (std::size_t i = 0; i < buckets; ++i) {
    x.counts_[i] = counts_[i].load(std::memory_order_relaxed);
    x.count_ += x.counts_[i];
  }
  x.sum_ = std::chrono::microseconds{sum_.load(std::memory_order_relaxed)};
  return x;
}

void hop_snapshot::merge(const hop_snapshot& other) {
  counts_.resize(std::max(counts_.size(), other.counts_.size()));
  for (std::size_t i = 0; i < other.counts_.size(); ++i)
    counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
}

std::chrono::microseconds hop_snapshot::percentile(double part) const noexcept {
  const auto wanted =
    std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(
                                 part * static_cast<double>(count_) - 1e-9)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i)
    if ((seen += counts_[i]) >= wanted)
      return std::chrono::microseconds{hop_histogram::end_of(i)};
  return std::chrono::microseconds{0};
}

std::uint64_t
hop_snapshot::below(std::chrono::microseconds limit) const noexcept {
  std::uint64_t seen = 0;
  for (std::size_t i = 0;
       i < counts_.size()
       && hop_histogram::end_of(i) <= static_cast<std::uint64_t>(limit.count());
       ++i)
    seen += counts_[i];
  return seen;
}

} // namespace troupe::actors
