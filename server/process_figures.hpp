#pragma once
// What the system says about this process.

#include <chrono>
#include <cstdint>

namespace troupe::server {

/// Zero where the system does not say.
struct process_figures {
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t heap_bytes = 0; ///< allocated and not freed
  double cpu_seconds = 0;       ///< in user and kernel mode
  std::uint64_t threads = 0;
  std::uint64_t open_files = 0; ///< in the file table of the main thread
  std::uint64_t max_files = 0;
};

/// Reads /proc and asks the system; any thread.
process_figures figures_of_this_process();

/// Bytes of memory in use, without the rest. 0: the system does not say.
std::uint64_t resident_bytes();

} // namespace troupe::server
