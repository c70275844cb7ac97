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

namespace {
/// How long a publisher is not read before it is looked whether it may be:
/// when commits are late, and when queues are long.
constexpr std::chrono::milliseconds commits_every{100};
constexpr std::chrono::milliseconds queues_every{1'000};
} // namespace

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
      if (got < 0 && transport_ && errno == EPROTO) {
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

std::optional<std::size_t> connection::consume(protocol::bytes_view in) {
  std::size_t used = 0;
  while (used < in.size()) {
    const auto frame =
      protocol::next_frame(in.subspan(used), limits().max_packet_size);
    if (!frame) {
      fail(frame.error(), "malformed or too large a packet");
      return std::nullopt;
    }
    if (!frame.value())
      break;
    // The first packet says at once whether this is a client of ours
    // [MQTT-3.1.0-1].
    used += frame.value()->size;
    replaying_ = std::exchange(replays_, false);
    if (!replaying_)
      count(at().numbers().packets_received);
    if (!on_packet(*frame.value()))
      return std::nullopt;
    if (held_ && phase_ == phase::live) {
      used -= frame.value()->size; // once the answer is there
      replays_ = true;
    } else if (decisions_) {
      decisions_->late.clear();
    }
    if (waits())
      break;
  }
  return used;
}

bool connection::on_packet(const protocol::frame& in) {
  switch (phase_) {
  case phase::awaiting_connect:
    if (in.type() == packet_type::connect)
      return on_connect(in);
    count(at().numbers().malformed);
    end(false, false, "the first packet is not a CONNECT");
    return false;
  case phase::authenticating:
    if (in.type() == packet_type::auth)
      return on_auth(in);
    if (in.type() != packet_type::disconnect)
      count(at().numbers().malformed);
    end(false, false, "no AUTH during authentication");
    return false;
  case phase::live:
    return on_live_packet(in);
  case phase::verifying:
  case phase::claiming:
  case phase::closed:
    break;
  }
  return false;
}

bool connection::on_live_packet(const protocol::frame& in) {
  auto& numbers = at().numbers();
  if (at().tracing() && !replaying_)
    trace_in(in);
  switch (in.type()) {
  case packet_type::publish:
    return on_publish(in);
  case packet_type::puback:
  case packet_type::pubrec:
  case packet_type::pubrel:
  case packet_type::pubcomp: {
    const auto ack = protocol::decode_ack(in, version_);
    if (!ack)
      return fail(ack.error(), "malformed acknowledgement");
    const auto answer = session_->on_ack(ack.value());
    return answer == reason_code::success
           || fail(answer, "acknowledgement out of order");
  }
  case packet_type::subscribe: {
    if (!replaying_)
      count(numbers.subscribe_received);
    const auto packet = protocol::decode_subscribe(in, version_);
    if (!packet)
      return fail(packet.error(), "malformed SUBSCRIBE");
    std::vector<bool> denied;
    if (!may_subscribe(packet.value(), denied))
      return true; // it is held
    const auto answer = session_->on_subscribe(packet.value(), denied);
    return answer == reason_code::success || fail(answer, "bad SUBSCRIBE");
  }
  case packet_type::unsubscribe: {
    count(numbers.unsubscribe_received);
    const auto packet = protocol::decode_unsubscribe(in, version_);
    if (!packet)
      return fail(packet.error(), "malformed UNSUBSCRIBE");
    const auto answer = session_->on_unsubscribe(packet.value());
    return answer == reason_code::success || fail(answer, "bad UNSUBSCRIBE");
  }
  case packet_type::pingreq: {
    count(numbers.pingreq_received);
    if (const auto ok = protocol::decode_ping(in, version_); !ok)
      return fail(ok.error(), "malformed PINGREQ");
    protocol::encode_pingresp(out().bytes());
    count(numbers.pingresp_sent);
    count(numbers.packets_sent);
    wants_flush();
    if (at().tracing())
      trace_out(packet_type::pingresp, 0, {});
    return true;
  }
  case packet_type::disconnect:
    return on_disconnect(in);
  case packet_type::auth:
    return on_auth(in);
  case packet_type::connect: // a second one [MQTT-3.1.0-2]
    return fail(reason_code::protocol_error, "a second CONNECT");
  default:
    return fail(reason_code::protocol_error, "a packet that only servers send");
  }
}

bool connection::on_publish(const protocol::frame& in) {
  if (!replaying_) {
    count(at().numbers().publish_received);
    ++received_;
  }
  auto decoded = protocol::decode_publish(in, version_);
  if (!decoded)
    return fail(decoded.error(), "malformed PUBLISH");
  auto& packet = decoded.value();
  if (packet.topic_alias != 0) {
    if (packet.topic_alias > limits().max_topic_alias)
      return fail(reason_code::topic_alias_invalid,
                  "Topic Alias above the maximum");
    if (!aliases_)
      aliases_ = std::make_unique<aliases>();
    auto& known = aliases_->inbound;
    if (!packet.topic.empty()) {
      if (known.size() < packet.topic_alias)
        known.resize(packet.topic_alias);
      auto& name = known[packet.topic_alias - 1U];
      aliases_->inbound_bytes += packet.topic.size() - name.size();
      if (aliases_->inbound_bytes > limits().max_topic_alias_bytes)
        return fail(reason_code::quota_exceeded,
                    "the topics of aliases exceed mqtt.max_topic_alias_bytes");
      name = packet.topic;
    } else if (known.size() < packet.topic_alias
               || known[packet.topic_alias - 1U].empty()) {
      return fail(reason_code::protocol_error, "unknown Topic Alias");
    } else {
      packet.topic = known[packet.topic_alias - 1U];
    }
  }
  auto allowed = verdict::yes;
  if (!may_publish(packet, allowed))
    return true; // it is held
  if (allowed == verdict::no && at().access().disconnects_denied) {
    close(reason_code::not_authorized, "a publication is not allowed");
    return false;
  }
  if (scope_.options().messages_rate.count != 0)
    charge(&pace::messages, 1);
  if (auto* looked_at = at().watched())
    looked_at->topics.add(packet.topic, packet.payload.size());
  const auto answer = session_->on_publish(packet, in, allowed == verdict::yes);
  if (at().slows_publishers() && answer == reason_code::success)
    slow_down();
  return answer == reason_code::success || fail(answer, "refused PUBLISH");
}

bool connection::on_disconnect(const protocol::frame& in) {
  count(at().numbers().disconnect_received);
  const auto packet = protocol::decode_disconnect(in, version_, true);
  if (!packet)
    return fail(packet.error(), "malformed DISCONNECT");
  if (const auto& wanted = packet.value().session_expiry_interval) {
    if (session_->expiry_interval() == 0 && *wanted != 0)
      return fail(reason_code::protocol_error,
                  "DISCONNECT makes a transient session durable");
    session_->set_expiry_interval(
      std::min(*wanted, limits().max_session_expiry_interval));
  }
  end(packet.value().reason == reason_code::normal_disconnection, false,
      "disconnected by the client");
  return false;
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

// ---- waiting ---------------------------------------------------------------

void connection::take_what_waited() {
  if (!write_blocked_) {
    if (std::exchange(left_unread_, false) && !reading_paused_)
      watch_again();
    pause_reading(false);
  }
  if (input_.empty())
    return;
  auto pending = std::move(input_);
  input_ = protocol::byte_buffer{};
  if (const auto used = consume(pending.view()); used && fd_ >= 0) {
    pending.consume(*used);
    if (!pending.empty())
      input_.append(pending.view());
  }
}

void connection::charge(auth::token_bucket pace::*bucket,
                        std::uint64_t tokens) {
  const auto& options = scope_.options();
  const auto now = at().now();
  const auto rate = [](const rate_limit& x) {
    return auth::token_rate{x.count, x.per,
                            x.burst == 0 ? 0 : x.count + x.burst};
  };
  if (!pace_)
    pace_ = std::make_unique<pace>(pace{{rate(options.messages_rate), now},
                                        {rate(options.bytes_rate), now}});
  pace_->messages.set_rate(rate(options.messages_rate), now);
  pace_->bytes.set_rate(rate(options.bytes_rate), now);
  auto& its = (*pace_).*bucket;
  if (its.charge(tokens, now))
    return;
  if (!std::exchange(paced_, true))
    count(at().numbers().paced);
  go_on_at_ =
    std::max(pace_->messages.ready_at(1, now), pace_->bytes.ready_at(1, now));
  arm_timer();
}

bool connection::commits_late() const noexcept {
  return slowed_ && session_ != nullptr
         && (at().overload().commits_late
             || commit_bound::exceeded(session_->uncommitted_bytes(),
                                       at().overload_limits(), true));
}

void connection::slow_down() {
  slowed_ = true;
  if (!std::exchange(paced_, true))
    count(at().numbers().overload_slowed);
  // Only what is committed gets less by itself. What is queued may wait for
  // acknowledgements behind what this client publishes: it is read a little.
  go_on_at_ = std::max(
    go_on_at_, at().now() + (commits_late() ? commits_every : queues_every));
  arm_timer();
}

// ---- time ------------------------------------------------------------------

void connection::arm_timer() {
  using std::chrono::milliseconds;
  auto deadline = std::chrono::steady_clock::time_point::max();
  if (opening_)
    deadline = opening_deadline();
  else if (phase_ == phase::awaiting_connect || phase_ == phase::authenticating)
    deadline = connected_at_ + limits().idle_timeout;
  else if (keep_alive_ != 0)
    deadline = last_read_
               + milliseconds(static_cast<std::int64_t>(
                 1000.0 * keep_alive_ * limits().keepalive_multiplier));
  if (phase_ == phase::verifying)
    deadline = connected_at_ + at().access().authentication_timeout;
  if (held_ && phase_ == phase::live)
    deadline = std::min(deadline, answer_deadline());
  if (paced_)
    deadline = std::min(deadline, go_on_at_);
  if (write_blocked_)
    deadline =
      std::min(deadline, blocked_since_ + scope_.options().send_timeout);
  if (deadline != std::chrono::steady_clock::time_point::max())
    at().wheel().arm(*this, deadline);
}

void connection::on_timer() {
  const caf::strong_actor_ptr keep{ctrl()};
  using std::chrono::milliseconds;
  const auto now = at().now();
  auto& numbers = at().numbers();
  if (write_blocked_ && now >= blocked_since_ + scope_.options().send_timeout) {
    count(numbers.close_send_timeout);
    end(false, false, "the client does not read");
    return;
  }
  if (paced_ && now >= go_on_at_ && commits_late())
    go_on_at_ = now + commits_every;
  if (paced_ && now >= go_on_at_) {
    paced_ = slowed_ = false;
    if (!waits())
      take_what_waited();
    if (fd_ < 0)
      return;
  }
  if (held_ && phase_ == phase::live && now >= answer_deadline()) {
    answer_overdue();
    if (fd_ < 0)
      return;
  }
  if (phase_ == phase::verifying
      && now >= connected_at_ + at().access().authentication_timeout) {
    refuse(reason_code::server_unavailable,
           "nobody said in time who the client is");
    return;
  }
  if (opening_) {
    if (opening_overdue(now))
      return;
  } else if ((phase_ == phase::awaiting_connect
              || phase_ == phase::authenticating)
             && now >= connected_at_ + limits().idle_timeout) {
    count(numbers.close_idle);
    end(false, false, "no CONNECT in time");
    return;
  }
  if (phase_ == phase::live && keep_alive_ != 0
      && now >= last_read_
                  + milliseconds(static_cast<std::int64_t>(
                    1000.0 * keep_alive_ * limits().keepalive_multiplier))) {
    if (!reading_paused_) {
      count(numbers.close_keepalive);
      close(reason_code::keep_alive_timeout, "Keep Alive timeout");
      return;
    }
    last_read_ = now; // not read by our own choice
  }
  if (session_ != nullptr)
    session_->shrink();
  arm_timer();
}

// ---- the end ---------------------------------------------------------------

bool connection::fail(reason_code why, std::string_view cause) {
  count(at().numbers().malformed);
  if (phase_ == phase::live)
    close(why, cause);
  else
    end(false, false, cause);
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
  if (session_ != nullptr || phase_ != phase::awaiting_connect)
    at().log({log_level::debug, "connection.closed", cause,
              session_ != nullptr ? std::string_view{session_->client_id()}
                                  : std::string_view{},
              peer()});
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
