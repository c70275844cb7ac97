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

struct control_character {
  int code = -1; ///< below 0: it is none
  std::size_t size = 0;
};

/// Those of ASCII, and U+0080 to U+009F, which terminals obey as well.
control_character control_at(std::string_view utf8, std::size_t i);

/// `text` with control characters as `\xNN`.
std::string printable(std::string_view text);

/// "3d 4h", "4h 5m", "5m 6s" or "6s".
std::string print_duration(std::uint64_t seconds);

/// "12.3 MB"
std::string print_bytes(std::uint64_t bytes);

} // namespace troupe::server
