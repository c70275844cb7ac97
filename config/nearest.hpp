#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe::config {

/// Insertions, deletions, substitutions and swaps of neighbours that make `a`
/// into `b`, none of them touching the same place twice.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The name that was probably meant, or empty if none is near. A name that is
/// right but for its section is near.
std::string nearest(std::string_view written,
                    const std::vector<std::string>& names);

} // namespace troupe::config
