#pragma once

namespace troupe::server {

/// What the process tells whoever started it.
enum exit_code : int {
  exit_success = 0,
  exit_failure = 1,       ///< something went wrong while it ran
  exit_usage = 2,         ///< the command line is wrong
  exit_configuration = 3, ///< the configuration is wrong
  exit_unavailable = 4,   ///< an address, file or broker cannot be had
  /// The data cannot be read, or a write failed: nothing was acknowledged
  /// since.
  exit_storage = 5,
};

} // namespace troupe::server
