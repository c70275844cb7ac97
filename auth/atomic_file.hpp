#pragma once
// Files that are replaced whole or not at all.

#include <filesystem>
#include <string_view>
#include <system_error>

namespace troupe::auth {

/// Puts `bytes` in place of the file, readable by its owner alone. After a
/// crash at any moment there is the old file or the new one; when this
/// returns, the new one is on the disk. Blocks on it.
/// @returns what failed; the old file is then still there.
std::error_code replace_file(const std::filesystem::path& path,
                             std::string_view bytes);

} // namespace troupe::auth
