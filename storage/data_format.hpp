#pragma once
// What kind of data a directory holds.

#include <cstdint>
#include <filesystem>

namespace troupe::storage {

/// The file `format` beside the databases.
struct data_format {
  static constexpr std::uint32_t newest = 1;
  std::uint32_t version = newest;
  std::uint32_t shards = 0; ///< that keys were made with

  /// @throws storage_error  damaged, missing, or newer than `newest`
  /// @throws unavailable_error  no such directory, or not for this user
  static data_format read(const std::filesystem::path& directory);
  static bool exists(const std::filesystem::path& directory);
  /// Written and synced under another name first. @throws storage_error
  void write(const std::filesystem::path& directory) const;
};

/// Reads the format of `directory`, or writes it where there is none, and
/// refuses other numbers of shards: topics and clients hash to them.
/// @throws storage_error
void require_format(const std::filesystem::path& directory,
                    std::uint32_t shards);

} // namespace troupe::storage
