#pragma once
// What a shard keeps, as values.

#include "cluster/client_ref.hpp"
#include "protocol/client_session.hpp"
#include "protocol/topic.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe::cluster {

using protocol::message_ptr;
using protocol::shard_position;
using protocol::time_point;

/// A subscription of a durable session.
struct subscription_record {
  std::string share_name; ///< empty: not shared
  std::string filter;
  protocol::subscription_options options;
  std::uint32_t identifier = 0; ///< Subscription Identifier, 0: none
  bool exclusive = false;

  /// Whether topic shards keep messages for it.
  bool held() const noexcept {
    return options.maximum_qos != protocol::qos::at_most_once;
  }
};

/// How far a session has taken messages over from one topic shard.
struct cursor {
  std::uint16_t shard = 0;
  std::uint64_t sequence = 0;
};

/// Another reference to the same message, on its way to the same receiver;
/// without the group that it came by.
inline protocol::outbound copy_of(const protocol::outbound& x) {
  protocol::outbound copy;
  copy.message = x.message;
  copy.position = x.position;
  if (x.more_identifiers)
    copy.more_identifiers =
      std::make_unique<std::vector<std::uint32_t>>(*x.more_identifiers);
  copy.subscription_identifier = x.subscription_identifier;
  copy.qos = x.qos;
  copy.retain = x.retain;
  return copy;
}

/// A message that a session still has to deliver and that its own record
/// keeps: what was in flight, or waited without a place in a topic shard.
struct kept_message {
  protocol::outbound what;
  std::uint16_t packet_identifier = 0; ///< 0: not sent yet
  bool released = false;               ///< QoS 2: PUBREC has come

  kept_message() = default;
  kept_message(protocol::outbound&& x, std::uint16_t id, bool pubrec)
    : what(std::move(x)),
      packet_identifier(id),
      released(pubrec) {}
  kept_message(kept_message&&) = default;
  kept_message& operator=(kept_message&&) = default;
  kept_message(const kept_message& other)
    : what(copy_of(other.what)),
      packet_identifier(other.packet_identifier),
      released(other.released) {}
  kept_message& operator=(const kept_message& other) {
    return *this = kept_message{other};
  }
  ~kept_message() = default;
};

/// A QoS 2 message of a topic shard on its way to a durable session.
struct outbound_state {
  enum class state : std::uint8_t {
    sent,     ///< the PUBLISH, or about to be
    released, ///< PUBREC has come
    finished, ///< PUBCOMP has come: not to be sent again
  };
  shard_position position;
  std::uint16_t packet_identifier = 0;
  state now = state::sent;
};

/// A message that a shard keeps for a shared group.
struct group_place {
  std::string share_name;
  std::string filter;
  shard_position position;
};

/// A QoS 2 publication of a session, until its PUBREL. An incarnation is one
/// life of a session: Clean Start begins another.
struct inbound_identity {
  std::string client_id;
  std::uint64_t incarnation = 0;
  std::uint16_t packet_identifier = 0;
};

/// To which shard an inbound QoS 2 publication went.
struct inbound_place {
  std::uint16_t packet_identifier = 0;
  std::uint16_t shard = 0;
};

/// The state of a session between two connections (MQTT 5.0 section 4.1).
struct session_record {
  std::vector<subscription_record> subscriptions;
  /// What was sent, oldest first, then what was not.
  std::vector<kept_message> kept;
  std::vector<inbound_place> awaiting_release; ///< inbound QoS 2
  bool published_qos2 = false; ///< ever: topic shards may remember something
  std::vector<outbound_state> outbound; ///< by order of their sending
  std::uint16_t next_packet_identifier = 1;
  /// Nothing up to these is wanted of topic shards any more.
  std::vector<cursor> cursors;
};

struct will_record {
  message_ptr message;
  std::chrono::seconds delay{0};
};

/// Seconds of a Session Expiry Interval; this value never expires.
inline constexpr std::uint32_t never_expires = 0xFFFF'FFFF;

} // namespace troupe::cluster
