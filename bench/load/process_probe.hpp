#pragma once
// What a process has used, read from the kernel.

#include "bench/load/time.hpp"

#include <ctime>

namespace troupe::bench {

/// Processor time, split as the kernel accounts it (in ticks of 10 ms).
struct cpu_split {
  seconds_f user{};
  seconds_f system{};
};

/// Watches another process. Thread-safe.
class process_probe {
public:
  /// @param pid  0 watches nothing: all readings are zero.
  /// @throws run_error  if there is no such process.
  explicit process_probe(int pid);

  /// Of all its threads, those that have ended included, to the nanosecond.
  nanoseconds cpu() const;
  cpu_split split() const;
  /// Resident memory in bytes.
  std::uint64_t resident() const;
  /// Bytes that it has had written to disks, all in all.
  std::uint64_t written() const;
  bool watches() const { return pid_ != 0; }

private:
  int pid_;
  clockid_t clock_ = 0;
};

/// Processor time of this process, all threads.
nanoseconds own_cpu();

} // namespace troupe::bench
