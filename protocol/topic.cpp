#include "protocol/topic.hpp"

#include "protocol/utf8.hpp"

#include <algorithm>

namespace troupe::protocol {

namespace {

constexpr std::size_t text_size_max = 65'535;
constexpr std::uint32_t delay_seconds_max = 4'294'967;

/// Cuts the first level off the front of `rest`; false after the last one.
bool next_level(std::string_view& rest, std::string_view& level,
                bool& more) noexcept {
  if (!more)
    return false;
  const auto separator = rest.find('/');
  more = separator != std::string_view::npos;
  level = rest.substr(0, separator);
  rest = more ? rest.substr(separator + 1) : std::string_view{};
  return true;
}

/// Drops `prefix` from the front if it is there.
bool skip_prefix(std::string_view& text, std::string_view prefix) noexcept {
  if (!text.starts_with(prefix))
    return false;
  text.remove_prefix(prefix.size());
  return true;
}

} // namespace

bool is_valid_topic_name(std::string_view topic) noexcept {
  return !topic.empty() && topic.size() <= text_size_max
         && detail::scan_topic(topic) == detail::text_kind::plain;
}

bool is_valid_topic_filter(std::string_view filter) noexcept {
  if (filter.empty() || filter.size() > text_size_max)
    return false;
  switch (detail::scan_topic(filter)) {
  case detail::text_kind::plain:
    return true;
  case detail::text_kind::ill_formed:
    return false;
  case detail::text_kind::with_wildcard:
    break;
  }
  for (std::size_t i = 0; i != filter.size(); ++i) {
    if (filter[i] != '+' && filter[i] != '#')
      continue;
    const auto last = i + 1 == filter.size();
    if (i != 0 && filter[i - 1] != '/')
      return false;
    if (!last && (filter[i] == '#' || filter[i + 1] != '/'))
      return false;
  }
  return true;
}

bool has_wildcard(std::string_view filter) noexcept {
  return filter.find_first_of("+#") != std::string_view::npos;
}

std::size_t level_count(std::string_view topic) noexcept {
  return 1
         + static_cast<std::size_t>(
           std::count(topic.begin(), topic.end(), '/'));
}

bool matches(std::string_view filter, std::string_view topic) noexcept {
  if (topic.starts_with('$') && !filter.starts_with('$'))
    return false; // no literal first level fits either
  auto more_filter = true;
  auto more_topic = true;
  std::string_view wanted;
  std::string_view level;
  while (next_level(filter, wanted, more_filter)) {
    if (wanted == "#")
      return true; // also for the parent: `a/#` matches `a`
    if (!next_level(topic, level, more_topic))
      return false;
    if (wanted != "+" && wanted != level)
      return false;
  }
  return !more_topic;
}

result<subscription_filter>
parse_subscription_filter(std::string_view text) noexcept {
  using kind = subscription_filter::kind;
  subscription_filter parsed{
    .what = kind::plain, .share_name = {}, .filter = text};
  if (text.size() > text_size_max)
    return reason_code::topic_filter_invalid;
  if (skip_prefix(parsed.filter, "$share/")) {
    parsed.what = kind::shared;
    const auto separator = parsed.filter.find('/');
    if (separator == std::string_view::npos)
      return reason_code::topic_filter_invalid;
    parsed.share_name = parsed.filter.substr(0, separator);
    parsed.filter.remove_prefix(separator + 1);
    if (!is_valid_topic_name(parsed.share_name)) // not empty, no wildcards
      return reason_code::topic_filter_invalid;
  } else if (skip_prefix(parsed.filter, "$queue/")) {
    parsed.what = kind::shared;
    parsed.share_name = text.substr(0, std::string_view{"$queue"}.size());
  } else if (skip_prefix(parsed.filter, "$exclusive/")) {
    parsed.what = kind::exclusive;
  }
  if (!is_valid_topic_filter(parsed.filter))
    return reason_code::topic_filter_invalid;
  return parsed;
}

result<std::optional<delayed_topic>>
parse_delayed_topic(std::string_view topic) noexcept {
  if (!skip_prefix(topic, "$delayed/"))
    return std::optional<delayed_topic>{};
  delayed_topic parsed;
  const auto separator = topic.find('/');
  if (separator == 0 || separator == std::string_view::npos
      || separator + 1 == topic.size())
    return reason_code::topic_name_invalid;
  for (const auto digit : topic.substr(0, separator)) {
    if (digit < '0' || digit > '9')
      return reason_code::topic_name_invalid;
    parsed.delay_seconds =
      parsed.delay_seconds * 10 + static_cast<std::uint32_t>(digit - '0');
    if (parsed.delay_seconds > delay_seconds_max)
      return reason_code::topic_name_invalid;
  }
  parsed.topic = topic.substr(separator + 1);
  return std::optional{parsed};
}

} // namespace troupe::protocol
