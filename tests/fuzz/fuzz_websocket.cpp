// Frames of a client, in reads of any size: what the reader makes of them in
// place is what a decoder that takes a byte at a time makes of the whole.
// Compressed messages are inflated: to something bounded, without harm.

#include "net/websocket_deflate.hpp"
#include "tests/support/websocket.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace {

using namespace troupe;

void check(bool holds) {
  if (!holds)
    std::abort();
}

constexpr std::uint64_t frame_max = 70'000;
constexpr std::uint64_t message_max = 100'000;

/// What the reads came to.
struct heard {
  std::string payload;
  std::vector<bool> is_compressed;
  std::string last_ping;
  std::size_t control_frames = 0;
  unsigned fail = 0;
  unsigned closed = 0;
  std::string close_reason;
};

class connection {
public:
  explicit connection(bool is_deflated) : reader_(frame_max, is_deflated) {}

  void read(std::span<std::uint8_t> in) {
    while (!in.empty()) {
      const auto step = reader_.decode(in);
      check(step.consumed != 0 && step.consumed <= in.size());
      check(step.payload <= step.consumed);
      const auto payload = in.first(step.payload);
      heard_.payload.append(payload.begin(), payload.end());
      heard_.is_compressed.insert(heard_.is_compressed.end(), step.payload,
                                  step.is_compressed);
      heard_.control_frames += step.control_frames;
      if (step.is_pinged)
        heard_.last_ping = step.ping;
      heard_.fail = std::max(heard_.fail, static_cast<unsigned>(step.fail));
      if (step.closed != 0) {
        heard_.closed = step.closed;
        heard_.close_reason = step.close_reason;
      }
      if (step.is_compressed)
        inflate(payload, step.is_message_end);
      in = in.subspan(step.consumed);
    }
    inflater_.rest();
  }

  const heard& result() const { return heard_; }

private:
  void inflate(std::span<const std::uint8_t> in, bool is_message_end) {
    while (!is_broken_) {
      std::uint8_t room[777];
      const auto step = inflater_.inflate(in, is_message_end, room);
      if (step.fail != net::websocket_close::none) {
        is_broken_ = true;
        return;
      }
      check(step.consumed <= in.size() && step.produced <= sizeof room);
      inflated_ += step.produced;
      check(inflated_ <= message_max);
      in = in.subspan(step.consumed);
      if (step.is_done) {
        check(in.empty());
        break;
      }
      check(step.produced != 0);
    }
    if (is_message_end)
      inflated_ = 0;
  }

  net::websocket_reader reader_;
  net::websocket_inflater inflater_{message_max};
  std::uint64_t inflated_ = 0;
  bool is_broken_ = false; ///< a real connection would be closed
  heard heard_;
};

} // namespace

/// The lowest bit of the first byte says whether compression was negotiated,
/// the others the size of the reads (0: all at once).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0)
    return 0;
  const bool is_deflated = (data[0] & 1U) != 0;
  const std::size_t each = data[0] < 2 ? size : data[0] / 2;
  const std::span<const std::uint8_t> in{data + 1, size - 1};
  connection x{is_deflated};
  for (std::size_t at = 0; at < in.size(); at += each) {
    const auto part = in.subspan(at, std::min(each, in.size() - at));
    const auto copy = std::make_unique<std::uint8_t[]>(part.size());
    std::copy(part.begin(), part.end(), copy.get());
    x.read({copy.get(), part.size()});
  }
  const auto& got = x.result();
  const auto expected =
    test::decode_plainly({reinterpret_cast<const char*>(in.data()), in.size()},
                         frame_max, is_deflated);
  check(got.payload == expected.payload);
  if (is_deflated)
    check(got.is_compressed == expected.is_compressed);
  check(got.control_frames == expected.control_frames);
  check(got.fail == expected.fail);
  check(got.closed == expected.closed);
  check(got.close_reason == expected.close_reason);
  check(got.last_ping == (expected.pings.empty() ? "" : expected.pings.back()));
  return 0;
}
