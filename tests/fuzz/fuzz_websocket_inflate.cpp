// Compressed messages: any bytes inflate to something bounded or are refused,
// and to the same whatever the size of reads and room. What is compressed here
// comes back.

#include "net/websocket_deflate.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace {

using namespace troupe::net;
using octets = std::vector<std::uint8_t>;

void check(bool holds) {
  if (!holds)
    std::abort();
}

constexpr std::uint64_t message_max = 100'000;

/// @returns nothing if the message is refused.
std::optional<octets> inflate(websocket_inflater& with,
                              std::span<const std::uint8_t> in,
                              std::size_t in_size, std::size_t out_size) {
  octets made;
  octets room(out_size);
  bool is_end = false;
  while (!is_end) {
    auto part = in.first(std::min(in_size, in.size()));
    in = in.subspan(part.size());
    is_end = in.empty();
    for (bool is_done = false; !is_done;) {
      const auto step = with.inflate(part, is_end, room);
      if (step.fail != websocket_close::none)
        return std::nullopt;
      check(step.consumed <= part.size() && step.produced <= room.size());
      check(step.is_done || step.produced != 0);
      part = part.subspan(step.consumed);
      made.insert(made.end(), room.begin(),
                  room.begin() + static_cast<std::ptrdiff_t>(step.produced));
      check(made.size() <= message_max);
      is_done = step.is_done;
    }
    check(part.empty());
  }
  return made;
}

} // namespace

/// The first byte is the size of reads, the second that of the room.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size < 2)
    return 0;
  const std::size_t in_size = 1 + data[0];
  const std::size_t out_size = 1 + data[1];
  const std::span<const std::uint8_t> in{data + 2, size - 2};
  websocket_inflater one{message_max};
  const auto whole = inflate(one, in, size, message_max + 1);
  websocket_inflater other{message_max};
  if (const auto parts = inflate(other, in, in_size, out_size); whole && parts)
    check(*whole == *parts);

  if (in.size() > message_max)
    return 0;
  websocket_deflater deflater{1 + data[0] % 9};
  octets small;
  deflater.add(in.first(in.size() / 2), small);
  deflater.add(in.subspan(in.size() / 2), small);
  deflater.finish(small);
  websocket_inflater third{message_max};
  const auto back = inflate(third, small, in_size, out_size);
  check(back && std::equal(back->begin(), back->end(), in.begin(), in.end()));
  return 0;
}
