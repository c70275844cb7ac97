#pragma once
// How a store runs, and what a test may put in place of the world around it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

namespace troupe::storage {

/// Rules that a test breaks on purpose, to see that somebody notices. Nothing
/// else sets them.
struct broken_rules {
  bool tells_before_it_writes = false;        ///< the log, of each group
  bool tells_before_it_syncs = false;         ///< the state, of each write
  std::optional<std::uint8_t> loses_family{}; ///< the state: its rows
};

/// Threads and time of a store.
struct running {
  /// No thread is made. Whoever owns the store calls `step`, which does on the
  /// caller's thread what the store's own would do next: so a whole node runs
  /// on one thread, in an order that is chosen.
  bool stepped = false;
  /// The clock, for what is done after a while.
  std::function<std::chrono::steady_clock::time_point()> now =
    std::chrono::steady_clock::now;
  broken_rules broken{};
};

} // namespace troupe::storage
