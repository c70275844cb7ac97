// Entries of the replicated log: any bytes are refused or are an entry, which
// can be written again and then read as what it was.

#include "tests/cluster/codec_support.hpp"

#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace troupe;
  cluster::log_entry first;
  try {
    first = cluster::decode_entry({data, size}, test::record_times);
  } catch (const cluster::record_error&) {
    return 0;
  }
  try {
    const auto bytes = cluster::encode_entry(first, test::record_times);
    const auto second =
      cluster::decode_entry(test::as_bytes(bytes), test::record_times);
    if (cluster::encode_entry(second, test::record_times) != bytes
        || second.commands.size() != first.commands.size()) {
      std::fputs("the entry is another one when it is read again\n", stderr);
      std::abort();
    }
  } catch (const cluster::record_error& e) {
    std::fprintf(stderr, "what was read is refused: %s\n", e.what());
    std::abort();
  }
  return 0;
}
