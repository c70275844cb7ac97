#pragma once
// Bans as text: JSON, one ban a line. docs/security.md has the fields.

#include "auth/ban_list.hpp"
#include "auth/problem.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace troupe::auth {

/// A line for each ban of the list, in a fixed order.
std::string to_text(const ban_list& bans);

/// Adds the bans of a text. Those that are over are passed by, those with
/// mistakes left out.
/// @param file_name  for `problem::where`, which has line and column 1.
/// @returns all mistakes, by line.
std::vector<problem> read_bans(std::string_view text,
                               const std::string& file_name,
                               std::int64_t now_ms, ban_table& into);

} // namespace troupe::auth
