#pragma once
// Handshakes that wait for their reactor.

#include "actors/batch.hpp"

#include <cstddef>
#include <deque>
#include <optional>

namespace troupe::actors {

/// Whose handshake goes on next. Handshakes cost more than anything else that
/// a client does, so a reactor takes them one by one between its turns, and
/// those that were begun first; so many of them are under way at most. For one
/// thread.
class opening_queue {
public:
  /// @param most  begun and not ended, at once; 0: no limit.
  explicit opening_queue(std::size_t most) : most_(most) {}

  void limit(std::size_t most) noexcept { most_ = most; }
  void put(client_ref who, bool begun) {
    (begun ? going_on_ : fresh_).push_back(who);
  }
  bool has_next() const noexcept {
    return !going_on_.empty() || (!fresh_.empty() && may_begin());
  }
  std::optional<client_ref> next() {
    auto& from = going_on_.empty() ? fresh_ : going_on_;
    if (!has_next())
      return std::nullopt;
    const auto who = from.front();
    from.pop_front();
    return who;
  }
  void began() noexcept { ++under_way_; }
  void ended() noexcept { --under_way_; }
  std::size_t under_way() const noexcept { return under_way_; }
  std::size_t waiting() const noexcept {
    return going_on_.size() + fresh_.size();
  }

private:
  bool may_begin() const noexcept { return most_ == 0 || under_way_ < most_; }

  std::size_t most_;
  std::size_t under_way_ = 0;
  std::deque<client_ref> going_on_;
  std::deque<client_ref> fresh_;
};

} // namespace troupe::actors
