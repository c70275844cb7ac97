#pragma once
// Moments of the wall clock as text.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::server {

/// Milliseconds since 1970.
std::int64_t wall_ms();

/// `2026-07-01T12:00:00Z` (RFC 3339), whole seconds.
std::string print_time(std::int64_t ms);
/// RFC 3339 with any offset; seconds may have a fraction.
std::optional<std::int64_t> read_time(std::string_view text);

} // namespace troupe::server
