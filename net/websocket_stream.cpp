#include "net/websocket_stream.hpp"

#include "net/websocket_deflate.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <sys/socket.h>
#include <utility>

namespace troupe::net {

namespace {

/// Frames have no limit of their own: their payload is a stream, in which each
/// Control Packet has a limit.
constexpr std::uint64_t no_limit = std::numeric_limits<std::int64_t>::max();
/// Compressed bytes that are read at once.
constexpr std::size_t compressed_room = 16'384;
/// Compressed bytes without content that one read takes: no sender needs them,
/// and each costs time.
constexpr std::size_t most_barren = 64 * 1'024;
/// Unread bytes that are dropped before a connection is closed.
constexpr std::size_t most_dropped = 1'048'576;
/// Frames that one call writes.
constexpr std::size_t frames_at_once = 32;

websocket_deflater& deflater_here() {
  thread_local websocket_deflater made{1};
  return made;
}

} // namespace

/// What is needed until frames come.
struct websocket_stream::opening {
  std::shared_ptr<const websocket_settings> settings;
  std::vector<std::uint8_t> request; ///< as much of it as came
  std::string reason;                ///< why it was refused
};

/// What is needed for permessage-deflate.
struct websocket_stream::compression {
  websocket_inflater inflater{no_limit};
  std::vector<std::uint8_t> in;  ///< as it came; empty while idle
  std::span<std::uint8_t> rest;  ///< of it: not decoded
  std::span<std::uint8_t> piece; ///< of it: payload not given yet
  bool is_compressed = false;    ///< the piece
  bool is_message_end = false;   ///< with the piece
  bool is_inflating = false;     ///< there may be more to come of it
};

websocket_stream::websocket_stream(
  int fd, std::shared_ptr<const websocket_settings> settings,
  std::unique_ptr<transport> lower)
  : fd_(fd),
    lower_(std::move(lower)),
    opening_(std::make_unique<opening>()),
    reader_(no_limit),
    message_size_(settings->message_size) {
  opening_->settings = std::move(settings);
}

websocket_stream::~websocket_stream() = default;

// ---- what lies below --------------------------------------------------------

void websocket_stream::begin_reading(bool to_the_end) noexcept {
  drained_ = false;
  to_the_end_ = to_the_end;
  if (lower_)
    lower_->begin_reading(to_the_end);
}

ssize_t websocket_stream::receive(std::span<std::uint8_t> to) {
  if (lower_)
    return lower_->read(to);
  if (drained_) {
    errno = EAGAIN;
    return -1;
  }
  ssize_t got = 0;
  do
    got = ::recv(fd_, to.data(), to.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got < 0) {
    drained_ = errno == EAGAIN;
    return got;
  }
  const auto size = static_cast<std::size_t>(got);
  drained_ = size < to.size() && got != 0 && !to_the_end_;
  traffic_.received += size;
  return got;
}

ssize_t websocket_stream::send(std::span<const iovec> parts) {
  if (lower_)
    return lower_->write(parts);
  msghdr what{};
  what.msg_iov = const_cast<iovec*>(parts.data());
  what.msg_iovlen = parts.size();
  ssize_t sent = 0;
  do
    sent = ::sendmsg(fd_, &what, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent > 0)
    traffic_.sent += static_cast<std::uint64_t>(sent);
  return sent;
}

transport::traffic websocket_stream::take_traffic() noexcept {
  return lower_ ? lower_->take_traffic() : std::exchange(traffic_, {});
}

void websocket_stream::drop_unread() noexcept {
  std::array<std::uint8_t, 4'096> dropped;
  ssize_t got = 0;
  for (std::size_t size = 0; size < most_dropped;
       size += static_cast<std::size_t>(got)) {
    got = ::recv(fd_, dropped.data(), dropped.size(), 0);
    if (got <= 0)
      return;
  }
}

// ---- the handshake ----------------------------------------------------------

ssize_t websocket_stream::fail(std::string_view why) noexcept {
  is_ending_ = true;
  trouble_ = why;
  errno = EPROTO;
  return -1;
}

ssize_t websocket_stream::handshake(std::span<std::uint8_t> to) {
  auto& its = *opening_;
  for (;;) {
    const auto got = receive(to);
    if (got == 0)
      return fail("the client left during the handshake");
    if (got < 0)
      return got;
    const auto fresh = to.first(static_cast<std::size_t>(got));
    std::span<const std::uint8_t> all = fresh;
    if (!its.request.empty()) {
      its.request.insert(its.request.end(), fresh.begin(), fresh.end());
      all = its.request;
    }
    auto answer = websocket_accept(all, *its.settings);
    if (answer.needs_more()) {
      if (its.request.empty())
        its.request.assign(fresh.begin(), fresh.end());
      continue;
    }
    unsent_.assign(answer.response.begin(), answer.response.end());
    if (!flush() && errno != EAGAIN)
      return -1;
    if (!answer.is_accepted()) {
      its.reason = std::move(answer.reason);
      close_sent_ = true;
      if (!lower_)
        ::shutdown(fd_, SHUT_WR);
      drop_unread();
      return fail(its.reason);
    }
    // All that is behind the request came with the last read.
    const auto behind = all.subspan(answer.consumed);
    std::memmove(to.data(), behind.data(), behind.size());
    if (answer.is_deflated) {
      reader_ = websocket_reader{no_limit, true};
      deflate_ = std::make_unique<compression>();
    }
    const auto size = static_cast<ssize_t>(behind.size());
    opening_.reset();
    return size;
  }
}

// ---- reading ----------------------------------------------------------------

ssize_t websocket_stream::read(std::span<std::uint8_t> to) {
  std::size_t ready = 0; // bytes of frames in `to`
  if (opening_) {
    if (is_ending_) {
      errno = EPROTO;
      return -1;
    }
    const auto behind = handshake(to);
    if (behind < 0)
      return -1;
    ready = static_cast<std::size_t>(behind);
  }
  return deflate_ ? read_compressed(to, ready) : read_plain(to, ready);
}

bool websocket_stream::has_more() const noexcept {
  return (is_ending_ && !close_sent_)
         || (deflate_
             && (deflate_->is_inflating || !deflate_->piece.empty()
                 || !deflate_->rest.empty()))
         || (lower_ && lower_->has_more());
}

void websocket_stream::note_idle(std::uint32_t frames) {
  using std::chrono::seconds;
  const auto now = static_cast<std::uint32_t>(
    std::chrono::duration_cast<seconds>(
      std::chrono::steady_clock::now().time_since_epoch())
      .count());
  if (now - idle_since_ >= websocket_idle_frames_per.count()) {
    idle_since_ = now;
    idle_frames_ = 0;
  }
  idle_frames_ += frames;
  if (idle_frames_ <= websocket_idle_frames_max || is_ending_)
    return;
  is_ending_ = true;
  fail_ = websocket_close::policy_violation;
  trouble_ = "too many frames without data";
}

void websocket_stream::take_step(const websocket_step& step) {
  if (step.closed != 0) {
    is_ending_ = true;
    closed_ = step.closed;
  } else if (step.fail != websocket_close::none) {
    is_ending_ = true;
    fail_ = step.fail;
    trouble_ = step.reason;
  }
  if (const auto idle = step.control_frames + step.empty_frames; idle != 0)
    note_idle(idle);
  if (!step.is_pinged || is_ending_)
    return;
  // One waits at most: an older one needs no answer any more (5.5.3).
  if (!pong_)
    pong_ = std::make_unique<websocket_control>();
  *pong_ = encode_websocket_pong(step.ping);
  flush(); // or later, when the socket takes it
}

ssize_t websocket_stream::read_plain(std::span<std::uint8_t> to,
                                     std::size_t ready) {
  for (;;) {
    if (is_ending_)
      return finish();
    if (ready == 0) {
      const auto got = receive(to);
      if (got <= 0)
        return got;
      ready = static_cast<std::size_t>(got);
    }
    const auto step = reader_.decode(to.first(ready));
    ready = 0;
    if (step.control_frames + step.empty_frames != 0
        || step.fail != websocket_close::none)
      take_step(step);
    if (step.payload != 0)
      return static_cast<ssize_t>(step.payload);
  }
}

ssize_t websocket_stream::read_compressed(std::span<std::uint8_t> to,
                                          std::size_t ready) {
  auto& its = *deflate_;
  if (ready != 0) {
    its.in.assign(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(ready));
    its.rest = its.in;
  }
  std::size_t barren = 0; // compressed bytes that came to nothing
  for (;;) {
    if (its.is_inflating) {
      const auto step = its.inflater.inflate(its.piece, its.is_message_end, to);
      its.piece = its.piece.subspan(step.consumed);
      its.is_inflating = !step.is_done;
      if (step.fail != websocket_close::none) {
        its.is_inflating = false;
        its.piece = its.rest = {};
        is_ending_ = true;
        fail_ = step.fail;
        trouble_ = step.reason;
      }
      if (step.produced != 0)
        return static_cast<ssize_t>(step.produced);
      barren += step.consumed;
      if (barren > most_barren && fail_ == websocket_close::none) {
        its.is_inflating = false;
        its.piece = its.rest = {};
        is_ending_ = true;
        fail_ = websocket_close::policy_violation;
        trouble_ = "compressed data without content";
      }
      continue;
    }
    if (!its.piece.empty()) {
      const auto size = std::min(its.piece.size(), to.size());
      std::copy_n(its.piece.begin(), size, to.begin());
      its.piece = its.piece.subspan(size);
      return static_cast<ssize_t>(size);
    }
    if (is_ending_)
      return finish();
    if (its.rest.empty()) {
      its.in.resize(compressed_room);
      const auto got = receive(its.in);
      if (got <= 0) {
        const auto error = errno;
        its.in = {}; // nothing is kept while nothing comes
        its.inflater.rest();
        errno = error;
        return got;
      }
      its.rest = std::span{its.in}.first(static_cast<std::size_t>(got));
    }
    const auto step = reader_.decode(its.rest);
    its.piece = its.rest.first(step.payload);
    its.rest = its.rest.subspan(step.consumed);
    its.is_compressed = step.is_compressed;
    its.is_message_end = step.is_message_end;
    its.is_inflating = step.is_compressed;
    take_step(step);
  }
}

ssize_t websocket_stream::finish() {
  const bool first = !close_sent_;
  if (fail_ == websocket_close::none) {
    if (first)
      send_close(closed_, {});
    return 0;
  }
  if (first) {
    send_close(static_cast<std::uint16_t>(fail_), trouble_);
    if (!lower_)
      ::shutdown(fd_, SHUT_WR);
    drop_unread();
  }
  errno = EPROTO;
  return -1;
}

// ---- writing ----------------------------------------------------------------

bool websocket_stream::wants_flush() const noexcept {
  return ((!unsent_.empty() || pong_) && writer_.is_between_frames())
         || (lower_ && lower_->wants_flush());
}

bool websocket_stream::flush() {
  if (writer_.is_between_frames()) {
    if (pong_ && !close_sent_) {
      const auto bytes = pong_->view();
      if (unsent_.empty()) {
        unsent_.assign(bytes.begin(), bytes.end());
        pong_.reset();
      }
    }
    std::size_t done = 0;
    while (done < unsent_.size()) {
      const iovec part{unsent_.data() + done, unsent_.size() - done};
      const auto sent = send({&part, 1});
      if (sent < 0) {
        const auto error = errno;
        unsent_.erase(unsent_.begin(),
                      unsent_.begin() + static_cast<std::ptrdiff_t>(done));
        errno = error;
        return false;
      }
      done += static_cast<std::size_t>(sent);
    }
    unsent_ = {};
    if (pong_ && !close_sent_)
      return flush();
    pong_.reset();
  }
  return !lower_ || !lower_->wants_flush() || lower_->flush();
}

ssize_t websocket_stream::write(std::span<const iovec> parts) {
  if (opening_ || close_sent_) {
    errno = opening_ ? EAGAIN : EPIPE;
    return -1;
  }
  if ((!unsent_.empty() || pong_) && !flush())
    return -1;
  return deflate_ ? write_compressed(parts) : write_frames(parts);
}

std::size_t websocket_stream::frame_of(std::span<const iovec> parts,
                                       std::size_t position,
                                       std::size_t left) const noexcept {
  if (message_size_ == nullptr)
    return std::min(left, websocket_frame_size);
  std::array<std::uint8_t, 5> front;
  std::size_t have = 0;
  for (const auto& x : parts) {
    const auto size = std::min(front.size() - have, x.iov_len - position);
    std::copy_n(static_cast<const std::uint8_t*>(x.iov_base) + position, size,
                front.begin() + have);
    have += size;
    position = 0;
  }
  return std::min(left, message_size_(std::span{front}.first(have)));
}

ssize_t websocket_stream::write_frames(std::span<const iovec> parts) {
  std::size_t left = 0;
  for (const auto& x : parts)
    left += x.iov_len;
  if (left == 0)
    return 0;
  const bool begun = !writer_.is_between_frames();
  if (!begun)
    writer_.begin(frame_of(parts, 0, left));
  // All of it is cut into frames, whose headers go between the parts.
  std::array<iovec, 320> all;
  std::array<websocket_header, frames_at_once> headers;
  std::array<std::size_t, frames_at_once> sizes{};
  std::size_t used = 0;
  std::size_t frames = 0;
  std::size_t part = 0;
  std::size_t position = 0; // in that part
  while (left != 0 && frames < frames_at_once && used + 1 < all.size()) {
    std::size_t size = 0;
    auto header = std::span<const std::uint8_t>{};
    if (frames == 0) {
      size = static_cast<std::size_t>(writer_.owed());
      header = writer_.header();
    } else {
      size = frame_of(parts.subspan(part), position, left);
      headers[frames] = encode_websocket_header(size);
      header = headers[frames].view();
    }
    sizes[frames++] = size;
    if (!header.empty())
      all[used++] = {const_cast<std::uint8_t*>(header.data()), header.size()};
    left -= std::min(left, size);
    while (size != 0 && used < all.size() && part < parts.size()) {
      const auto fits = std::min(size, parts[part].iov_len - position);
      if (fits != 0)
        all[used++] = {
          static_cast<std::uint8_t*>(parts[part].iov_base) + position, fits};
      size -= fits;
      position += fits;
      if (position == parts[part].iov_len) {
        ++part;
        position = 0;
      }
    }
    if (size != 0)
      break; // no room for more parts: the frame goes on with the next call
  }
  const auto sent = send({all.data(), used});
  if (sent <= 0) {
    if (!begun)
      writer_ = {}; // nothing of it has left: others may go before it
    return sent;
  }
  auto count = static_cast<std::size_t>(sent);
  std::size_t taken = 0;
  for (std::size_t i = 0; i != frames && count != 0; ++i) {
    if (i != 0)
      writer_.begin(sizes[i]);
    const auto of_this = std::min<std::size_t>(
      count,
      writer_.header().size() + static_cast<std::size_t>(writer_.owed()));
    taken += writer_.wrote(of_this);
    count -= of_this;
  }
  return static_cast<ssize_t>(taken);
}

ssize_t websocket_stream::write_compressed(std::span<const iovec> parts) {
  thread_local std::vector<std::uint8_t> made;
  made.clear();
  std::size_t left = 0;
  for (const auto& x : parts)
    left += x.iov_len;
  const auto message_size = left == 0 ? 0 : frame_of(parts, 0, left);
  std::size_t taken = 0;
  for (const auto& x : parts) {
    const auto size = std::min(x.iov_len, message_size - taken);
    deflater_here().add({static_cast<const std::uint8_t*>(x.iov_base), size},
                        made);
    taken += size;
    if (taken == message_size)
      break;
  }
  if (taken == 0)
    return 0;
  deflater_here().finish(made);
  const auto header = encode_websocket_header(made.size(), true);
  unsent_.assign(header.view().begin(), header.view().end());
  unsent_.insert(unsent_.end(), made.begin(), made.end());
  if (!flush() && errno != EAGAIN)
    return -1;
  return static_cast<ssize_t>(taken);
}

void websocket_stream::send_close(std::uint16_t code, std::string_view reason) {
  if (std::exchange(close_sent_, true) || !writer_.is_between_frames())
    return;
  pong_.reset();
  const auto frame = encode_websocket_close(code, reason);
  unsent_.insert(unsent_.end(), frame.view().begin(), frame.view().end());
  flush();
}

void websocket_stream::end(bool orderly) noexcept {
  if (orderly && !opening_ && !close_sent_) {
    try {
      send_close(static_cast<std::uint16_t>(websocket_close::normal), {});
    } catch (...) { // no memory: the connection ends without a word
    }
  }
  if (lower_)
    lower_->end(orderly || !trouble_.empty());
}

} // namespace troupe::net
