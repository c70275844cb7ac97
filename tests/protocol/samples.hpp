#pragma once
// Valid packets of every type: what the tests that change bytes start from,
// and the seeds of the fuzzers.

#include "tests/protocol/round_trip.hpp"
#include "tests/protocol/wire.hpp"

#include <vector>

namespace troupe::test {

struct sample {
  std::string_view name; ///< also the file name of the seed
  protocol::protocol_version version;
  sender from;
  bytes whole;
};

const std::vector<sample>& samples();

} // namespace troupe::test
