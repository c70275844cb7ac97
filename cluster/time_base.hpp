#pragma once
// Times as they are stored: the steady clock of a process means nothing to the
// next one.

#include "protocol/types.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

namespace troupe::cluster {

/// What a process finds when it starts, in milliseconds since 1970, and where
/// stored time goes on. Time that passed while nothing ran counts, as far as it
/// is plausible: with a wall clock that is a year ahead everything would
/// expire.
struct clock_at_start {
  std::int64_t wall;     ///< what the wall clock shows
  std::int64_t greatest; ///< the greatest time that is stored; 0: none is
  /// Most of the time between the two that counts; none: all of it.
  std::optional<std::chrono::milliseconds> jump_max;

  /// Never below `greatest`, so that nothing stored lies in the future.
  constexpr std::int64_t resumed() const noexcept {
    return std::max(wall, greatest) - excess();
  }
  /// How much of the wall clock's jump does not count.
  constexpr std::int64_t excess() const noexcept {
    if (!jump_max || greatest <= 0 || wall <= greatest)
      return 0;
    return std::max<std::int64_t>(0, wall - greatest - jump_max->count());
  }
};

/// Ties the steady clock of this process to stored time: milliseconds since
/// 1970. `never` (`time_point::max()`) is `stored_never`. What does not fit
/// saturates: to within `reach` of the steady clock's zero on the way in, so
/// that an interval of 32 bits in seconds may be added to whatever was read
/// and any two times subtracted, and below `stored_never` on the way out.
struct stored_clock {
  using time_point = protocol::time_point;
  static constexpr std::int64_t stored_never =
    std::numeric_limits<std::int64_t>::max();
  static constexpr std::chrono::milliseconds reach =
    std::chrono::hours{24} * 365 * 140;

  /// `now` is stored as `stored`.
  constexpr stored_clock(time_point now, std::int64_t stored) noexcept
    : stored_(std::min(stored, stored_never - 1)) {
    const auto base = split(now);
    steady_ms_ = base.whole_ms;
    below_ms_ = base.below;
  }

  /// For a process that starts at `now`.
  static constexpr stored_clock going_on(time_point now,
                                         const clock_at_start& from) noexcept {
    return {now, from.resumed()};
  }

  constexpr std::int64_t to_stored(time_point x) const noexcept {
    if (x == time_point::max())
      return stored_never;
    // In milliseconds of this clock, which no difference of two overflows.
    const auto at = split(x);
    const auto passed =
      at.whole_ms - steady_ms_ - (at.below < below_ms_ ? 1 : 0);
    std::int64_t stored = 0;
    if (__builtin_add_overflow(stored_, passed, &stored))
      stored =
        passed < 0 ? std::numeric_limits<std::int64_t>::min() : stored_never;
    return std::min(stored, stored_never - 1);
  }

  constexpr time_point from_stored(std::int64_t x) const noexcept {
    if (x == stored_never)
      return time_point::max();
    std::int64_t at = 0; // in milliseconds of this clock
    if (__builtin_sub_overflow(x, stored_, &at)
        || __builtin_add_overflow(at, steady_ms_, &at))
      at = x < stored_ ? -reach.count() : reach.count();
    at = std::clamp<std::int64_t>(at, -reach.count(), reach.count());
    return time_point{std::chrono::milliseconds{at} + below_ms_};
  }

  /// `x` the way it will be read. What decides something in a shard is rounded
  /// first, so that whoever reads the log decides the same.
  constexpr time_point rounded(time_point x) const noexcept {
    return from_stored(to_stored(x));
  }

private:
  struct parts {
    std::int64_t whole_ms; ///< rounded down
    std::chrono::nanoseconds below;
  };
  /// By hand, as the library's rounding overflows at the ends.
  static constexpr parts split(time_point x) noexcept {
    constexpr std::int64_t per_ms = 1'000'000;
    const std::int64_t ns = x.time_since_epoch().count();
    const auto below = ns % per_ms;
    return below < 0
             ? parts{ns / per_ms - 1, std::chrono::nanoseconds{below + per_ms}}
             : parts{ns / per_ms, std::chrono::nanoseconds{below}};
  }

  std::int64_t steady_ms_ = 0;           ///< of the base, whole milliseconds
  std::int64_t stored_ = 0;              ///< of the base
  std::chrono::nanoseconds below_ms_{0}; ///< the rest of the base
};

/// Not the name of the struct, which clang-tidy takes for that of a struct
/// which the standard library declares.
using time_base = stored_clock;

} // namespace troupe::cluster
