#pragma once
// What a database takes, for metrics.

#include <cstdint>

namespace troupe::storage {

/// Bytes of a database's files, those included that are about to be deleted.
struct disk_usage {
  std::uint64_t sst = 0;  ///< sorted rows
  std::uint64_t blob = 0; ///< large values
  std::uint64_t wal = 0;  ///< write-ahead log
  std::uint64_t total() const noexcept { return sst + blob + wal; }
};

/// Bytes of memory.
struct memory_usage {
  std::uint64_t memtables = 0; ///< rows that are not in a sorted file yet
  std::uint64_t cache = 0;     ///< blocks, indexes and filters of files
};

} // namespace troupe::storage
