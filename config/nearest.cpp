#include "config/nearest.hpp"

#include <algorithm>
#include <array>

namespace troupe::config {
namespace {

/// Nobody means a key that long; and the work grows with the square.
constexpr std::size_t longest = 128;

std::string_view last_part(std::string_view key) {
  const auto dot = key.rfind('.');
  return dot == key.npos ? key : key.substr(dot + 1);
}

} // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Rows of the usual table: the current one, the one before and that before.
  std::array<std::vector<std::size_t>, 3> rows;
  for (auto& row : rows)
    row.resize(b.size() + 1);
  auto& [older, above, row] = rows;
  for (std::size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(older, above);
    std::swap(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t differ = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + differ});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], older[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view written,
                    const std::vector<std::string>& names) {
  if (written.empty() || written.size() > longest)
    return {};
  constexpr std::size_t far = longest;
  // The distance if the names are near; most pairs differ in length already.
  const auto near = [](std::string_view a, std::string_view b) {
    // Of three letters, two others make any word of any.
    const auto allowed =
      b.size() < 5 ? 1 : std::max<std::size_t>(2, b.size() / 4);
    const auto differ =
      std::max(a.size(), b.size()) - std::min(a.size(), b.size());
    const auto edits = differ > allowed ? far : edit_distance(a, b);
    return edits > allowed ? far : edits;
  };
  const std::string* best = nullptr;
  std::array<std::size_t, 2> least{far, far};
  for (const auto& name : names) {
    const auto whole = near(written, name);
    const auto part = near(last_part(written), last_part(name));
    // A wrong section counts as one mistake; among equals the whole decides.
    const std::array score{std::min(whole, part + 1), whole};
    if (score[0] < far && score < least) {
      best = &name;
      least = score;
    }
  }
  return best ? *best : std::string{};
}

} // namespace troupe::config
