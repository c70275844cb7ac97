#pragma once
// What a shard is told: commands change it, reads only look.

#include "cluster/records.hpp"

#include <memory>
#include <optional>
#include <variant>

namespace troupe::cluster {

/// A PUBLISH whose topic hashes to the shard.
struct publish_command {
  message_ptr message;
  client_ref publisher;            ///< who waits for `token`; may be nobody
  std::uint32_t token = 0;         ///< the publisher's own number, echoed
  std::uint32_t delay_seconds = 0; ///< `$delayed`
  /// False: only kept in order with what the publisher has outstanding here,
  /// unless somebody holds a filter of it when it is proposed.
  bool logged = true;
  /// Of a QoS 2 publication of a durable session: it is applied once.
  std::optional<inbound_identity> inbound{};
};

/// A CONNECT asks to own the session of a Client Identifier.
struct claim_command {
  std::string client_id;
  client_ref who;
  bool clean_start = true;
  /// Session Expiry Interval in seconds; 0: ends with the connection.
  std::uint32_t expiry_interval = 0;
  std::shared_ptr<will_record> will;
};

/// The owner gives a session up: it ends, or its state is to be kept.
struct release_command {
  enum class will_fate : std::uint8_t { discard, publish };
  std::string client_id;
  client_ref who;                         ///< the owner
  std::uint64_t epoch = 0;                ///< as granted
  std::shared_ptr<session_record> record; ///< null: the session ends
  std::uint32_t expiry_interval = 0;
  will_fate will = will_fate::publish;
};

/// The owner of a durable session subscribes, or unsubscribes. The session's
/// shard keeps the subscription and tells the shards that hold its filter.
struct subscribe_command {
  std::string client_id;
  std::uint64_t epoch = 0;
  subscription_record subscription;
  bool subscribes = true;
  client_ref who; ///< who waits for `token`
  std::uint32_t token = 0;
};

/// How far the owner of a durable session has come.
struct checkpoint_command {
  std::string client_id;
  std::uint64_t epoch = 0;
  /// What it still has to deliver and no topic shard keeps, in place of what
  /// the session's shard knew of that.
  std::vector<kept_message> kept;
  std::vector<cursor> cursors; ///< done up to here; those that have moved
};

/// The session's shard notes to which shard the QoS 2 publication with a
/// Packet Identifier went, before its PUBREC; or with its PUBREL that it has
/// ended, which it tells that shard.
struct inbound_command {
  std::string client_id;
  std::uint64_t epoch = 0;
  std::uint16_t packet_identifier = 0;
  std::uint16_t shard = 0;
  bool begins = true;
  client_ref who; ///< waits to send PUBREC or PUBCOMP
};

/// The publication of `what` has ended: the Packet Identifier is free.
struct inbound_end_command {
  inbound_identity what;
  client_ref who; ///< waits to send PUBCOMP; may be nobody
};

/// The session has ended, and with it its unfinished QoS 2 publications.
struct inbound_forget_command {
  std::string client_id;
  std::uint64_t incarnation = 0;
};

/// What the owner of a durable session is about to send at QoS 2.
struct outbound_command {
  std::string client_id;
  std::uint64_t epoch = 0;
  std::vector<outbound_state> states; ///< those that have changed
  /// What is sent the first time and has no place of its own in a shard: the
  /// session's shard keeps it from here on.
  std::vector<kept_message> kept;
  /// Of these, what shards keep for groups: they need not any more.
  std::vector<group_place> taken;
  client_ref who; ///< waits
};

/// A durable session holds, or no longer holds, a filter in this shard.
struct hold_command {
  std::string client_id;
  subscription_record subscription;
  bool holds = true;
  client_ref who; ///< who waits for `token`; may be nobody
  std::uint32_t token = 0;
};

/// Holds a filter in the name of nobody: of a declared group. No client has
/// this Client Identifier.
inline constexpr std::string_view declared_holder;

/// The session is done with all its messages up to `sequence`.
struct advance_command {
  std::string client_id;
  std::uint64_t sequence = 0;
};

/// A durable group has a live member more: it may have what waits.
struct group_online_command {
  std::string share_name;
  std::string filter;
};

/// The group's shard need not keep a message any more: a member has
/// acknowledged it, or it is bound to a member for good.
struct group_done_command {
  std::string share_name;
  std::string filter;
  std::uint64_t sequence = 0;
  client_ref who{};                    ///< waits to send it; may be nobody
  std::uint16_t packet_identifier = 0; ///< for `who`
};

/// A message of a durable group that no live member could take.
struct group_return_command {
  std::string share_name;
  std::string filter;
  message_ptr message;
  std::uint64_t sequence = 0; ///< where the shard keeps it; 0: it does not
};

/// Every message of a durable group up to `up_to` is done with, but `open`;
/// what was told one by one. The group's leader sums it up now and then.
struct group_cursor_command {
  std::string share_name;
  std::string filter;
  std::uint64_t up_to = 0;
  std::vector<std::uint64_t> open; ///< ascending
};

/// Removes a retained message, without a PUBLISH to anybody.
struct remove_retained_command {
  std::string topic;
};

/// Time has passed: timers up to the entry's time are due.
struct time_command {};

/// The node starts again: whoever owned a session is gone. For the first ones
/// behind `after`, in their order.
struct restart_command {
  std::string after; ///< Client Identifier
};

struct boxed_command;

/// A command that another shard's state led to. It is sent until it is known
/// to be applied, and applied once.
struct forward_command {
  std::uint16_t from = 0;     ///< shard
  std::uint64_t sequence = 0; ///< counts what `from` forwards to this shard
  std::shared_ptr<boxed_command> what;
};

/// Shard `to` has applied what was forwarded to it up to `sequence`.
struct forwarded_command {
  std::uint16_t to = 0;
  std::uint64_t sequence = 0;
};

/// Reads messages behind `after` that `client_id` holds filters for.
struct fetch_read {
  std::string client_id;
  client_ref who;
  std::uint64_t after = 0;
  std::size_t limit = 100;
  std::vector<std::uint64_t> only{}; ///< if not empty: just these, ascending
};

/// Reads retained messages that match `filter`, behind key `after`.
struct retained_read {
  std::string filter;
  client_ref who;
  std::uint32_t token = 0;
  std::string after; ///< empty: from the start
  std::size_t limit = 100;
};

using command =
  std::variant<publish_command, claim_command, release_command,
               subscribe_command, checkpoint_command, inbound_command,
               inbound_end_command, inbound_forget_command, outbound_command,
               hold_command, advance_command, group_online_command,
               group_done_command, group_return_command, group_cursor_command,
               remove_retained_command, time_command, restart_command,
               forward_command, forwarded_command, fetch_read, retained_read>;

struct boxed_command {
  command what;
};

/// Whether `x` must be in the replicated log before it is applied. Reads, and
/// what binds only the clients that are connected, need no log, but keep their
/// place behind the commands before them.
bool needs_log(const command& x) noexcept;

/// A batch of commands with the leader's time when it proposed them. Only what
/// needs the log is in it, so that whoever applies the log alone comes to the
/// same state.
struct log_entry {
  time_point at{};
  std::vector<command> commands;
};

/// The shard of a topic name, an exact filter or a Client Identifier.
std::uint16_t shard_of(std::string_view key, std::size_t shards) noexcept;

/// Calls `f(std::uint16_t)` for each shard that the topics of `filter` can
/// hash to: one, or with a wildcard all.
template <class F>
void for_each_shard_of(std::string_view filter, std::size_t shards, F&& f) {
  if (!protocol::has_wildcard(filter))
    f(shard_of(filter, shards));
  else
    for (std::size_t i = 0; i < shards; ++i)
      f(static_cast<std::uint16_t>(i));
}

} // namespace troupe::cluster
