#pragma once

#include "config/load.hpp"
#include "config/raw.hpp"

namespace troupe::config {

/// Reads TOML into assignments, in the order of the lines.
///
/// @param name      of the file, for `where`.
/// @param problems  receives a syntax error; the answer is then empty.
std::vector<entry> read_toml(std::string_view text, const std::string& name,
                             std::vector<problem>& problems);

} // namespace troupe::config
