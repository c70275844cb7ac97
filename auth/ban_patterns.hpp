#pragma once
// Regular expressions of bans, all tried in one pass.

#include "auth/ban_list.hpp"

#include <memory>
#include <re2/re2.h>
#include <re2/set.h>
#include <string>
#include <vector>

namespace troupe::auth::detail {

/// Immutable, thread-safe. RE2's time is linear in the text, whatever the
/// expression.
class ban_patterns {
public:
  explicit ban_patterns(std::vector<shared_ban> bans);

  /// @returns the first in force that is found in `text`, or null.
  const ban* find(std::string_view text, std::int64_t now_ms) const;
  const std::vector<shared_ban>& bans() const noexcept { return bans_; }

  /// @returns what is wrong with an expression, or nothing.
  static std::string problem_with(std::string_view expression);

private:
  const ban* try_each(std::string_view text, std::int64_t now_ms) const;

  std::vector<shared_ban> bans_;
  std::unique_ptr<re2::RE2::Set> all_; ///< null: too large together
  std::vector<std::unique_ptr<re2::RE2>> each_;
};

} // namespace troupe::auth::detail
