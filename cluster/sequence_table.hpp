#pragma once
// Values by their sequences, which come in ascending order.

#include <boost/container/deque.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace troupe::cluster {

/// Values are added behind the last and taken out anywhere, mostly at the
/// front. One that is taken out leaves a gap, until it is at an end or there
/// are more gaps than values. Where sequences have few gaps, finding one takes
/// a step or two, otherwise as many as a binary search. Not thread-safe.
template <class Value>
class sequence_table {
public:
  struct entry {
    std::uint64_t sequence;
    Value value;
    bool here = true;
  };

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  /// Values and gaps.
  std::size_t room() const noexcept { return entries_.size(); }
  /// Only if it is not empty.
  entry& front() { return entries_.front(); }
  entry& back() { return entries_.back(); }

  /// @param sequence  greater than all there are.
  entry& add(std::uint64_t sequence, Value value) {
    assert(empty() || back().sequence < sequence);
    ++size_;
    return entries_.emplace_back(entry{sequence, std::move(value), true});
  }
  /// @returns null: there is none.
  entry* find(std::uint64_t sequence) {
    const auto at = lower_bound(sequence);
    return at != entries_.end() && at->sequence == sequence && at->here
             ? &*at
             : nullptr;
  }
  /// One of this table; all others may move.
  void erase(entry& x) {
    x.here = false;
    x.value = Value{};
    --size_;
    while (!entries_.empty() && !entries_.front().here)
      entries_.pop_front();
    while (!entries_.empty() && !entries_.back().here)
      entries_.pop_back();
    if (entries_.size() > 2 * size_ + few)
      entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                    [](const entry& y) { return !y.here; }),
                     entries_.end());
  }
  /// Calls `f(entry&)` for those behind `sequence`, in order. It takes none
  /// out.
  template <class F>
  void for_each_behind(std::uint64_t sequence, F&& f) {
    for (auto at = lower_bound(sequence + 1); at != entries_.end(); ++at)
      if (at->here)
        f(*at);
  }

private:
  static constexpr std::size_t few = 64;
  using block =
    boost::container::deque_options_t<boost::container::block_size<64U>>;
  using entries = boost::container::deque<entry, void, block>;

  /// Gaps in the numbers only move an entry to the front.
  typename entries::iterator lower_bound(std::uint64_t sequence) {
    const auto begin = entries_.begin();
    if (entries_.empty() || sequence <= begin->sequence)
      return begin;
    const auto most =
      std::min<std::uint64_t>(sequence - begin->sequence, entries_.size());
    auto end = begin + static_cast<std::ptrdiff_t>(most);
    if (end != entries_.end() && end->sequence == sequence)
      return end;
    return std::lower_bound(
      begin, end, sequence,
      [](const entry& x, std::uint64_t y) { return x.sequence < y; });
  }

  entries entries_;
  std::size_t size_ = 0;
};

} // namespace troupe::cluster
