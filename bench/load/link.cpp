#include "bench/load/link.hpp"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace troupe::bench {

namespace {

constexpr std::size_t answer_size = 4096;

std::array<std::uint8_t, 16> nonce(std::mt19937& random) {
  std::array<std::uint8_t, 16> out{};
  for (auto& each : out)
    each = static_cast<std::uint8_t>(random());
  return out;
}

} // namespace

link_layers::link_layers(const link_options& o, const std::string& host,
                         unsigned port)
  : websocket_(o.websocket),
    path_(o.path),
    host_(host + ':' + std::to_string(port)) {
  if (o.tls.on)
    tls_.emplace(o.tls, host);
}

link::link(link_layers& layers, int fd, tls_ticket& ticket)
  : layers_(layers),
    fd_(fd) {
  if (layers.tls_)
    tls_.emplace(*layers.tls_, fd, ticket);
  if (layers.websocket_)
    websocket_.emplace(nonce(layers.random_));
}

io_state link::open() {
  if (tls_ && !secured_) {
    const auto state = tls_->handshake();
    if (state != io_state::good) {
      why_ = state == io_state::closed ? "closed during the TLS handshake"
                                       : tls_->why();
      return state;
    }
    secured_ = true;
  }
  const auto state = websocket_ ? upgrade() : io_state::good;
  opened_ = state == io_state::good;
  return state;
}

io_state link::upgrade() {
  if (!asked_) {
    asked_ = true;
    websocket_->append_request(raw_, layers_.host_, layers_.path_);
  }
  std::array<std::uint8_t, answer_size> bytes{};
  for (;;) {
    if (const auto state = flush(); state > io_state::again)
      return state;
    const auto got = read_raw(bytes);
    const auto payload =
      websocket_->receive(std::span{bytes}.first(got.count), raw_);
    if (!payload || websocket_->closed()) {
      why_ = websocket_->why();
      return io_state::failed;
    }
    if (*payload > 0) {
      why_ = "sent something before CONNECT";
      return io_state::failed;
    }
    if (websocket_->upgraded())
      return io_state::good;
    if (got.state == io_state::closed)
      why_ = "closed during the upgrade to WebSocket";
    // The end may have come with the bytes, and then there is one event.
    if (got.count == 0)
      return got.state;
  }
}

io_result link::read(std::span<std::uint8_t> to) {
  auto out = read_raw(to);
  if (!websocket_) {
    if (out.state == io_state::closed)
      why_ = "closed by the broker";
    return out;
  }
  const auto payload = websocket_->receive(to.first(out.count), raw_);
  out.count = payload.value_or(0);
  if (!payload || websocket_->closed()) {
    why_ = websocket_->why();
    flush(); // the answer to a close
    out.state = payload ? io_state::closed : io_state::failed;
  } else if (out.state == io_state::closed) {
    why_ = "closed by the broker";
  }
  return out;
}

io_state link::write(out_buffer& from) {
  if (!websocket_) {
    const auto sent = write_raw(from.view());
    from.consume(sent.count);
    return sent.state;
  }
  if (const auto state = flush(); state != io_state::good || from.empty())
    return state;
  // The frame of a turn is made in a buffer that stays in the cache; a client
  // keeps only what the socket did not take.
  auto& frames = layers_.frames_;
  append_ws_frame(frames, ws_opcode::binary, from.view(),
                  static_cast<std::uint32_t>(layers_.random_()));
  from.consume(from.view().size());
  const auto sent = write_raw(frames.view());
  raw_.append(frames.view().subspan(sent.count));
  frames.consume(frames.view().size());
  return sent.state;
}

io_state link::flush() {
  if (raw_.empty())
    return io_state::good;
  const auto sent = write_raw(raw_.view());
  raw_.consume(sent.count);
  if (raw_.empty())
    raw_.release();
  return sent.state;
}

io_result link::read_raw(std::span<std::uint8_t> to) {
  if (tls_) {
    const auto out = tls_->read(to);
    if (out.state == io_state::failed)
      why_ = tls_->why();
    return out;
  }
  const auto got = ::recv(fd_, to.data(), to.size(), 0);
  if (got > 0) {
    const auto count = static_cast<std::size_t>(got);
    // Less than there was room for: the socket is empty, unless it has ended,
    // which its event has said.
    return {count, count < to.size() ? io_state::again : io_state::good};
  }
  if (got == 0)
    return {0, io_state::closed};
  if (errno == EAGAIN)
    return {0, io_state::again};
  why_ = std::strerror(errno);
  return {0, io_state::failed};
}

io_result link::write_raw(bytes_view bytes) {
  if (tls_) {
    const auto out = tls_->write(bytes);
    if (out.state > io_state::again)
      why_ =
        out.state == io_state::closed ? "closed by the broker" : tls_->why();
    return out;
  }
  const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    why_ = std::strerror(errno);
    return {0, io_state::failed};
  }
  const auto count = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  return {count, count < bytes.size() ? io_state::again : io_state::good};
}

void link::shut_down() {
  if (!opened_)
    return;
  if (websocket_ && !websocket_->closed()) {
    constexpr std::array<std::uint8_t, 2> normal{0x03, 0xE8}; // 1000
    append_ws_frame(raw_, ws_opcode::close, normal,
                    static_cast<std::uint32_t>(layers_.random_()));
  }
  flush();
  if (tls_)
    tls_->shut_down();
}

} // namespace troupe::bench
