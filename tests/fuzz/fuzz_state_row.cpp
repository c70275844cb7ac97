// Rows of the state database: any key and value are refused or are a row, which
// can be written again and then read as what it was.

#include "tests/cluster/codec_support.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace troupe;

constexpr std::uint16_t shard = 3;

/// The row as it is written once it was read.
storage::row copy(cluster::row_family family, std::string_view key,
                  std::string_view value) {
  test::row_copier to{shard};
  cluster::load_row(family, key, value, shard, test::record_times, to);
  return to.rows.take().at(0);
}

} // namespace

/// The first byte chooses the family (modulo their number), the second is the
/// size of the key, then come key and value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size < 2)
    return 0;
  const auto family = static_cast<cluster::row_family>(
    data[0] % cluster::row_family_names.size());
  const std::string_view all{reinterpret_cast<const char*>(data), size};
  const auto key = all.substr(2, data[1]);
  const auto value = all.substr(2 + key.size());
  storage::row first;
  try {
    first = copy(family, key, value);
  } catch (const cluster::record_error&) {
    return 0;
  }
  try {
    const auto second = copy(family, first.key, *first.value);
    if (second.key != first.key || second.value != first.value) {
      std::fputs("the row is another one when it is read again\n", stderr);
      std::abort();
    }
  } catch (const cluster::record_error& e) {
    std::fprintf(stderr, "what was read is refused: %s\n", e.what());
    std::abort();
  }
  return 0;
}
