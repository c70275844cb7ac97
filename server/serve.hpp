#pragma once
// `troupe serve`.

#include "config/load.hpp"

namespace troupe::server {

/// Runs a node until SIGTERM or SIGINT.
/// @returns the exit code of the process, see `exit_codes.hpp`.
int serve(const config::loaded& from);

} // namespace troupe::server
