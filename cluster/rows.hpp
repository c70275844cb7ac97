#pragma once
// The applied state of a shard as rows, the way the state database has it.

#include "cluster/command.hpp"
#include "protocol/topic.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe::cluster {

/// Column families of the state database, in the order of `row_family_names`.
enum class row_family : std::uint8_t {
  applied,   ///< `applied_row`, one for each shard
  session,   ///< `session_row` by Client Identifier
  owned,     ///< nothing by Client Identifier: who owns its session
  filter,    ///< `filter_row` by filter and Share Name
  holder,    ///< `holder_row` and cursor by Client Identifier and filter number
  group,     ///< `group_row` by filter number
  backlog,   ///< `page_row` by filter number and last sequence
  message,   ///< `message_row` by sequence, if pages of several filters list it
  retained,  ///< `retained_row` by topic, level by level
  timer,     ///< by due time, kind and what it is for; `$delayed` messages
  exclusive, ///< nothing by Client Identifier and `$exclusive/` filter
  outbox,    ///< `forward_command` by target shard and sequence
  inbound,   ///< incarnation by Client Identifier and Packet Identifier
};
inline constexpr std::array<const char*, 13> row_family_names{
  "applied", "session",  "owned", "filter",    "holder", "group",  "backlog",
  "message", "retained", "timer", "exclusive", "outbox", "inbound"};

/// The sequence noted for `shard`; 0 is put in if there was none.
inline std::uint64_t& sequence_of(std::vector<cursor>& all,
                                  std::uint16_t shard) {
  for (auto& x : all)
    if (x.shard == shard)
      return x.sequence;
  return all.emplace_back(cursor{shard, 0}).sequence;
}

/// Time that has not come and never will.
inline constexpr time_point never = time_point::max();

/// Where a shard stands.
struct applied_row {
  std::uint64_t index = 0; ///< of the log, applied
  time_point now{};        ///< of the entry applied last
  std::uint64_t sequence = 0;
  std::uint64_t last_epoch = 0;
  std::uint32_t next_filter = 1;
  std::uint64_t next_delayed = 1;
  std::vector<cursor> forwarded;    ///< last sequence sent, by shard
  std::vector<cursor> applied_from; ///< last sequence applied, by shard
  // How many rows there are:
  std::uint64_t sessions = 0;
  std::uint64_t offline = 0; ///< of these, without an owner
  std::uint64_t retained = 0;
  std::uint64_t delayed = 0;
  std::uint64_t backlog = 0;       ///< messages in pages
  std::uint64_t backlog_bytes = 0; ///< `bytes_of` these pages
  std::uint64_t shared = 0;        ///< messages in pages of several filters
};

/// A session that outlives its connection, or has a Will.
struct session_row {
  std::uint64_t incarnation = 0;
  std::uint64_t epoch = 0; ///< of the owner, or of the last one
  bool owned = false;
  std::uint32_t expiry_interval = 0;      ///< seconds
  time_point expires = never;             ///< if nobody owns it
  std::shared_ptr<session_record> record; ///< never null
  std::shared_ptr<will_record> will;      ///< may be null
  time_point will_due = never;            ///< if nobody owns the session
};

struct filter_name {
  std::string share_name; ///< empty: not shared
  std::string filter;

  bool shared() const noexcept { return !share_name.empty(); }
  /// Whether a topic alone tells the row: then it is read when it is needed.
  /// The others are always in memory.
  bool by_topic() const noexcept {
    return !shared() && !protocol::has_wildcard(filter);
  }
};

/// A filter that somebody holds.
struct filter_row {
  std::uint32_t id = 0;
  std::uint64_t holders = 0;
};

/// That a session holds a filter.
struct holder_row {
  std::uint64_t start = 0; ///< messages behind this one
  protocol::subscription_options options;
  std::uint32_t identifier = 0;
};

/// What of a shared group's messages is done with: all up to `up_to` but
/// `open`, and behind it those of `done`. Both ascend.
struct group_row {
  std::uint64_t up_to = 0;
  std::vector<std::uint64_t> open;
  std::vector<std::uint64_t> done;
  bool declared = false; ///< held in the name of nobody, too
};

/// Messages of one filter, in the order of their sequences.
struct page_row {
  struct entry {
    std::uint64_t sequence = 0;
    message_ptr message; ///< null: in `message_row`
  };
  std::vector<entry> entries;
};

/// Topics, payloads and properties of the messages that a page has itself.
inline std::size_t bytes_of(const page_row& x) {
  std::size_t bytes = 0;
  for (const auto& y : x.entries)
    if (y.message)
      bytes += y.message->topic().size() + y.message->payload().size()
               + y.message->properties().size();
  return bytes;
}

/// A message that matched several filters.
struct message_row {
  message_ptr message;
  std::vector<std::uint32_t> filters;
};

/// What a timer of a shard is for, in the order in which those of one time are
/// due.
enum class timer_kind : std::uint8_t {
  delayed,  ///< a `$delayed` message: its number, big-endian
  will,     ///< of a Client Identifier
  session,  ///< expiry, of a Client Identifier
  retained, ///< expiry, of a topic's `retained_key`
};
struct timer_key {
  time_point due;
  timer_kind kind = timer_kind::delayed;
  std::string of;
  // NOLINTNEXTLINE(modernize-use-nullptr): the 0 that the compiler compares to
  friend auto operator<=>(const timer_key&, const timer_key&) = default;
};

struct retained_row {
  message_ptr message;
  std::uint64_t sequence = 0;
};

} // namespace troupe::cluster
