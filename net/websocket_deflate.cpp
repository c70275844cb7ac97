#include "net/websocket_deflate.hpp"

#include <boost/beast/zlib.hpp>

#include <algorithm>
#include <array>
#include <cassert>

namespace troupe::net {

namespace zlib = boost::beast::zlib;

namespace {

/// The end of an empty block, which a sender leaves out (7.2.1) and a receiver
/// puts back (7.2.2).
constexpr std::array<std::uint8_t, 4> tail{0x00, 0x00, 0xFF, 0xFF};
constexpr int window_bits = 15;
constexpr int memory_level = 8;

} // namespace

// ---- inflating --------------------------------------------------------------

struct websocket_inflater::stream {
  zlib::inflate_stream zlib;
  std::size_t tail_size = 0; ///< of the tail, what was put in
  bool is_ended = false;     ///< by a block that says that it is the last one
  /// What was taken so far ends where a block does, as far as zlib could know.
  bool is_between_blocks = true;
};

websocket_inflater::websocket_inflater(std::uint64_t message_max) noexcept
  : message_max_(message_max) {}
websocket_inflater::~websocket_inflater() = default;
websocket_inflater::websocket_inflater(websocket_inflater&&) noexcept = default;
websocket_inflater&
websocket_inflater::operator=(websocket_inflater&&) noexcept = default;

websocket_inflater::step websocket_inflater::refuse(websocket_close code,
                                                    const char* reason) {
  stream_.reset();
  step made;
  made.fail = code;
  made.reason = reason;
  return made;
}

websocket_inflater::step
websocket_inflater::inflate(std::span<const std::uint8_t> in,
                            bool is_message_end, std::span<std::uint8_t> out) {
  assert(!out.empty());
  if (!stream_)
    stream_ = std::make_unique<stream>();
  in_message_ = true;
  // A byte more than is allowed tells that there are too many.
  const auto left = message_max_ - size_;
  if (left < out.size())
    out = out.first(static_cast<std::size_t>(left) + 1);
  auto made = inflate_some(in, is_message_end, out);
  if (made.fail != websocket_close::none)
    return made;
  size_ += made.produced;
  if (size_ > message_max_)
    return refuse(websocket_close::too_big, "a message is too large inflated");
  if (!made.is_done || !is_message_end)
    return made;
  if (!stream_->is_ended && !stream_->is_between_blocks)
    return refuse(websocket_close::bad_payload,
                  "a compressed message ends within a block");
  stream_->zlib.reset();
  stream_->tail_size = 0;
  stream_->is_ended = false;
  size_ = 0;
  in_message_ = false;
  return made;
}

websocket_inflater::step
websocket_inflater::inflate_some(std::span<const std::uint8_t> in,
                                 bool is_message_end,
                                 std::span<std::uint8_t> out) {
  step made;
  auto& x = *stream_;
  zlib::z_params params;
  params.next_out = out.data();
  params.avail_out = out.size();
  while (!x.is_ended) {
    const bool of_tail = made.consumed == in.size() && is_message_end;
    const auto source =
      of_tail ? std::span<const std::uint8_t>{tail}.subspan(x.tail_size)
              : in.subspan(made.consumed);
    params.next_in = source.data();
    params.avail_in = source.size();
    boost::beast::error_code error;
    x.zlib.write(params, zlib::Flush::sync, error);
    const auto taken = source.size() - params.avail_in;
    (of_tail ? x.tail_size : made.consumed) += taken;
    made.produced = out.size() - params.avail_out;
    if (error == zlib::error::end_of_stream) {
      x.is_ended = true;
      break;
    }
    if (error && error != zlib::error::need_buffers)
      return refuse(websocket_close::bad_payload, "compressed data is damaged");
    if (!error) // 128: at the end of a block; forgotten by an idle call
      x.is_between_blocks = (params.data_type & 128) != 0;
    if (params.avail_out == 0)
      return made; // there may be more in it
    if (params.avail_in != 0)
      continue;
    if (of_tail || !is_message_end) {
      made.is_done = true;
      return made;
    }
  }
  // A sender that ends its stream pads it with an empty block (7.2.3.5), and
  // zlib may have taken a byte of that already: nothing else may come.
  const auto rest = in.subspan(made.consumed);
  if (std::any_of(rest.begin(), rest.end(), [](auto c) { return c != 0; }))
    return refuse(websocket_close::bad_payload,
                  "compressed data goes on behind its end");
  made.consumed = in.size();
  made.is_done = true;
  return made;
}

void websocket_inflater::rest() noexcept {
  if (!in_message_)
    stream_.reset();
}

// ---- deflating --------------------------------------------------------------

struct websocket_deflater::stream {
  explicit stream(int level) {
    zlib.reset(level, window_bits, memory_level, zlib::Strategy::normal);
  }

  /// Puts in `piece` and appends what comes out.
  void write(std::span<const std::uint8_t> piece, zlib::Flush flush,
             std::vector<std::uint8_t>& to) {
    zlib::z_params params;
    params.next_in = piece.data();
    params.avail_in = piece.size();
    do {
      const auto before = to.size();
      to.resize(before + std::max<std::size_t>(64, params.avail_in / 2));
      params.next_out = to.data() + before;
      params.avail_out = to.size() - before;
      boost::beast::error_code error; // at most that there is nothing to do
      zlib.write(params, flush, error);
      assert(!error || error == zlib::error::need_buffers);
      to.resize(to.size() - params.avail_out);
    } while (params.avail_out == 0);
  }

  zlib::deflate_stream zlib;
};

websocket_deflater::websocket_deflater(int level) noexcept : level_(level) {}
websocket_deflater::~websocket_deflater() = default;
websocket_deflater::websocket_deflater(websocket_deflater&&) noexcept = default;
websocket_deflater&
websocket_deflater::operator=(websocket_deflater&&) noexcept = default;

websocket_deflater::stream& websocket_deflater::started() {
  if (!stream_)
    stream_ = std::make_unique<stream>(level_);
  return *stream_;
}

void websocket_deflater::add(std::span<const std::uint8_t> piece,
                             std::vector<std::uint8_t>& to) {
  if (!piece.empty())
    started().write(piece, zlib::Flush::none, to);
}

void websocket_deflater::finish(std::vector<std::uint8_t>& to) {
  auto& x = started();
  x.write({}, zlib::Flush::sync, to);
  assert(to.size() >= tail.size()
         && std::equal(tail.begin(), tail.end(), to.end() - 4));
  to.resize(to.size() - tail.size());
  x.zlib.reset();
}

} // namespace troupe::net
