#pragma once
// The filters of many rules, to be walked together level by level.

#include "auth/rule_filter.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::auth {

/// Trees of rule filters. A node is what one level of a filter says after those
/// above it; a tree has the filters that are asked together. Immutable once
/// built; then thread-safe.
class filter_forest {
public:
  static constexpr std::uint32_t none =
    std::numeric_limits<std::uint32_t>::max();

  /// Asked of a rule whose filter fits: whether all else in it does.
  class rule_test {
  public:
    virtual bool applies(std::uint32_t rule) const = 0;

  protected:
    ~rule_test() = default;
  };

  /// What a walk looks for.
  struct question {
    std::string_view topic; ///< a name, or a filter that somebody asks for
    placeholder_values& values;
    const rule_test& test;
  };

  /// A new tree.
  /// @returns its root.
  std::uint32_t plant();
  /// @param rule  not greater than those before it: the last come first.
  void add(std::uint32_t root, const rule_filter& filter, std::uint32_t rule);

  // Each of these answers the first rule before `best` that applies, or `best`.

  /// A filter of the rule has in it all that the question's can match. Filters
  /// with unusable placeholders have nothing in them.
  std::uint32_t covering(std::uint32_t root, const question& q,
                         std::uint32_t best) const;
  /// A filter of the rule matches a topic that the question's matches. From an
  /// unusable placeholder on, a filter matches whatever has that level.
  std::uint32_t overlapping(std::uint32_t root, const question& q,
                            std::uint32_t best) const;
  /// A literal filter is the same text as the question's.
  /// @param widen  unusable placeholders: as with `overlapping`, or else as
  ///               with `covering`.
  std::uint32_t equal(std::uint32_t root, const question& q, bool widen,
                      std::uint32_t best) const;

private:
  struct node {
    std::uint32_t least = none; ///< first rule in or below this node
    std::uint32_t parent = none;
    std::uint32_t plus = none;          ///< child for `+`
    std::uint32_t first_text = none;    ///< children for texts, and their
    std::uint32_t next = none;          ///< siblings; likewise those for
    std::uint32_t first_pattern = none; ///< templates
    std::uint32_t pattern = none;       ///< of this node, in `patterns_`
    std::uint32_t ended = none;         ///< rules that end here
    std::uint32_t hash = none;          ///< rules that end below here with `#`
    std::uint32_t text_at = 0;          ///< of this node, in `texts_`
    std::uint32_t text_size = 0;
  };
  struct entry {
    std::uint32_t rule;
    std::uint32_t next; ///< with a greater rule
  };
  class walk;

  std::uint32_t find(std::uint32_t parent, std::string_view text,
                     bool pattern) const;
  std::uint32_t child(std::uint32_t parent, const rule_filter::level& level);
  void grow_table();
  std::string_view text_of(const node& n) const {
    return std::string_view{texts_}.substr(n.text_at, n.text_size);
  }

  std::vector<node> nodes_;
  std::vector<entry> entries_;
  std::vector<level_template> patterns_;
  std::string texts_;
  std::vector<std::uint32_t> table_; ///< text and template nodes by hash
  std::size_t in_table_ = 0;
};

} // namespace troupe::auth
