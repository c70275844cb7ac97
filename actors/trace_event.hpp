#pragma once
// One line of a trace.

#include "protocol/types.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::actors {

/// A JSON object that is written member by member: what strangers called
/// themselves and what they sent comes out as valid JSON, whatever it is.
class trace_event {
public:
  /// @param wall_ms  when, in milliseconds since 1970.
  trace_event(std::int64_t wall_ms, std::string_view what);

  trace_event& text(std::string_view name, std::string_view value);
  /// Likewise, but nothing if it is empty.
  trace_event& some(std::string_view name, std::string_view value) {
    return value.empty() ? *this : text(name, value);
  }
  trace_event& number(std::string_view name, std::int64_t value);
  trace_event& flag(std::string_view name, bool value);
  trace_event& reason(protocol::reason_code code);
  /// At most `limit` bytes of it; what is no UTF-8 as `payload_hex`.
  trace_event& payload(protocol::bytes_view what, bool as_hex,
                       std::size_t limit);
  /// The line, with its line feed.
  std::string take();

private:
  void name_of(std::string_view name);
  std::string line_;
};

/// 16 digits.
std::string hex_of(std::uint64_t value);
/// As RFC 3339, in UTC, with milliseconds.
std::string utc_of(std::int64_t wall_ms);

} // namespace troupe::actors
