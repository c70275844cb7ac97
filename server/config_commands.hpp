#pragma once
// `troupe config check` and `troupe config diff`.

#include "config/load.hpp"

#include <string>

namespace troupe::server {

/// Prints every problem of the configuration, and of the files that it names.
/// @param file  of `read`; may be empty
/// @returns the exit code
int check_config(const config::load_result& read, const std::string& file);

/// Prints what differs between the files `a` and `b`, each with the
/// environment that `from` has.
int diff_config(const config::sources& from, const std::string& a,
                const std::string& b, bool as_json);

/// Prints problems to standard error. @returns the exit code
int print_problems(const std::vector<config::problem>& problems);

} // namespace troupe::server
