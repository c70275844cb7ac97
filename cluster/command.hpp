#pragma once
// What a shard is told: commands change it, reads only look.

#include "cluster/records.hpp"

#include <variant>

namespace troupe::cluster {

/// A PUBLISH whose topic hashes to the shard.
struct publish_command {
  message_ptr message;
  client_ref publisher;            ///< who waits for `token`; may be nobody
  std::uint32_t token = 0;         ///< the publisher's own number, echoed
  std::uint32_t delay_seconds = 0; ///< `$delayed`
  /// False: only kept in order with what the publisher has outstanding here.
  bool logged = true;
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
  std::uint64_t epoch = 0;
  std::shared_ptr<session_record> record; ///< null: the session ends
  std::uint32_t expiry_interval = 0;
  will_fate will = will_fate::publish;
};

/// A durable session holds, or no longer holds, a filter in this shard.
struct hold_command {
  std::string client_id;
  subscription_record subscription;
  bool holds = true;
  client_ref who; ///< who waits for `token`; may be nobody
  std::uint32_t token = 0;
};

/// The session has taken over all its messages up to `sequence`.
struct advance_command {
  std::string client_id;
  std::uint64_t sequence = 0;
};

/// A durable group has one live member more, or less.
struct group_presence_command {
  std::string share_name;
  std::string filter;
  client_ref who;
  bool online = true;
};

/// A message of a durable group that no live member could take.
struct group_return_command {
  std::string share_name;
  std::string filter;
  message_ptr message;
};

/// Removes a retained message, without a PUBLISH to anybody.
struct remove_retained_command {
  std::string topic;
};

/// Time has passed: timers up to the entry's time are due.
struct time_command {};

/// Reads messages behind `after` that `client_id` holds filters for.
struct fetch_read {
  std::string client_id;
  client_ref who;
  std::uint64_t after = 0;
  std::size_t limit = 100;
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
  std::variant<publish_command, claim_command, release_command, hold_command,
               advance_command, group_presence_command, group_return_command,
               remove_retained_command, time_command, fetch_read,
               retained_read>;

/// Whether `x` must be in the replicated log before it is applied. What binds
/// only live transient sessions and reads need no log, but keep their place
/// behind the commands before them.
bool needs_log(const command& x) noexcept;

/// A batch of commands with the leader's time when it proposed them.
struct log_entry {
  time_point at{};
  std::vector<command> commands;
};

/// The shard of a topic name, an exact filter or a Client Identifier.
std::uint16_t shard_of(std::string_view key, std::size_t shards) noexcept;

} // namespace troupe::cluster
