#include "config/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <limits>

namespace troupe::config {
namespace {

struct duration_unit {
  std::string_view name;
  std::int64_t ms;
};

/// Longest first, as they follow each other in `1h30m`.
constexpr std::array duration_units = std::to_array<duration_unit>({
  {"w", 604'800'000},
  {"d", 86'400'000},
  {"h", 3'600'000},
  {"m", 60'000},
  {"s", 1'000},
  {"ms", 1},
});

/// Past this a duration is not meant seriously, and sums stay in range.
constexpr std::int64_t longest_ms = 100'000 * std::int64_t{31'536'000'000};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Cuts the digits off the front of `text`. @returns std::nullopt if there are
/// none, or too many for a 64-bit number.
std::optional<std::int64_t> cut_digits(std::string_view& text) {
  if (text.empty() || !is_digit(text.front()))
    return std::nullopt;
  std::int64_t value = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{})
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return value;
}

char to_upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

template <class Number>
std::string to_text(Number value) {
  std::array<char, 64> buffer{};
  const auto done = std::to_chars(buffer.data(), buffer.data() + 64, value);
  return {buffer.data(), done.ptr};
}

/// The shortest form of a numeric address of either family, or std::nullopt.
std::optional<std::string> shortest_form(const std::string& host) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  std::array<unsigned char, 16> raw{};
  for (const int family : {AF_INET, AF_INET6})
    if (inet_pton(family, host.c_str(), raw.data()) == 1)
      return inet_ntop(family, raw.data(), text.data(), text.size());
  return std::nullopt;
}

} // namespace

bool address::is_loopback() const {
  return host == "::1" || host.starts_with("127.")
         || host.starts_with("::ffff:127.");
}

std::optional<milliseconds> read_duration(std::string_view text) {
  std::int64_t total = 0;
  auto unit = duration_units.begin();
  do {
    const auto count = cut_digits(text);
    const auto letters = static_cast<std::size_t>(
      std::ranges::find_if(text, is_digit) - text.begin());
    unit = std::find_if(unit, duration_units.end(), [&](const auto& u) {
      return u.name == text.substr(0, letters);
    });
    if (!count || unit == duration_units.end())
      return std::nullopt;
    total += std::min(*count, longest_ms / unit->ms) * unit->ms;
    text.remove_prefix(letters);
    ++unit;
  } while (!text.empty());
  return milliseconds{total};
}

std::string print(milliseconds value) {
  const auto ms = value.count();
  if (ms == 0)
    return "0s";
  for (const auto& unit : duration_units)
    if (ms % unit.ms == 0 && unit.name != "w")
      return to_text(ms / unit.ms).append(unit.name);
  return {};
}

std::optional<byte_size> read_bytes(std::string_view text) {
  const auto count = cut_digits(text);
  if (!count)
    return std::nullopt;
  std::string unit;
  std::ranges::transform(text, std::back_inserter(unit), to_upper);
  unsigned shift = 0;
  if (unit == "KB")
    shift = 10;
  else if (unit == "MB")
    shift = 20;
  else if (unit == "GB")
    shift = 30;
  else if (!unit.empty() && unit != "B")
    return std::nullopt;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const auto whole = std::min(*count, most >> shift);
  return byte_size{static_cast<std::uint64_t>(whole) << shift};
}

std::string print(byte_size value) {
  constexpr auto units = std::to_array<std::string_view>({"B", "KB", "MB"});
  auto count = value.count;
  std::size_t unit = 0;
  for (; unit + 1 < units.size() && count != 0 && count % 1'024 == 0; ++unit)
    count /= 1'024;
  return to_text(count).append(units.at(unit));
}

namespace {

/// What is behind the slash of a rate: a bare unit means one of it.
std::optional<milliseconds> read_period(std::string_view text) {
  std::string per{text};
  if (per.empty() || !is_digit(per.front()))
    per.insert(per.begin(), '1');
  const auto time = read_duration(per);
  return time && *time != milliseconds::zero() ? time : std::nullopt;
}

std::string print_period(milliseconds value) {
  auto per = print(value);
  if (per.size() > 1 && per.front() == '1' && !is_digit(per[1]))
    per.erase(0, 1);
  return per;
}

} // namespace

std::optional<rate> read_rate(std::string_view text) {
  const auto count = cut_digits(text);
  if (!count || *count == 0 || !text.starts_with('/'))
    return std::nullopt;
  const auto time = read_period(text.substr(1));
  if (!time)
    return std::nullopt;
  return rate{static_cast<std::uint64_t>(*count), *time};
}

std::string print(rate value) {
  return to_text(value.count) + "/" + print_period(value.per);
}

std::optional<byte_rate> read_byte_rate(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos)
    return std::nullopt;
  const auto bytes = read_bytes(text.substr(0, slash));
  const auto time = read_period(text.substr(slash + 1));
  if (!bytes || bytes->count == 0 || !time)
    return std::nullopt;
  return byte_rate{*bytes, *time};
}

std::string print(byte_rate value) {
  return print(value.bytes) + "/" + print_period(value.per);
}

text_list read_text_list(std::string_view text) {
  text_list made;
  if (text.starts_with('[') && text.ends_with(']')) {
    text.remove_prefix(1);
    text.remove_suffix(1);
  }
  for (;;) {
    const auto comma = text.find(',');
    auto one = text.substr(0, comma);
    const auto begin = one.find_first_not_of(' ');
    if (begin != one.npos)
      made.texts.emplace_back(
        one.substr(begin, one.find_last_not_of(' ') + 1 - begin));
    if (comma == text.npos)
      return made;
    text.remove_prefix(comma + 1);
  }
}

std::string print(const text_list& value) {
  std::string text = "[";
  for (const auto& one : value.texts)
    text.append(text.size() == 1 ? "" : ", ").append(quoted(one));
  return text + "]";
}

std::optional<address> read_address(std::string_view text) {
  const auto colon = text.rfind(':');
  auto digits = colon == text.npos ? text : text.substr(colon + 1);
  const auto port = cut_digits(digits);
  if (!port || *port > 65'535 || !digits.empty())
    return std::nullopt;
  address result{{}, static_cast<std::uint16_t>(*port)};
  if (colon == text.npos || colon == 0)
    return result;
  auto host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed)
    host = host.substr(1, host.size() - 2);
  // Without brackets it is unclear where an IPv6 address ends.
  if (bracketed != (host.find(':') != host.npos)
      || host.find('\0') != host.npos)
    return std::nullopt;
  auto shortest = shortest_form(std::string{host});
  if (!shortest)
    return std::nullopt;
  result.host = std::move(*shortest);
  return result;
}

std::string print(const address& value) {
  const bool brackets = value.host.find(':') != std::string::npos;
  return (brackets ? "[" + value.host + "]" : value.host) + ":"
         + to_text(value.port);
}

std::optional<std::int64_t> read_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (rest != end || error == std::errc::invalid_argument)
    return std::nullopt;
  if (error == std::errc::result_out_of_range)
    return text.front() == '-' ? std::numeric_limits<std::int64_t>::min()
                               : std::numeric_limits<std::int64_t>::max();
  return value;
}

std::string print(std::int64_t value) { return to_text(value); }

std::optional<double> read_number(std::string_view text) {
  double value = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (rest != end || error != std::errc{})
    return std::nullopt;
  return value;
}

std::string print(double value) { return to_text(value); }

std::string quoted(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      result.append({'\\', c});
    else if (byte < 0x20 || byte == 0x7F)
      result.append("\\u00").append({hex[byte >> 4U], hex[byte & 0xFU]});
    else
      result += c;
  }
  return result += '"';
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80               ? 1
                             : (lead & 0xE0U) == 0xC0U ? 2
                             : (lead & 0xF0U) == 0xE0U ? 3
                             : (lead & 0xF8U) == 0xF0U ? 4
                                                       : 0;
    if (size == 0 || size > text.size())
      return false;
    std::uint32_t code = size == 1 ? lead : lead & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if ((byte & 0xC0U) != 0x80U)
        return false;
      code = code << 6U | (byte & 0x3FU);
    }
    // Longer than needed, a surrogate, or past the last character.
    constexpr std::array<std::uint32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
    if (code < least.at(size) || (code >= 0xD800 && code <= 0xDFFF)
        || code > 0x10FFFF)
      return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string dotted(const std::string* parts, std::size_t count) {
  const auto is_bare = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || c == '_' || c == '-';
  };
  std::string result;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0)
      result += '.';
    const bool bare =
      !parts[i].empty() && std::ranges::all_of(parts[i], is_bare);
    result += bare ? parts[i] : quoted(parts[i]);
  }
  return result;
}

} // namespace troupe::config
