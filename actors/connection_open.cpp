// The part of a connection before MQTT: PROXY header, TLS, WebSocket.

#include "actors/connection.hpp"
#include "net/tls_stream.hpp"

#include <cerrno>
#include <sys/socket.h>

namespace troupe::actors {

void connection::queue_opening(bool to_the_end) {
  // Edge-triggered: what is told here is not told again.
  opening_to_the_end_ = opening_to_the_end_ || to_the_end;
  if (queued_)
    return;
  queued_ = true;
  at().openings().put(self_, transport_ != nullptr);
}

void connection::open() {
  const caf::strong_actor_ptr keep{ctrl()};
  queued_ = false;
  if (fd_ < 0)
    return;
  try {
    if (opening_ && !transport_)
      begin_transport();
    read(opening_to_the_end_);
  } catch (const std::exception& e) {
    at().report_crash(*this, e.what());
    end(false, false, "internal error");
  }
}

void connection::begin_transport() {
  transport_ = std::make_unique<net::tls_stream>(fd_, scope_.options().tls);
  at().openings().began();
}

void connection::opened() {
  opening_ = false;
  at().openings().ended();
  auto& numbers = at().numbers();
  if (const auto* tls = transport_->tls()) {
    count(tls->resumed() ? numbers.tls_resumed : numbers.tls_full);
    if (auto certificate = tls->certificate())
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

void connection::count_traffic() noexcept {
  const auto [received, sent] = transport_->take_traffic();
  count(at().numbers().bytes_received, received);
  count(at().numbers().bytes_sent, sent);
}

void connection::transport_failed() {
  auto& numbers = at().numbers();
  count(opening_ ? numbers.handshake_failed : numbers.transport_failed);
  at().log({log_level::info,
            opening_ ? "handshake.failed" : "transport.failed",
            transport_->trouble(),
            {},
            peer()});
  broken_ = true;
  end(false, false, transport_->trouble());
}

void connection::end_transport() noexcept {
  if (!transport_)
    return;
  if (!write_blocked_)
    transport_->end(!broken_);
  count_traffic();
  if (opening_)
    at().openings().ended();
  transport_.reset();
}

std::chrono::steady_clock::time_point
connection::opening_deadline() const noexcept {
  return connected_at_ + scope_.options().handshake_timeout;
}

bool connection::opening_overdue(std::chrono::steady_clock::time_point now) {
  // It is not the client's fault that others are served before it.
  if (queued_ || now < opening_deadline())
    return false;
  count(at().numbers().handshake_timeout);
  at().log({log_level::info,
            "handshake.failed",
            "the client does not go on with its handshake",
            {},
            peer()});
  end(false, false, "no handshake in time");
  return true;
}

} // namespace troupe::actors
