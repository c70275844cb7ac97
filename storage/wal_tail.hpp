#pragma once
// The end of a write-ahead log. Inside storage/ only.

#include <filesystem>
#include <optional>
#include <string_view>

namespace rocksdb {
class Env;
}

namespace troupe::storage {

/// Where a record that says to be longer than its file is followed by a whole
/// one. RocksDB takes the first for the last, torn by a crash, and leaves out
/// what follows without a word; in a log that was cut off nothing follows.
///
/// @param block  the last of a file, which has all that RocksDB gives this
///        benefit of the doubt (format: the library's `db/log_format.h`: masked
///        CRC-32C, length, type, payload; blocks of 32 KiB, which no record
///        crosses).
/// @returns the offset of the first.
std::optional<std::size_t> wrong_length_in(std::string_view block);

/// @param env  null: the system's.
/// @throws storage_error  names the file and the place: one of the write-ahead
///         logs of the database in `directory` has such a record.
void check_wal_tails(const std::filesystem::path& directory, rocksdb::Env* env);

} // namespace troupe::storage
