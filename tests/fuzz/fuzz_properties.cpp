// Property sections alone, in each packet that has one: the fuzzer need not
// find out how to frame them first.

#include "tests/protocol/round_trip.hpp"
#include "tests/protocol/wire.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

using namespace troupe;
using namespace troupe::test;

struct place {
  sender from;
  std::uint8_t first_byte;
  bytes before; ///< in the body, in front of Property Length
  bytes after;
};

/// Every packet of MQTT 5.0 that has properties.
const std::vector<place>& places() {
  const auto connect = text("MQTT") + u8(5);
  static const std::vector<place> all{
    {sender::client, 0x10, connect + u8(2) + u16(9), text("c")},
    {sender::client, 0x10, // Will Properties
     connect + u8(6) + u16(9) + u8(0) + text("c"), text("t") + text("p")},
    {sender::client, 0x30, text("t"), text("p")},
    {sender::client, 0x30, text(""), text("p")},
    {sender::client, 0x40, u16(1) + u8(0), {}},
    {sender::client, 0x82, u16(1), text("a") + u8(0)},
    {sender::client, 0xA2, u16(1), text("a")},
    {sender::client, 0xE0, u8(0), {}},
    {sender::client, 0xF0, u8(0x18), {}},
    {sender::server, 0x20, u8(0) + u8(0), {}},
    {sender::server, 0x30, text("t"), text("p")},
    {sender::server, 0x90, u16(1), u8(0)},
    {sender::server, 0xB0, u16(1), u8(0)},
    {sender::server, 0xE0, u8(0), {}},
  };
  return all;
}

} // namespace

/// The first byte chooses the packet, the rest is its properties.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0)
    return 0;
  const auto& at = places()[data[0] % places().size()];
  const auto body = at.before + properties({data + 1, data + size}) + at.after;
  const protocol::frame in{at.first_byte, body, body.size() + 2};
  const auto problem = round_trip_problem(in, v5, at.from);
  if (!problem.empty()) {
    std::fputs(problem.c_str(), stderr);
    std::abort();
  }
  return 0;
}
