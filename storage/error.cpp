#include "storage/error.hpp"

#include <cstdio>
#include <cstdlib>

namespace troupe::storage {

void abort_with(std::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

} // namespace troupe::storage
