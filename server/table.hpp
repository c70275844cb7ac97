#pragma once
// Text in columns, for people.

#include <string>
#include <vector>

namespace troupe::server {

/// A heading and rows, each column as wide as its widest cell. Columns of
/// numbers are aligned to the right.
class table {
public:
  explicit table(std::vector<std::string> heading);

  /// @param cells  as many as the heading has; control characters in them are
  ///               shown as escapes, since names come from strangers.
  void add(std::vector<std::string> cells);
  std::string text() const;

private:
  std::vector<std::vector<std::string>> rows_; ///< the heading is the first
};

/// "3d 4h", "4h 5m", "5m 6s" or "6s".
std::string print_duration(std::uint64_t seconds);

/// "12.3 MB"
std::string print_bytes(std::uint64_t bytes);

} // namespace troupe::server
