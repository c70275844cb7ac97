// Streams of packets in both directions and all versions. What a decoder
// takes must mean the same once encoded and decoded again.

#include "tests/protocol/round_trip.hpp"

#include <cstdio>
#include <cstdlib>

/// The first byte chooses version (modulo 3) and direction (bit 7).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace troupe;
  if (size == 0)
    return 0;
  const auto version = static_cast<protocol::protocol_version>(
    static_cast<unsigned>(protocol::protocol_version::mqtt_3_1)
    + (data[0] & 0x7F) % 3);
  const auto from =
    (data[0] & 0x80) != 0 ? test::sender::server : test::sender::client;
  const auto problem =
    test::round_trip_problem({data + 1, size - 1}, version, from);
  if (!problem.empty()) {
    std::fputs(problem.c_str(), stderr);
    std::abort();
  }
  return 0;
}
