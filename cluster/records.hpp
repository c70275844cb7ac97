#pragma once
// What a shard keeps, as values.

#include "cluster/client_ref.hpp"
#include "protocol/client_session.hpp"

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
};

/// How far a session has taken messages over from one topic shard.
struct cursor {
  std::uint16_t shard = 0;
  std::uint64_t sequence = 0;
};

/// The state of a session between two connections (MQTT 5.0 section 4.1).
struct session_record {
  std::vector<subscription_record> subscriptions;
  /// Sent and not acknowledged, oldest first; all with packet identifiers.
  std::vector<protocol::client_session::in_flight> in_flight;
  /// Taken for this session, not sent, and kept by no topic shard.
  std::vector<protocol::outbound> pending;
  std::vector<std::uint16_t> awaiting_release; ///< inbound QoS 2
  std::uint16_t next_packet_identifier = 1;
  std::vector<cursor> cursors;
};

struct will_record {
  message_ptr message;
  std::chrono::seconds delay{0};
};

/// Seconds of a Session Expiry Interval; this value never expires.
inline constexpr std::uint32_t never_expires = 0xFFFF'FFFF;

} // namespace troupe::cluster
