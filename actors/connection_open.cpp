// The part of a connection before MQTT: PROXY header, TLS, WebSocket.

#include "actors/connection.hpp"
#include "net/tls_stream.hpp"
#include "net/websocket_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

namespace troupe::actors {

void connection::open_on(bool to_the_end) {
  if (proxy_ && !read_proxy_header())
    return;
  if (scope_.options().tls) {
    queue_opening(to_the_end);
    return;
  }
  if (opening_ && !transport_)
    begin_transport(); // costs nothing that others would wait for
  read(to_the_end);
}

// ---- PROXY ------------------------------------------------------------------

bool connection::read_proxy_header() {
  auto& bytes = *proxy_;
  for (;;) {
    auto said = net::proxy_parse(bytes);
    if (const auto* wrong = std::get_if<net::proxy_error>(&said)) {
      refuse_stranger(wrong->what);
      return false;
    }
    if (auto* header = std::get_if<net::proxy_header>(&said)) {
      take_proxy_header(std::move(*header));
      return true;
    }
    // Not a byte more: what follows is read by others.
    const auto have = bytes.size();
    bytes.resize(std::get<net::proxy_incomplete>(said).size_min);
    ssize_t got = 0;
    do
      got = ::recv(fd_, bytes.data() + have, bytes.size() - have, 0);
    while (got < 0 && errno == EINTR);
    bytes.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got > 0) {
      count(at().numbers().bytes_received, static_cast<std::uint64_t>(got));
      continue;
    }
    if (got < 0 && errno == EAGAIN)
      return false;
    if (have != 0)
      refuse_stranger("the PROXY header is not whole");
    else // somebody only looked whether the port is open
      end(false, false, "closed by the client");
    return false;
  }
}

void connection::take_proxy_header(net::proxy_header&& header) {
  proxy_.reset();
  if (!header.is_local && header.source)
    peer_ = *header.source;
  if (header.tls && header.tls->over_tls) {
    // TLS behind the header is the balancer's own, and so is a certificate in
    // it.
    certificate_told_ = true;
    if (header.tls->certificate_is_good() && !header.tls->common_name.empty()) {
      certificate_ = std::make_unique<net::peer_certificate>();
      certificate_->common_name = std::move(header.tls->common_name);
    }
  }
  const auto& options = scope_.options();
  opening_ = options.tls || options.websocket;
  connected_at_ = at().now(); // what comes next has its own time
  arm_timer();
}

void connection::refuse_stranger(std::string_view why) {
  count(at().numbers().handshake_failed);
  log(log_level::warning, "proxy.refused", why);
  end(false, false, why);
}

// ---- TLS and WebSocket ------------------------------------------------------

void connection::queue_opening(bool to_the_end) {
  // Edge-triggered: what is told here is not told again.
  opening_to_the_end_ = opening_to_the_end_ || to_the_end;
  if (queued_)
    return;
  queued_ = true;
  queued_since_ = at().now();
  at().openings().put(self_, transport_ != nullptr);
}

void connection::open() {
  const caf::strong_actor_ptr keep{ctrl()};
  queued_ = false;
  if (fd_ < 0)
    return;
  try {
    // It is not the client's fault that others are served before it.
    connected_at_ += at().now() - queued_since_;
    if (opening_ && !transport_)
      begin_transport();
    read(opening_to_the_end_);
    if (fd_ >= 0 && opening_)
      arm_timer();
  } catch (const std::exception& e) {
    at().report_crash(*this, e.what());
    end(false, false, "internal error");
  }
}

void connection::begin_transport() {
  const auto& options = scope_.options();
  if (options.tls) {
    transport_ = std::make_unique<net::tls_stream>(fd_, options.tls);
    at().openings().began();
    has_turn_ = true;
  }
  if (options.websocket)
    transport_ = std::make_unique<net::websocket_stream>(fd_, options.websocket,
                                                         std::move(transport_));
}

std::chrono::steady_clock::time_point connection::turn_end() const noexcept {
  // Others need not wait for a client that says nothing. It may go on itself.
  return queued_since_ + std::chrono::seconds{1};
}

void connection::give_turn_back() noexcept {
  if (std::exchange(has_turn_, false))
    at().openings().ended();
}

void connection::opened() {
  opening_ = false;
  auto& numbers = at().numbers();
  if (const auto* tls = transport_->tls()) {
    count(tls->resumed() ? numbers.tls_resumed : numbers.tls_full);
    if (auto certificate = tls->certificate();
        certificate && !certificate_told_)
      certificate_ =
        std::make_unique<net::peer_certificate>(std::move(*certificate));
  }
  connected_at_ = at().now(); // a CONNECT is waited for from here on
  arm_timer();
}

ssize_t connection::receive_some(std::uint8_t* to, std::size_t room) {
  if (!transport_) {
    const auto got = ::recv(fd_, to, room, 0);
    if (got > 0)
      count(at().numbers().bytes_received, static_cast<std::uint64_t>(got));
    return got;
  }
  const auto got = transport_->read({to, room});
  const auto error = errno;
  count_traffic();
  if (has_turn_ && transport_->tls()->established())
    give_turn_back(); // what WebSocket waits for costs nothing
  if (opening_ && transport_->established())
    opened();
  errno = error;
  return got;
}

void connection::read_on() {
  const caf::strong_actor_ptr keep{ctrl()};
  read_queued_ = false;
  if (fd_ < 0 || reading_paused_)
    return;
  try {
    read(false);
  } catch (const std::exception& e) {
    at().report_crash(*this, e.what());
    end(false, false, "internal error");
  }
}

std::uint64_t connection::count_traffic() noexcept {
  const auto [received, sent] = transport_->take_traffic();
  count(at().numbers().bytes_received, received);
  count(at().numbers().bytes_sent, sent);
  heard_ = heard_ || received != 0;
  return sent;
}

void connection::transport_failed() {
  auto& numbers = at().numbers();
  broken_ = true;
  count_traffic();
  if (!heard_) // somebody looks whether the port is open
    return end(false, false, "closed before its first byte");
  auto why = std::string{transport_->trouble()};
  if (why.empty())
    why = "the socket broke";
  count(opening_ ? numbers.handshake_failed : numbers.transport_failed);
  log(log_level::info, opening_ ? "handshake.failed" : "transport.failed", why);
  end(false, false, why);
}

void connection::end_transport() noexcept {
  if (!transport_)
    return;
  if (!write_blocked_)
    transport_->end(!broken_);
  count_traffic();
  give_turn_back();
  transport_.reset();
}

std::chrono::steady_clock::time_point
connection::opening_deadline() const noexcept {
  const auto& options = scope_.options();
  return connected_at_
         + (proxy_ ? options.proxy_protocol_timeout
                   : options.handshake_timeout);
}

bool connection::opening_overdue(std::chrono::steady_clock::time_point now) {
  if (queued_ || now < opening_deadline())
    return false;
  count(at().numbers().handshake_timeout);
  if (proxy_)
    log(log_level::warning, "proxy.refused", "no PROXY header in time");
  else
    log(log_level::info, "handshake.failed",
        "the client does not go on with its handshake");
  end(false, false, "no handshake in time");
  return true;
}

} // namespace troupe::actors
