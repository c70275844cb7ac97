// Topic names and filters: two lines of input, a filter and a topic.

#include "protocol/topic.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace troupe::protocol;

void check(bool holds) {
  if (!holds)
    std::abort();
}

std::vector<std::string> levels(std::string_view text) {
  std::vector<std::string> out{""};
  for (const auto c : text)
    if (c == '/')
      out.emplace_back();
    else
      out.back() += c;
  return out;
}

/// Section 4.7 word for word, a level at a time.
bool plainly_matches(const std::vector<std::string>& filter,
                     const std::vector<std::string>& topic) {
  if (topic[0].starts_with('$') && (filter[0] == "+" || filter[0] == "#"))
    return false;
  for (std::size_t i = 0; i != filter.size(); ++i) {
    if (filter[i] == "#")
      return topic.size() >= i;
    if (i >= topic.size() || (filter[i] != "+" && filter[i] != topic[i]))
      return false;
  }
  return filter.size() == topic.size();
}

/// Section 4.7.1: a wildcard is a level of its own, `#` the last one.
bool plainly_valid(std::string_view filter) {
  const auto parts = levels(filter);
  for (std::size_t i = 0; i != parts.size(); ++i) {
    if (parts[i].size() > 1 && has_wildcard(parts[i]))
      return false;
    if (parts[i] == "#" && i + 1 != parts.size())
      return false;
  }
  return !filter.empty() && filter.size() <= 65'535 && is_valid_utf8(filter);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const auto* end = std::find(data, data + size, '\n');
  const std::string filter{data, end};
  const std::string topic{end == data + size ? end : end + 1, data + size};

  check(is_valid_topic_filter(filter) == plainly_valid(filter));
  check(is_valid_topic_name(topic)
        == (is_valid_topic_filter(topic) && !has_wildcard(topic)));
  check(level_count(topic) == levels(topic).size());

  if (const auto parsed = parse_subscription_filter(filter)) {
    check(is_valid_topic_filter(parsed.value().filter));
    check(filter.ends_with(parsed.value().filter));
    if (is_valid_topic_name(topic))
      check(matches(parsed.value().filter, topic)
            == plainly_matches(levels(parsed.value().filter), levels(topic)));
  }
  if (is_valid_topic_name(topic))
    if (const auto delayed = parse_delayed_topic(topic);
        delayed && delayed.value())
      check(is_valid_topic_name(delayed.value()->topic));
  return 0;
}
