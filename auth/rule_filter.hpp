#pragma once
// A filter of an ACL rule, read.

#include "auth/placeholders.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe::auth {

/// Levels that a rule's filter may have; walking the rules recurses once per
/// level.
inline constexpr std::size_t rule_levels_max = 128;

struct rule_filter {
  struct level {
    enum class kind : std::uint8_t { text, plus, hash, pattern };
    kind what = kind::text;
    std::string text;       ///< as written
    level_template pattern; ///< of `pattern`
  };
  std::vector<level> levels;
  /// `eq`: means this text and nothing else; `+` and `#` are of kind `text`.
  bool literal = false;

  /// @returns what is wrong and how to mend it, if it is no filter.
  static std::variant<rule_filter, std::string> parse(std::string_view text,
                                                      bool literal);
};

} // namespace troupe::auth
