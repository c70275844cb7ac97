#include "cluster/retained_scan.hpp"

#include "protocol/topic.hpp"

#include <algorithm>

namespace troupe::cluster {

namespace {

/// Where to look next when `key` (levels separated by U+0000) does not match
/// `filter`: the smallest key that still can; empty if there is none.
std::string next_candidate(std::string_view key, std::string_view filter) {
  std::size_t key_at = 0;
  std::size_t filter_at = 0;
  std::size_t last_wild = std::string::npos; // end of the last level under '+'
  while (true) {
    const auto key_end = std::min(key.find('\0', key_at), key.size());
    const auto filter_end =
      std::min(filter.find('/', filter_at), filter.size());
    const auto key_level = key.substr(key_at, key_end - key_at);
    const auto filter_level = filter.substr(filter_at, filter_end - filter_at);
    if (filter_level == "#")
      return std::string{key} + '\0'; // it matched: the very next key
    if (filter_level == "+") {
      last_wild = key_end;
    } else if (key_level != filter_level) {
      if (key_level < filter_level) // still ahead below the same parent
        return std::string{key.substr(0, key_at)} + std::string{filter_level};
      break;
    }
    const bool key_ends = key_end == key.size();
    const bool filter_ends = filter_end == filter.size();
    if (key_ends)
      return std::string{key} + '\0'; // the children of this key
    if (filter_ends)
      break; // the key goes deeper than the filter: next sibling
    key_at = key_end + 1;
    filter_at = filter_end + 1;
  }
  if (last_wild == std::string::npos)
    return {};
  return std::string{key.substr(0, last_wild)} + '\x01'; // its next sibling
}

} // namespace

std::string retained_key(std::string_view topic) {
  std::string key{topic};
  std::replace(key.begin(), key.end(), '/', '\0');
  return key;
}

std::string retained_topic(std::string_view key) {
  std::string topic{key};
  std::replace(topic.begin(), topic.end(), '\0', '/');
  return topic;
}

void scan_retained(row_source::cursor& rows, std::string_view prefix,
                   std::string_view filter, std::string_view after,
                   const std::function<bool(std::string_view key)>& f) {
  const auto seek = [&](const std::string& key) {
    rows.seek(std::string{prefix} + key);
  };
  if (!after.empty()) {
    seek(std::string{after} + '\0'); // the very next key
  } else {
    const auto wild = filter.find_first_of("+#");
    seek(wild == 0
           ? std::string{}
           : retained_key(wild == std::string_view::npos
                            ? filter
                            : filter.substr(0, filter.rfind('/', wild))));
  }
  while (rows.valid()) {
    const auto key = rows.key().substr(prefix.size());
    if (protocol::matches(filter, retained_topic(key))) {
      if (!f(key))
        return;
      rows.next();
      continue;
    }
    const auto following = next_candidate(key, filter);
    if (following.empty())
      return;
    if (following > key)
      seek(following);
    else
      rows.next();
  }
}

} // namespace troupe::cluster
