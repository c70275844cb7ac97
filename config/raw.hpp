#pragma once

#include "config/values.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// @file
/// What the sources deliver, before it is known what it is for.
namespace troupe::config {

/// A value without a type: from the environment or `--set`.
struct untyped {
  std::string text;
};

/// Something no setting takes, by its name: "an array".
struct unusable {
  std::string_view what;
};

/// A section without any keys.
struct empty_section {};

using raw = std::variant<bool, std::int64_t, double, std::string, text_list,
                         untyped, unusable, empty_section>;

/// One assignment in one of the sources.
struct entry {
  std::vector<std::string> path; ///< the parts of the dotted key; not empty
  raw value;
  std::string where; ///< as in `problem`
};

} // namespace troupe::config
