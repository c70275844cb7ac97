#pragma once
// Topics in the order of their levels, and how a filter goes through them.

#include "cluster/row_reads.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace troupe::cluster {

/// The key of a topic: levels are separated by U+0000, which no topic contains,
/// so the topics below one level follow each other and a wildcard is read by
/// seeking from sibling to sibling.
std::string retained_key(std::string_view topic);
/// The topic of a key.
std::string retained_topic(std::string_view key);

/// Goes through the keys of `rows` that match `filter`, behind `after` if that
/// is not empty, until `f(key)` answers false.
/// @param prefix  that all keys of `rows` have before `retained_key`.
void scan_retained(row_source::cursor& rows, std::string_view prefix,
                   std::string_view filter, std::string_view after,
                   const std::function<bool(std::string_view key)>& f);

} // namespace troupe::cluster
