#include "bench/load/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::bench {

void histogram::merge(const histogram& other) {
  for (std::size_t i = 0; i < counts_.size(); ++i)
    counts_[i] += other.counts_[i];
  total_ += other.total_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

double histogram::mean_us() const {
  if (total_ == 0)
    return 0;
  return static_cast<double>(sum_) / static_cast<double>(total_) / 1e3;
}

std::uint64_t histogram::upper_end(std::size_t index) {
  if (index < linear)
    return index;
  const auto shift = index / linear - 1;
  return ((linear + index % linear + 1) << shift) - 1;
}

double histogram::quantile_us(double share) const {
  const auto wanted =
    static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted && seen > 0)
      return static_cast<double>(std::min(upper_end(i), max_)) / 1e3;
  }
  return 0;
}

} // namespace troupe::bench
