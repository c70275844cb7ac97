#pragma once
// Small files that are read whole, and replaced whole or not at all.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace troupe::auth {

/// @throws std::filesystem::filesystem_error  it cannot be read, is no regular
///         file, or is larger than `limit` (EFBIG).
std::string read_whole_file(const std::filesystem::path& path,
                            std::uint64_t limit);

/// Replaces a file by another one in the same directory, which is on the disk
/// before its name is: whoever reads sees the old text or the new one, also
/// after a power failure. Keeps the owner and the rights of the old file; a
/// new one is its owner's alone (0600).
/// @throws std::filesystem::filesystem_error  nothing was changed then.
void replace_file(const std::filesystem::path& path, std::string_view text);

/// Keeps out others who edit files of the same directory, for as long as it
/// lives. Waits for them.
class edit_lock {
public:
  /// @throws std::filesystem::filesystem_error  there is no such directory.
  explicit edit_lock(const std::filesystem::path& file);
  edit_lock(const edit_lock&) = delete;
  edit_lock& operator=(const edit_lock&) = delete;
  ~edit_lock();

private:
  int fd_ = -1;
};

} // namespace troupe::auth
