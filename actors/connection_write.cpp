// What leaves a connection: encoded, gathered, written.

#include "actors/connection.hpp"
#include "actors/session.hpp"

#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace troupe::actors {

using protocol::packet_type;
using protocol::reason_code;

namespace {

/// Payloads of this size are not copied into the output; those that are still
/// where they were read never are.
constexpr std::size_t borrow_from = 8'192;
/// So much output is written at once, while it is in the processor's cache:
/// waiting for more would save no call worth saving.
constexpr std::size_t write_early = 128 * 1'024;

} // namespace

void connection::send(const protocol::message& message,
                      const protocol::delivery& how) {
  if (fd_ < 0)
    return;
  if (mount_ || (aliases_ && aliases_->outbound_max != 0))
    encode(message, for_this_client(message, how));
  else
    encode(message, how);
  const bool counts =
    message.is_live() && !how.retain && how.qos != protocol::qos::exactly_once;
  output_->times().note(counts ? message.received_exactly() : hop_times::never,
                        at().now(), sent_);
  if (at().tracing())
    trace_sent(message, how);
  ++sent_;
  count(at().numbers().packets_sent);
  count(at().numbers().publish_sent);
  wants_flush();
}

void connection::encode(const protocol::message& message,
                        const protocol::delivery& how) {
  auto& to = out();
  const bool small =
    message.source() == nullptr && message.payload().size() < borrow_from;
  if (small || write_blocked_) {
    protocol::encode_message(to.bytes(), message, how, version_, at().now());
    return;
  }
  auto body = protocol::packet_as_read(message, how, version_);
  if (body.empty()) {
    protocol::encode_message_head(to.bytes(), message, how, version_,
                                  at().now());
    body = message.payload();
  }
  to.borrow(message, body);
}

protocol::delivery connection::for_this_client(const protocol::message& message,
                                               protocol::delivery how) {
  how.topic_prefix = prefix_of(message.topic());
  return aliases_ && aliases_->outbound_max != 0 ? with_alias(message, how)
                                                 : how;
}

protocol::delivery connection::with_alias(const protocol::message& message,
                                          protocol::delivery how) {
  auto& known = aliases_->outbound;
  if (const auto found = known.find(std::string{message.topic()});
      found != known.end()) {
    how.topic_alias = found->second;
    how.omit_topic = true;
    return how;
  }
  if (known.size() >= aliases_->outbound_max)
    return how;
  how.topic_alias = static_cast<std::uint16_t>(known.size() + 1);
  if (protocol::encoded_message_size(message, how, version_) > packet_limit_)
    how.topic_alias = 0; // it fits only without
  else
    known.emplace(message.topic(), how.topic_alias);
  return how;
}

void connection::send_ack(packet_type type, std::uint16_t packet_identifier,
                          reason_code reason) {
  if (fd_ < 0)
    return;
  auto& numbers = at().numbers();
  switch (type) {
  case packet_type::puback:
    count(numbers.puback_sent);
    break;
  case packet_type::pubrec:
    count(numbers.pubrec_sent);
    break;
  case packet_type::pubrel:
    count(numbers.pubrel_sent);
    break;
  default:
    count(numbers.pubcomp_sent);
  }
  count(numbers.packets_sent);
  protocol::ack_packet packet;
  packet.type = type;
  packet.packet_identifier = packet_identifier;
  packet.reason = reason;
  protocol::encode_ack(out().bytes(), packet, version_, packet_limit_);
  if (at().tracing())
    trace_out(type, packet_identifier, {&reason, 1});
  wants_flush();
}

void connection::send_suback(std::uint16_t packet_identifier,
                             std::span<const reason_code> reasons) {
  protocol::suback_packet packet;
  packet.packet_identifier = packet_identifier;
  packet.reasons = reasons;
  protocol::encode_suback(out().bytes(), packet, version_, packet_limit_);
  count(at().numbers().suback_sent);
  if (at().tracing())
    trace_out(packet_type::suback, packet_identifier, reasons);
  count(at().numbers().packets_sent);
  wants_flush();
}

void connection::send_unsuback(std::uint16_t packet_identifier,
                               std::span<const reason_code> reasons) {
  protocol::unsuback_packet packet;
  packet.packet_identifier = packet_identifier;
  packet.reasons = reasons;
  protocol::encode_unsuback(out().bytes(), packet, version_, packet_limit_);
  if (at().tracing())
    trace_out(packet_type::unsuback, packet_identifier, reasons);
  count(at().numbers().unsuback_sent);
  count(at().numbers().packets_sent);
  wants_flush();
}

output& connection::out() {
  if (!output_)
    output_ = at().outputs().lend();
  return *output_;
}

void connection::wants_flush() {
  hold_buffers();
  if (writing_) // and goes on until nothing is left
    return;
  // A socket that breaks is ended by `flush`: here its session may be in the
  // middle of a delivery.
  if (write_blocked_ || !output_
      || (output_->size() < write_early && !at().dials().flush_each_message)) {
    at().at_end_of_turn(*this);
    return;
  }
  at().send_batches(); // what is acknowledged is in its receivers' mailboxes
  write(false);
}

void connection::flush() {
  const caf::strong_actor_ptr keep{ctrl()};
  if (fd_ < 0)
    return;
  if (!write_blocked_) {
    write();
    return;
  }
  count_unsent();
  // What it asks for goes on piling up while it takes nothing.
  if (!writable())
    pause_reading(true);
}

void connection::count_unsent() noexcept {
  const auto now = fd_ >= 0 && write_blocked_ && output_
                     ? static_cast<std::uint32_t>(output_->size())
                     : 0U;
  if (now == unsent_)
    return;
  auto& numbers = at().numbers();
  count(numbers.unsent_bytes, std::int64_t{now} - std::int64_t{unsent_});
  if ((now == 0) != (unsent_ == 0))
    count(numbers.blocked, std::int64_t{now != 0 ? 1 : -1});
  unsent_ = now;
}

bool connection::has_output() const noexcept {
  return (output_ && !output_->empty())
         || (transport_ && transport_->wants_flush());
}

ssize_t connection::send_through() {
  if (transport_->wants_flush() && !transport_->flush())
    return -1;
  if (!output_ || output_->empty())
    return 0;
  std::array<iovec, 256> parts;
  const auto sent = transport_->write({parts.data(), output_->gather(parts)});
  if (sent > 0)
    output_->consume(static_cast<std::size_t>(sent));
  return sent;
}

ssize_t connection::send_some() {
  count(at().numbers().writes);
  if (transport_) {
    const auto sent = send_through();
    const auto error = errno;
    if (sent > 0)
      bytes_sent_ += static_cast<std::uint64_t>(sent);
    if (count_traffic() != 0)
      blocked_since_ = at().now(); // it takes something, if not all
    errno = error;
    return sent;
  }
  std::array<iovec, 256> parts;
  msghdr what{};
  what.msg_iov = parts.data();
  what.msg_iovlen = output_->gather(parts);
  const auto sent =
    what.msg_iovlen == 1
      ? ::send(fd_, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
      : ::sendmsg(fd_, &what, MSG_NOSIGNAL);
  if (sent > 0) {
    count(at().numbers().bytes_sent, static_cast<std::uint64_t>(sent));
    bytes_sent_ += static_cast<std::uint64_t>(sent);
    output_->consume(static_cast<std::size_t>(sent));
  }
  return sent;
}

void connection::write(bool may_end) {
  writing_ = true;
  while (fd_ >= 0 && has_output()) {
    if (send_some() < 0) {
      if (errno == EINTR)
        continue;
      writing_ = false;
      on_write_error(errno, may_end);
      return;
    }
    blocked_since_ = at().now();
    if (output_ && output_->empty())
      at().wrote(output_->times(), sent_);
    if (output_ && output_->empty() && session_ != nullptr
        && session_->rules().queued() > 0)
      session_->pump();
  }
  writing_ = false;
  if (output_)
    at().outputs().take_back(std::move(output_));
  if (unsent_ != 0)
    count_unsent(); // nothing is left
  if (write_blocked_) {
    write_blocked_ = false;
    reading_paused_ = waits() && reading_paused_;
    watch_again();
    if (session_ != nullptr)
      session_->pump();
  }
}

void connection::on_write_error(int error, bool may_end) {
  auto& numbers = at().numbers();
  if (error != EAGAIN) {
    if (!may_end) {
      at().at_end_of_turn(*this);
      return;
    }
    count(numbers.close_error);
    // What the client said before it went is still there: a DISCONNECT makes
    // the difference for its will [MQTT-3.14.4-3].
    reading_paused_ = false;
    if (phase_ == phase::live)
      read(true);
    end(false, false, "socket error");
    return;
  }
  count(numbers.write_blocked);
  if (output_)
    output_->keep();
  if (!write_blocked_) {
    write_blocked_ = true;
    blocked_since_ = at().now();
    arm_timer();
  }
  count_unsent();
  // A client that does not read is not read from either once a lot waits for
  // it: its requests must not pile up here.
  reading_paused_ = reading_paused_ || !writable();
  watch_again();
}

} // namespace troupe::actors
