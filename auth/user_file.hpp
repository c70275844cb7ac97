#pragma once
// The file of users: read whole, edited, replaced in one step.

#include "auth/user_table.hpp"
#include "auth/whole_file.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace troupe::auth {

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
