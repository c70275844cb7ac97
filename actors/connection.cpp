#include "actors/connection.hpp"

#include "actors/session.hpp"
#include "net/tcp.hpp"
#include "net/tls_stream.hpp"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::actors {

using protocol::packet_type;
using protocol::protocol_version;
using protocol::reason_code;

connection::connection(caf::actor_config& config, home& on, int fd,
                       const listener_scope& of, const net::endpoint& peer)
  : pinned_actor(config, on),
    fd_(fd),
    opening_(of.options().tls != nullptr || of.options().websocket != nullptr
             || of.options().proxy_protocol),
    scope_(of),
    peer_(peer),
    last_read_(on.now()),
    connected_at_(on.now()) {
  if (of.options().proxy_protocol)
    proxy_ = std::make_unique<std::vector<std::uint8_t>>();
}

connection::~connection() {
  if (fd_ >= 0)
    ::close(fd_);
}

void connection::begin(caf::actor self) {
  self_ = at().enter(*this, std::move(self));
  at().shared().connections.fetch_add(1, std::memory_order_relaxed);
  scope_.connections().fetch_add(1, std::memory_order_relaxed);
  count(at().numbers().connections, std::int64_t{1});
  arm_timer();
  if (!at().watch(fd_, wanted_events(), *this))
    end(false, false, "the socket cannot be watched");
}

std::string connection::peer() const {
  return peer_.size() != 0 ? peer_.to_string() : std::string{};
}

std::optional<connection::info> connection::describe() const {
  if (session_ == nullptr)
    return std::nullopt;
  info x;
  x.client_id = session_->client_id();
  x.peer = peer();
  x.listener = scope_.id();
  x.user_name = user_name_ ? *user_name_ : std::string{};
  x.version = version_;
  x.clean_start = clean_start_;
  x.keep_alive = keep_alive_;
  x.expiry_interval = session_->expiry_interval();
  x.subscriptions = session_->subscription_count();
  x.in_flight = session_->rules().unacknowledged();
  x.queued = session_->rules().queued();
  x.received = received_;
  x.sent = sent_;
  x.awaiting_release = session_->rules().awaiting_release().size();
  x.bytes_received = bytes_received_;
  x.bytes_sent = bytes_sent_;
  x.blocked_for = blocked_for();
  x.mountpoint = mount();
  x.superuser = account_ && account_->superuser;
  x.paced = paced_;
  if (certificate_) {
    x.certificate_name = certificate_->common_name;
    x.certificate_subject = certificate_->subject;
  }
  if (const auto* tls = transport_ ? transport_->tls() : nullptr) {
    x.tls_version = tls->version();
    x.tls_cipher = tls->cipher();
  }
  x.connected_for = std::chrono::duration_cast<std::chrono::seconds>(
    at().now() - connected_at_);
  return x;
}

std::size_t connection::subscription_count() const noexcept {
  return session_ != nullptr ? session_->subscription_count() : 0;
}

std::chrono::milliseconds connection::blocked_for() const noexcept {
  return write_blocked_ ? std::chrono::duration_cast<std::chrono::milliseconds>(
           at().now() - blocked_since_)
                        : std::chrono::milliseconds{0};
}

// ---- reading ---------------------------------------------------------------

void connection::on_ready(std::uint32_t events) {
  // Whatever throws here ends this client only.
  const caf::strong_actor_ptr keep{ctrl()};
  try {
    if ((events & EPOLLOUT) != 0 && fd_ >= 0)
      write();
    constexpr std::uint32_t ended = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    if ((events & (EPOLLIN | ended)) == 0 || fd_ < 0)
      return;
    if (waits())
      pause_reading(true); // what follows a CONNECT waits for the answer to it
    else if (opening_)
      open_on((events & ended) != 0);
    else if (!reading_paused_)
      read((events & ended) != 0);
  } catch (const std::exception& e) {
    at().report_crash(*this, e.what());
    end(false, false, "internal error");
  }
}

void connection::read(bool to_the_end) {
  auto& numbers = at().numbers();
  auto& blocks = at().reads();
  std::size_t taken = 0;
  if (transport_)
    transport_->begin_reading(to_the_end);
  while (fd_ >= 0 && !reading_paused_) {
    // Others get their turn, or an answer is waited for: what is left is told
    // again.
    if (waits()) {
      left_unread_ = true;
      return;
    }
    if (taken >= at().dials().read_budget) {
      watch_again();
      return;
    }
    const auto kept = input_.size() <= protocol::read_blocks::most_before
                        ? input_.size()
                        : std::size_t{0};
    auto* const buffer = blocks.next(kept);
    const auto got = receive_some(buffer + kept, blocks.room());
    if (got <= 0) {
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0 && errno == EAGAIN) {
        if (transport_ && transport_->wants_flush())
          wants_flush(); // an answer of its own
        return;
      }
      if (got < 0 && transport_ && (opening_ || errno == EPROTO)) {
        transport_failed();
        return;
      }
      if (got < 0)
        count(numbers.close_error);
      end(false, false, got < 0 ? "socket error" : "closed by the client");
      return;
    }
    count(numbers.reads);
    at().has_read(static_cast<std::size_t>(got));
    bytes_received_ += static_cast<std::uint64_t>(got);
    last_read_ = at().now();
    if (kept != 0) { // the packet goes on where it broke off
      std::memcpy(buffer, input_.view().data(), kept);
      input_.clear();
    }
    const auto size = static_cast<std::size_t>(got) + kept;
    take({buffer, size});
    if (scope_.options().bytes_rate.count != 0 && fd_ >= 0)
      charge(&pace::bytes, static_cast<std::uint64_t>(got));
    blocks.used(size);
    if (!transport_ && static_cast<std::size_t>(got) < blocks.room()
        && !to_the_end)
      return; // nothing more for now: what comes is told
    taken += static_cast<std::size_t>(got);
  }
}

void connection::take(protocol::bytes_view fresh) {
  if (input_.empty()) {
    if (const auto used = consume(fresh)) {
      if (*used < fresh.size()) {
        input_.append(fresh.subspan(*used));
        hold_buffers();
      }
    }
    return;
  }
  input_.append(fresh);
  if (const auto used = consume(input_.view())) {
    input_.consume(*used);
    if (input_.empty())
      input_.release(); // it held a large packet
  }
}

// ---- the socket and its memory ---------------------------------------------

void connection::hold_buffers() {
  if (holds_buffers_ || at().dials().idle_buffer_release.count() == 0)
    return;
  holds_buffers_ = true;
  at().release_later(self_);
}

bool connection::release_buffers() {
  if (at().now() - last_read_ < at().dials().idle_buffer_release)
    return false;
  holds_buffers_ = false;
  if (input_.empty())
    input_.release();
  if (session_ != nullptr)
    session_->shrink();
  return true;
}

std::uint32_t connection::wanted_events() const noexcept {
  constexpr std::uint32_t reading = EPOLLIN | EPOLLRDHUP;
  constexpr std::uint32_t writing = EPOLLOUT;
  return EPOLLET | (write_blocked_ ? writing : 0U)
         | (reading_paused_ ? 0U : reading);
}

void connection::watch_again() {
  at().rewatch(fd_, wanted_events(), *this);
  if (transport_ && !reading_paused_ && !read_queued_
      && transport_->has_more()) {
    read_queued_ = true; // of what is here already the socket tells nothing
    at().read_later(self_);
  }
}

void connection::pause_reading(bool pause) {
  if (std::exchange(reading_paused_, pause) != pause)
    watch_again();
}

void connection::limits_changed() {
  if (session_ != nullptr)
    session_->limits_changed();
}

// ---- the end ---------------------------------------------------------------

bool connection::fail(reason_code why, std::string_view cause) {
  count(at().numbers().malformed);
  if (phase_ == phase::live)
    close(why, cause);
  else
    turn_away(cause);
  return false;
}

void connection::close(reason_code why, std::string_view cause, bool discard) {
  if (fd_ >= 0 && phase_ == phase::live
      && version_ == protocol_version::mqtt_5_0) {
    protocol::disconnect_packet packet;
    packet.reason = why;
    if (problem_information_ || why != reason_code::success)
      packet.reason_string = cause;
    if (protocol::encode_disconnect(out().bytes(), packet, version_,
                                    packet_limit_)) {
      count(at().numbers().disconnect_sent);
      count(at().numbers().packets_sent);
      if (at().tracing())
        trace_out(packet_type::disconnect, 0, {&why, 1});
    }
  }
  end(false, discard, cause);
}

void connection::end(bool discard_will, bool discard, std::string_view cause) {
  if (phase_ == phase::closed)
    return;
  if (fd_ >= 0 && !write_blocked_ && has_output())
    send_some();
  if (at().tracing())
    trace_cause("disconnected", cause);
  log(log_level::debug, "connection.closed", cause);
  close_socket();
  if (phase_ == phase::claiming) {
    phase_ = phase::closed; // until the shard has answered
    return;
  }
  phase_ = phase::closed;
  if (auto* its = std::exchange(session_, nullptr)) {
    count(at().numbers().client_disconnected);
    count_flapping(its->client_id());
    its->on_connection_closed(discard_will, discard);
  }
  leave_home();
}

void connection::close_socket() {
  at().forget(*this);
  net::timing_wheel::disarm(*this);
  output_.reset();
  count_unsent();
  if (fd_ < 0)
    return;
  end_transport();
  at().unwatch(fd_, *this);
  ::close(fd_);
  fd_ = -1;
  at().shared().connections.fetch_sub(1, std::memory_order_relaxed);
  scope_.connections().fetch_sub(1, std::memory_order_relaxed);
  count(at().numbers().connections, std::int64_t{-1});
}

void connection::leave_home() {
  const caf::strong_actor_ptr keep{ctrl()};
  at().leave(self_);
  quit();
}

void connection::on_end() {
  // Ended from outside (an exit message, a crash): as if the socket broke.
  if (phase_ != phase::closed)
    end(false, false, "the connection's actor was ended");
}

} // namespace troupe::actors
