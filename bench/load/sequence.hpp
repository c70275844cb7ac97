#pragma once
// What one receiver has seen of one stream.

#include <cstdint>

namespace troupe::bench {

enum class arrival_kind : std::uint8_t {
  in_order,
  out_of_order, ///< for the first time, but after a later one
  duplicate,
};

/// Tells duplicates from late messages as far as 64 back; what is older than
/// that and not the next one counts as a duplicate. Not thread-safe.
class sequence_check {
public:
  /// The sequence number that comes next.
  std::uint32_t next() const { return next_; }

  arrival_kind arrived(std::uint32_t sequence) {
    if (sequence == next_) [[likely]] {
      ++next_;
      seen_ = (seen_ << 1) | 1;
      return arrival_kind::in_order;
    }
    if (sequence > next_) { // those in between are missing, for now
      const auto skipped = sequence - next_ + 1;
      seen_ = (skipped < 64 ? seen_ << skipped : 0) | 1;
      next_ = sequence + 1;
      return arrival_kind::in_order;
    }
    const auto back = next_ - 1 - sequence;
    const auto bit = std::uint64_t{1} << (back & 63);
    if (back >= 64 || (seen_ & bit) != 0)
      return arrival_kind::duplicate;
    seen_ |= bit;
    return arrival_kind::out_of_order;
  }

private:
  std::uint64_t seen_ = 0; ///< bit n: `next_ - 1 - n` has arrived
  std::uint32_t next_ = 0;
};

} // namespace troupe::bench
