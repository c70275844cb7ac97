#pragma once
// What a receiver got of each numbered series, and whether it may be so.

#include <cstdint>
#include <vector>

namespace troupe::fleet {

/// Counts of one receiver, or of many.
struct tally {
  std::uint64_t messages = 0;
  std::uint64_t duplicates = 0;   ///< numbers that were there before
  std::uint64_t out_of_order = 0; ///< new numbers below the highest one

  tally& operator+=(const tally& other) {
    messages += other.messages;
    duplicates += other.duplicates;
    out_of_order += other.out_of_order;
    return *this;
  }
};

/// The numbers 0, 1, 2, … of one series, as they come.
class series {
public:
  /// Counts into `to`.
  void take(std::uint32_t number, tally& to) {
    ++to.messages;
    if (number >= seen_.size())
      seen_.resize(number + 1, false);
    if (seen_[number]) {
      ++to.duplicates;
      return;
    }
    seen_[number] = true;
    ++count_;
    if (number + 1 < next_)
      ++to.out_of_order;
    else
      next_ = number + 1;
  }

  /// Different numbers that came.
  std::uint32_t count() const { return count_; }

private:
  std::vector<bool> seen_;
  std::uint32_t count_ = 0;
  std::uint32_t next_ = 0;
};

} // namespace troupe::fleet
