#pragma once
// What is printed at the end.

#include "bench/load/run.hpp"

#include <string>

namespace troupe::bench {

/// One JSON object, for programs.
std::string to_json(const options& o, const outcome& found);

/// A table, for people.
std::string to_table(const options& o, const outcome& found);

} // namespace troupe::bench
