#include "actors/trace_event.hpp"

#include "protocol/topic.hpp"

#include <array>
#include <ctime>

namespace troupe::actors {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

void quote(std::string& to, std::string_view text) {
  // A text that is not UTF-8 is taken for Latin-1: its bytes can be seen.
  const bool utf8 = protocol::is_valid_utf8(text);
  to += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) {
      to += "\\u00";
      to += digits[byte >> 4U];
      to += digits[byte & 15U];
    } else {
      to += c;
    }
  }
  to += '"';
}

void hex(std::string& to, protocol::bytes_view bytes) {
  for (const auto byte : bytes) {
    to += digits[byte >> 4U];
    to += digits[byte & 15U];
  }
}

} // namespace

std::string hex_of(std::uint64_t value) {
  std::string made(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U)
    made[i] = digits[value & 15U];
  return made;
}

std::string utc_of(std::int64_t wall_ms) {
  const auto seconds = static_cast<std::time_t>(wall_ms / 1'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> room{};
  const auto size =
    std::strftime(room.data(), room.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
  std::string made{room.data(), size};
  const auto ms = std::to_string(1'000 + wall_ms % 1'000);
  return made + ms.substr(1) + 'Z';
}

trace_event::trace_event(std::int64_t wall_ms, std::string_view what) {
  line_.reserve(256);
  line_ = "{\"time\":\"" + utc_of(wall_ms) + '"';
  text("event", what);
}

void trace_event::name_of(std::string_view name) {
  line_ += ",\"";
  line_ += name;
  line_ += "\":";
}

trace_event& trace_event::text(std::string_view name, std::string_view value) {
  name_of(name);
  quote(line_, value);
  return *this;
}

trace_event& trace_event::number(std::string_view name, std::int64_t value) {
  name_of(name);
  line_ += std::to_string(value);
  return *this;
}

trace_event& trace_event::flag(std::string_view name, bool value) {
  name_of(name);
  line_ += value ? "true" : "false";
  return *this;
}

trace_event& trace_event::reason(protocol::reason_code code) {
  number("reason", static_cast<std::int64_t>(code));
  return text("reason_text", protocol::to_string(code));
}

trace_event& trace_event::payload(protocol::bytes_view what, bool as_hex,
                                  std::size_t limit) {
  const bool whole = what.size() <= limit;
  auto shown = what.first(std::min(limit, what.size()));
  if (!as_hex && !whole) // not in the middle of a character
    while (!shown.empty() && (what[shown.size()] & 0xC0U) == 0x80U)
      shown = shown.first(shown.size() - 1);
  const std::string_view chars{reinterpret_cast<const char*>(shown.data()),
                               shown.size()};
  if (as_hex || !protocol::is_valid_utf8(chars)) {
    name_of("payload_hex");
    line_ += '"';
    hex(line_, shown);
    line_ += '"';
  } else {
    text("payload", chars);
  }
  if (!whole)
    flag("payload_cut", true);
  return *this;
}

std::string trace_event::take() {
  line_ += "}\n";
  return std::move(line_);
}

} // namespace troupe::actors
