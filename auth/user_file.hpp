#pragma once
// The file of users: read whole, edited, replaced in one step.

#include "auth/user_table.hpp"

#include <filesystem>
#include <map>
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

/// Changes to a file of users. Comments and the order of lines stay.
class user_edit {
public:
  explicit user_edit(std::shared_ptr<const user_table> from)
    : from_(std::move(from)) {}

  bool has(std::string_view name) const;
  /// Adds a user at the end, or replaces its line.
  void put(const user& x);
  /// @returns false if there is none.
  bool remove(std::string_view name);
  /// The file as it is to be.
  std::string text() const;

private:
  std::shared_ptr<const user_table> from_;
  /// Offset of a line of the old text to what replaces it; empty: nothing.
  std::map<std::size_t, std::string> changed_;
  std::vector<std::string> added_; ///< lines; empty: removed again
  std::map<std::string, std::size_t, std::less<>> added_at_;
};

} // namespace troupe::auth
