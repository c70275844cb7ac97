#pragma once
// What reactors send each other: one batch per pair and turn.

#include "actors/subscription_index.hpp"
#include "cluster/effects.hpp"

#include <memory>
#include <variant>
#include <vector>

namespace troupe::actors {

using cluster::message_ptr;
using cluster::shard_position;

// ---- for one client --------------------------------------------------------

/// A shard has committed what `token` stands for.
struct publish_acked {
  std::uint32_t token = 0;
  protocol::reason_code reason = protocol::reason_code::success;
};
struct hold_committed {
  std::uint16_t shard = 0;
  std::uint32_t token = 0;
  std::uint64_t start = 0;
};
/// The session's shard keeps, or no longer keeps, a subscription.
struct subscription_kept {
  std::uint32_t token = 0;
};
/// An inbound QoS 2 publication may get its PUBREC, or its PUBCOMP.
struct inbound_noted {
  std::uint16_t packet_identifier = 0;
  bool begun = true;
};
/// The session's shard has the states of outbound QoS 2 messages.
struct outbound_noted {};
/// A message of a group is this client's alone now.
struct group_taken {
  std::uint16_t packet_identifier = 0;
};
struct claim_superseded {};
/// There is no room for the session.
struct claim_refused {};
struct eviction {
  bool discard = false;
};
/// The operator wants the client gone.
struct kick {
  protocol::reason_code reason = protocol::reason_code::administrative_action;
  bool discard = false; ///< its session ends, too
};

using client_event =
  std::variant<publish_acked, hold_committed, subscription_kept, inbound_noted,
               outbound_noted, group_taken, claim_superseded, claim_refused,
               eviction, kick, std::unique_ptr<cluster::claim_granted>,
               std::unique_ptr<cluster::fetched_page>,
               std::unique_ptr<cluster::retained_page>>;

struct addressed_event {
  client_ref who;
  client_event what;
};

// ---- for the subscribers of a reactor --------------------------------------

/// A message and the matching filter nodes that have subscribers there.
struct to_subscribers {
  message_ptr message;
  shard_position position;
  std::uint32_t first_node = 0; ///< in `batch::nodes`
  std::uint32_t node_count = 0;
};

/// A message of a shared group for the member that was picked.
struct to_member {
  message_ptr message;
  shard_position position; ///< where the group's shard keeps it; or nowhere
  shared_group* group = nullptr;
  group_member member;
  std::uint32_t attempts = 0; ///< members that it went to before
};

/// In the order in which they were put in, which is the order that
/// subscribers see.
struct batch {
  std::uint16_t from = 0; ///< reactor whose credit it uses
  std::uint32_t credit = 0;
  std::vector<std::variant<to_subscribers, to_member, addressed_event>> items;
  std::vector<filter_node*> nodes;
};
using batch_ptr = std::shared_ptr<batch>;

/// For a topic shard: commands of one reactor and turn.
struct command_batch {
  std::uint16_t from = 0;
  std::vector<cluster::command> commands;
};
using command_batch_ptr = std::shared_ptr<command_batch>;

} // namespace troupe::actors
