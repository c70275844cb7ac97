#include "server/table.hpp"

#include "server/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace troupe::server {

namespace {

/// Characters, not bytes: what follows the first byte of one is passed over.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
    std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

bool is_number(std::string_view text) {
  return !text.empty()
         && text.find_first_not_of("0123456789.-") == std::string_view::npos;
}

} // namespace

table::table(std::vector<std::string> heading) {
  rows_.push_back(std::move(heading));
}

void table::add(std::vector<std::string> cells) {
  for (auto& x : cells)
    x = printable(x);
  cells.resize(rows_.front().size());
  rows_.push_back(std::move(cells));
}

std::string table::text() const {
  const auto columns = rows_.front().size();
  std::vector<std::size_t> widths(columns, 0);
  std::vector<bool> numeric(columns, rows_.size() > 1);
  for (std::size_t r = 0; r < rows_.size(); ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      const auto& cell = rows_[r][c];
      widths[c] = std::max(widths[c], width_of(cell));
      if (r > 0 && !cell.empty() && !is_number(cell))
        numeric[c] = false;
    }
  std::string made;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < columns; ++c) {
      const std::string space(widths[c] - width_of(row[c]), ' ');
      line += c == 0 ? "" : "  ";
      line += numeric[c] ? space + row[c] : row[c] + space;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    made += line + '\n';
  }
  return made;
}

std::string print_duration(std::uint64_t seconds) {
  if (seconds >= 86'400)
    return fmt::format("{}d {}h", seconds / 86'400, seconds % 86'400 / 3'600);
  if (seconds >= 3'600)
    return fmt::format("{}h {}m", seconds / 3'600, seconds % 3'600 / 60);
  if (seconds >= 60)
    return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  return fmt::format("{}s", seconds);
}

std::string print_bytes(std::uint64_t bytes) {
  constexpr std::array units{"B", "KB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1'024 && unit + 1 < units.size()) {
    value /= 1'024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, units[unit]);
}

} // namespace troupe::server
