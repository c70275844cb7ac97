#pragma once
// `troupe serve`.

#include "config/load.hpp"

namespace troupe::server {

/// Runs a node until SIGTERM or SIGINT.
/// @param sources  of `from`, which SIGHUP has read again.
/// @returns the exit code of the process, see `exit_codes.hpp`.
int serve(const config::sources& sources, const config::loaded& from);

} // namespace troupe::server
