#pragma once
// Retained messages of one shard, in the order of their topics' levels.

#include "cluster/rows.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace troupe::cluster {

/// The key of a topic: where a reading that had its row goes on.
std::string retained_key(std::string_view topic);

/// Ordered as the rows of the durable store will be: levels are separated by
/// U+0000, which no topic contains, so the topics below one level follow each
/// other and a wildcard is read by seeking from sibling to sibling.
class retained_table {
public:
  using row = retained_row;

  /// Stores, replaces, or with an empty payload removes [MQTT-3.3.1-5 to -7].
  /// @returns whether a message of that topic was there before.
  bool put(const message_ptr& message, std::uint64_t sequence);
  bool remove(std::string_view topic);
  bool contains(std::string_view topic) const;

  /// Calls `f(const row&)` for at most `limit` matching rows behind key
  /// `after` that have not expired at `now`.
  /// @returns the key to go on behind; empty at the end.
  std::string read(std::string_view filter, std::string_view after,
                   std::size_t limit, time_point now,
                   const std::function<void(const row&)>& f) const;

  /// Drops what has expired at `now`. Calls `f(const std::string& key)` for
  /// each before it goes.
  void purge(time_point now, const std::function<void(const std::string&)>& f);
  /// When the next one expires; nullopt if none does.
  std::optional<time_point> next_expiry() const;

  /// The row of a key, or null.
  const row* find(const std::string& key) const;

  std::size_t size() const noexcept { return rows_.size(); }

private:
  using rows = std::map<std::string, row, std::less<>>;
  rows rows_;
  void forget_expiry(const rows::value_type& of);
  /// Keys by the time at which their message expires.
  std::set<std::pair<time_point, std::string>> expiries_;
};

} // namespace troupe::cluster
