#pragma once
// The most frequent of many names, in bounded memory.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace troupe::actors {

/// Counts messages and bytes by name. Of more than twice `keep` names the rare
/// ones are given up, so a name that is told may have been seen up to `missed`
/// times more than its count says (Misra and Gries, "Finding repeated
/// elements", 1982, with whole rounds in place of single steps). Not
/// thread-safe.
class busiest_names {
public:
  struct one {
    std::string name;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };

  explicit busiest_names(std::size_t keep) : keep_(keep) {}

  void add(std::string_view name, std::uint64_t bytes);
  /// The greatest by messages, and counts from 0 again.
  std::vector<one> take(std::size_t most);
  /// Messages that no name has; since the last `take`.
  std::uint64_t missed() const noexcept { return missed_; }

private:
  struct counted {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view x) const noexcept {
      return std::hash<std::string_view>{}(x);
    }
  };
  void give_up_rare_ones();

  std::size_t keep_;
  std::uint64_t missed_ = 0;
  std::unordered_map<std::string, counted, text_hash, std::equal_to<>> names_;
};

} // namespace troupe::actors
