#include "cluster/retained_table.hpp"

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

bool retained_table::put(const message_ptr& message, std::uint64_t sequence) {
  if (message->payload().empty())
    return remove(message->topic());
  const auto [at, fresh] = rows_.try_emplace(retained_key(message->topic()));
  if (!fresh)
    forget_expiry(*at);
  at->second = {message, sequence};
  if (message->has_expiry())
    expiries_.emplace(message->expires_at(), at->first);
  return !fresh;
}

bool retained_table::remove(std::string_view topic) {
  const auto at = rows_.find(retained_key(topic));
  if (at == rows_.end())
    return false;
  forget_expiry(*at);
  rows_.erase(at);
  return true;
}

void retained_table::forget_expiry(const rows::value_type& of) {
  const auto& message = *of.second.message;
  if (message.has_expiry())
    expiries_.erase({message.expires_at(), of.first});
}

bool retained_table::contains(std::string_view topic) const {
  return rows_.find(retained_key(topic)) != rows_.end();
}

std::string
retained_table::read(std::string_view filter, std::string_view after,
                     std::size_t limit, time_point now,
                     const std::function<void(const row&)>& f) const {
  auto at = rows_.begin();
  if (!after.empty())
    at = rows_.upper_bound(after);
  else if (const auto wild = filter.find_first_of("+#"); wild != 0)
    at = rows_.lower_bound(
      retained_key(wild == std::string_view::npos
                     ? filter
                     : filter.substr(0, filter.rfind('/', wild))));
  std::size_t found = 0;
  while (at != rows_.end()) {
    const auto& [key, found_row] = *at;
    if (protocol::matches(filter, found_row.message->topic())) {
      if (!found_row.message->expired(now)) {
        f(found_row);
        if (++found == limit)
          return key;
      }
      ++at;
      continue;
    }
    const auto seek = next_candidate(key, filter);
    if (seek.empty())
      break;
    at = seek > key ? rows_.lower_bound(seek) : std::next(at);
  }
  return {};
}

void retained_table::purge(time_point now,
                           const std::function<void(const std::string&)>& f) {
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    const auto key = expiries_.begin()->second;
    expiries_.erase(expiries_.begin());
    f(key);
    rows_.erase(key);
  }
}

std::optional<time_point> retained_table::next_expiry() const {
  if (expiries_.empty())
    return std::nullopt;
  return expiries_.begin()->first;
}

const retained_row* retained_table::find(const std::string& key) const {
  const auto at = rows_.find(key);
  return at == rows_.end() ? nullptr : &at->second;
}

} // namespace troupe::cluster
