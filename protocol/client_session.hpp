#pragma once
// What MQTT prescribes for one session: packet identifiers, quotas, the states
// of QoS 1 and 2 in both directions and the queue of what waits. No socket,
// clock or actor: a caller carries events in and answers out.

#include "protocol/control_packet.hpp"
#include "protocol/message.hpp"
#include "protocol/ring.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace troupe::protocol {

/// Where a message lies that a shard keeps until its receiver is done.
struct shard_position {
  static constexpr std::uint16_t none = 0xFFFF;
  std::uint16_t shard = none;
  std::uint64_t sequence = 0;
  explicit operator bool() const noexcept { return shard != none; }
};

/// Why a message was not delivered; each has a counter.
enum class drop_reason : std::uint8_t {
  none,
  queue_full,        ///< the bounded queue of a slow receiver
  qos0_slow,         ///< QoS 0 for a receiver that does not keep up
  expired,           ///< Message Expiry Interval ran out here
  too_large,         ///< over the receiver's Maximum Packet Size
  no_local,          ///< the publisher itself asked not to have it
  session_ended,     ///< the transient session went away with it
  refused,           ///< a negative PUBACK or PUBREC [MQTT-4.8.2-6]
  share_member_gone, ///< QoS 2 of a shared group, [MQTT-4.8.2-5]
};

/// One message on its way to one receiver.
struct outbound {
  message_ptr message;
  shard_position position;
  /// The shared group that this receiver stands for; borrowed, opaque here.
  void* group = nullptr;
  /// Further Subscription Identifiers of overlapping filters; mostly null.
  std::unique_ptr<std::vector<std::uint32_t>> more_identifiers;
  std::uint32_t subscription_identifier = 0; ///< 0: none
  protocol::qos qos = qos::at_most_once;     ///< as granted
  bool retain = false;                       ///< as it goes out
};

struct client_session_options {
  /// QoS 1 and 2 messages unacknowledged at once: the smaller of the client's
  /// Receive Maximum and `mqtt.max_inflight` [MQTT-4.9.0-1].
  std::uint16_t send_quota = 32;
  std::size_t queue_max = 1'000;            ///< messages, 0: no limit
  std::size_t queue_bytes_max = 16'777'216; ///< bytes, 0: no limit
  bool queue_qos0 = true;
  std::uint16_t awaiting_release_max = 100; ///< inbound QoS 2
  /// Breaks [MQTT-2.2.1-4] for QoS 1, so that a test sees that somebody
  /// notices.
  bool reuses_identifiers = false;
};

/// See the head of the file. Not thread-safe.
class client_session {
public:
  client_session() = default;
  void configure(const client_session_options& options) noexcept {
    send_quota_ = options.send_quota;
    queue_max_ = static_cast<std::uint32_t>(options.queue_max);
    queue_bytes_max_ = options.queue_bytes_max;
    queue_qos0_ = options.queue_qos0;
    awaiting_release_max_ = options.awaiting_release_max;
    reuses_identifiers_ = options.reuses_identifiers;
  }
  /// The limits of queues, while messages are on their way; what is beyond a
  /// smaller one stays. The quota is what was agreed upon in CONNECT.
  void change_limits(const client_session_options& options) noexcept {
    queue_max_ = static_cast<std::uint32_t>(options.queue_max);
    queue_bytes_max_ = options.queue_bytes_max;
    queue_qos0_ = options.queue_qos0;
    awaiting_release_max_ = options.awaiting_release_max;
  }

  // ---- to the client: what may go out now ---------------------------------

  /// Whether one more QoS 1 or 2 message may be sent: quota is left
  /// [MQTT-4.9.0-2] and a packet identifier is free [MQTT-2.2.1-4].
  bool may_send() const noexcept {
    return unacknowledged_ < send_quota_ && waiting_ == 0
           && in_flight_.size() < 65'535;
  }

  /// Takes a packet identifier for `x` (QoS 1 or 2) and keeps it until it is
  /// acknowledged. Only if `may_send()`.
  std::uint16_t start(outbound&& x);

  /// Puts `x` behind what waits. While that would break a bound, a message
  /// gives way: the oldest QoS 0 one, else the oldest; `x` itself if it has
  /// QoS 0 and only others wait.
  /// @param lost  called as `lost(outbound&&, drop_reason)` for each.
  template <class F>
  void enqueue(outbound&& x, F&& lost) {
    victim gone;
    while ((gone = make_room(x)).why != drop_reason::none) {
      lost(std::move(gone.lost), gone.why);
      if (gone.was_new)
        return;
    }
    append(std::move(x));
  }

  /// Takes the message to send next off the queue.
  /// @returns false if the queue is empty or its head has to wait for quota.
  bool take_queued(outbound& out);
  std::size_t queued() const noexcept { return queue_.size(); }
  std::size_t queued_bytes() const noexcept { return queue_bytes_; }
  bool queue_full() const noexcept {
    return (queue_max_ != 0 && queue_.size() >= queue_max_)
           || (queue_bytes_max_ != 0 && queue_bytes_ >= queue_bytes_max_);
  }
  /// Calls `f(outbound&)` for everything queued, oldest first.
  template <class F>
  void for_each_queued(F&& f) {
    for (std::size_t i = 0; i < queue_.size(); ++i)
      f(queue_[i]);
  }
  void clear_queue() noexcept {
    queue_.clear();
    queue_bytes_ = 0;
    queued_qos0_ = 0;
  }

  // ---- from the client: acknowledgements ----------------------------------

  enum class ack : std::uint8_t {
    settled,  ///< the message is done; `outbound` is handed to the caller
    release,  ///< PUBREC taken: send PUBREL [MQTT-4.3.3-4]; `settled` has the
              ///< position, no message
    unknown,  ///< no such packet identifier in the right state
    repeated, ///< PUBREC again: send PUBREL again
  };
  struct ack_answer {
    ack what = ack::unknown;
    outbound settled;
  };
  ack_answer on_puback(std::uint16_t packet_identifier);
  /// @param failed  its Reason Code is 0x80 or greater: settles the message.
  ack_answer on_pubrec(std::uint16_t packet_identifier, bool failed);
  ack_answer on_pubcomp(std::uint16_t packet_identifier);

  /// PUBLISH packets that use the quota of this connection.
  std::size_t unacknowledged() const noexcept { return unacknowledged_; }
  /// Messages that are not settled, of earlier connections included.
  std::size_t in_flight_count() const noexcept { return open_; }

  /// What is in flight, in the order it was first sent.
  struct in_flight {
    outbound what;
    std::uint16_t packet_identifier = 0;
    enum class state : std::uint8_t {
      waiting,  ///< of an earlier connection, not sent again on this one yet
      sent,     ///< PUBLISH is out
      released, ///< PUBREL is out, or to be sent first on this connection
      settled,
    };
    state now = state::sent;
    bool uses_quota = true; ///< its PUBLISH was sent on this connection
  };
  /// Calls `f(in_flight&)` for all that is not settled, oldest first.
  template <class F>
  void for_each_in_flight(F&& f) {
    for (std::size_t i = 0; i < in_flight_.size(); ++i)
      if (in_flight_[i].now != in_flight::state::settled)
        f(in_flight_[i]);
  }
  /// What `packet_identifier` stands for, or null.
  in_flight* in_flight_with(std::uint16_t packet_identifier) noexcept {
    return find(packet_identifier);
  }
  /// Puts one entry of an earlier connection back, in order. Its PUBLISH is to
  /// be sent again before anything new [MQTT-4.4.0-1], within the quota.
  void restore(in_flight&& x);
  /// The next PUBLISH to send again, or null; it counts as sent now.
  const in_flight* take_resend();
  void set_next_packet_identifier(std::uint16_t next) noexcept {
    if (in_flight_.empty() && next != 0)
      next_identifier_ = next;
  }
  std::uint16_t next_packet_identifier() const noexcept {
    return next_identifier_;
  }

  // ---- from the client: QoS 2 publications --------------------------------

  enum class inbound : std::uint8_t {
    fresh,     ///< not seen: publish it, answer PUBREC
    duplicate, ///< seen before its PUBREL: only answer PUBREC
    too_many,  ///< `awaiting_release_max` reached
  };
  inbound on_publish_qos2(std::uint16_t packet_identifier);
  /// Forgets it again: the PUBREC will carry an error [MQTT-4.3.3-9].
  bool on_pubrel(std::uint16_t packet_identifier);
  const std::vector<std::uint16_t>& awaiting_release() const noexcept {
    return awaiting_release_;
  }
  void restore_awaiting_release(std::vector<std::uint16_t> ids) {
    awaiting_release_ = std::move(ids);
  }

  /// Gives memory back that an idle session does not need.
  void shrink() noexcept {
    in_flight_.shrink();
    queue_.shrink();
    if (awaiting_release_.empty())
      awaiting_release_.shrink_to_fit();
  }

private:
  struct victim {
    outbound lost;
    drop_reason why = drop_reason::none;
    bool was_new = false; ///< it is what was to be added
  };
  victim make_room(outbound& x);
  void append(outbound&& x);
  in_flight* find(std::uint16_t packet_identifier) noexcept;
  ack_answer settle(in_flight& x) noexcept;
  void take_identifier() noexcept {
    next_identifier_ = next_identifier_ == 65'535
                         ? std::uint16_t{1}
                         : static_cast<std::uint16_t>(next_identifier_ + 1);
  }

  ring<in_flight> in_flight_; ///< identifiers of neighbours follow each other
  ring<outbound> queue_;
  std::vector<std::uint16_t> awaiting_release_;
  std::size_t queue_bytes_ = 0;
  std::size_t queue_bytes_max_ = 16'777'216;
  std::uint32_t queue_max_ = 1'000;
  std::uint32_t queued_qos0_ = 0;
  std::uint16_t unacknowledged_ = 0;
  std::uint16_t waiting_ = 0;   ///< entries of that state
  std::uint16_t open_ = 0;      ///< entries that are not settled
  std::uint16_t resend_at_ = 0; ///< no entry before it waits
  std::uint16_t send_quota_ = 32;
  std::uint16_t next_identifier_ = 1;
  std::uint16_t awaiting_release_max_ = 100;
  bool queue_qos0_ = true;
  bool reuses_identifiers_ = false;
};

} // namespace troupe::protocol
