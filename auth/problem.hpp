#pragma once
// What is wrong with a file of this folder.

#include <string>

namespace troupe::auth {

/// One mistake in a file that an operator wrote.
struct problem {
  std::string where; ///< `acl.toml:12:5`: file, line, column; both from 1
  std::string text;  ///< what is wrong and how to mend it
};

} // namespace troupe::auth
