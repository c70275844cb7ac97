#include "server/wall_time.hpp"

#include <charconv>
#include <chrono>
#include <ctime>

namespace troupe::server {

namespace {

/// Takes `digits` digits off the front of `from`.
bool take(std::string_view& from, std::size_t digits, int& value) {
  if (from.size() < digits)
    return false;
  const auto* const end = from.data() + digits;
  const auto got = std::from_chars(from.data(), end, value);
  if (got.ec != std::errc{} || got.ptr != end || value < 0)
    return false;
  from.remove_prefix(digits);
  return true;
}

bool take(std::string_view& from, char what) {
  if (from.empty() || from.front() != what)
    return false;
  from.remove_prefix(1);
  return true;
}

} // namespace

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

std::string print_time(std::int64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1'000);
  std::tm at{};
  ::gmtime_r(&seconds, &at);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &at)};
}

std::optional<std::int64_t> read_time(std::string_view text) {
  std::tm at{};
  if (!take(text, 4, at.tm_year) || !take(text, '-')
      || !take(text, 2, at.tm_mon) || !take(text, '-')
      || !take(text, 2, at.tm_mday)
      || (!take(text, 'T') && !take(text, 't') && !take(text, ' '))
      || !take(text, 2, at.tm_hour) || !take(text, ':')
      || !take(text, 2, at.tm_min) || !take(text, ':')
      || !take(text, 2, at.tm_sec))
    return std::nullopt;
  int millis = 0;
  if (take(text, '.')) {
    const auto digits =
      std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0)
      return std::nullopt;
    auto fraction =
      std::string{text.substr(0, std::min<std::size_t>(3, digits))};
    fraction.resize(3, '0');
    std::string_view all{fraction};
    take(all, 3, millis);
    text.remove_prefix(digits);
  }
  int offset = 0; // minutes
  if (!take(text, 'Z') && !take(text, 'z')) {
    const bool west = take(text, '-');
    int hours = 0;
    int minutes = 0;
    if ((!west && !take(text, '+')) || !take(text, 2, hours) || !take(text, ':')
        || !take(text, 2, minutes) || hours > 23 || minutes > 59)
      return std::nullopt;
    offset = (west ? -1 : 1) * (60 * hours + minutes);
  }
  if (!text.empty() || at.tm_mon < 1 || at.tm_mon > 12 || at.tm_mday < 1
      || at.tm_mday > 31 || at.tm_hour > 23 || at.tm_min > 59 || at.tm_sec > 59)
    return std::nullopt;
  at.tm_year -= 1'900;
  at.tm_mon -= 1;
  const auto day = at.tm_mday;
  const auto seconds = static_cast<std::int64_t>(::timegm(&at));
  if (at.tm_mday != day) // February 30
    return std::nullopt;
  return (seconds - 60 * offset) * 1'000 + millis;
}

} // namespace troupe::server
