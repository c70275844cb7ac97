#pragma once
// The one clock of the generator.

#include <chrono>
#include <cstdint>

namespace troupe::bench {

using clock = std::chrono::steady_clock;
using instant = clock::time_point;
using std::chrono::nanoseconds;
using seconds_f = std::chrono::duration<double>;

/// What a payload carries: nanoseconds of the monotonic clock.
inline std::int64_t to_stamp(instant at) {
  return at.time_since_epoch() / nanoseconds{1};
}

inline nanoseconds to_nanoseconds(seconds_f length) {
  return std::chrono::duration_cast<nanoseconds>(length);
}

} // namespace troupe::bench
