#pragma once

#include "config/load.hpp"

#include <map>

namespace troupe::config {

/// Where each setting got its value; a key without entry has its default.
using origin_map = std::map<std::string, std::string>;

/// What one setting demands of another.
///
/// @param problems  holds the problems so far: a setting with a problem of its
///                  own is not held against others. Receives more.
/// @param warnings  receives what is allowed and risky.
void check_rules(const settings& s, const origin_map& origins,
                 std::vector<problem>& problems,
                 std::vector<problem>& warnings);

} // namespace troupe::config
