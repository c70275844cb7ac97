#pragma once
// The filters that one shard keeps messages for.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace troupe::cluster {

/// Filters to numbers; several numbers may share a filter. Not thread-safe.
class filter_set {
public:
  void add(std::string_view filter, std::uint32_t id);
  void remove(std::string_view filter, std::uint32_t id);
  /// Appends the numbers of all filters that match `topic`.
  void match(std::string_view topic, std::vector<std::uint32_t>& into) const;
  bool empty() const noexcept {
    return exact_.empty() && root_.children.empty() && root_.multi.empty();
  }

private:
  struct level {
    std::map<std::string, std::unique_ptr<level>, std::less<>> children;
    std::vector<std::uint32_t> here;
    std::vector<std::uint32_t> multi; ///< filters that end with `/#` here
  };
  std::vector<std::uint32_t>& terminal(std::string_view filter);
  /// @returns whether `from` is of no use any more.
  static bool remove_from(level& from, std::string_view rest, bool last,
                          std::uint32_t id);
  static void match_levels(const level& from, std::string_view rest, bool last,
                           bool dollar, std::vector<std::uint32_t>& into);

  std::unordered_map<std::string, std::vector<std::uint32_t>> exact_;
  level root_;
};

} // namespace troupe::cluster
