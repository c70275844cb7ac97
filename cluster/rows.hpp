#pragma once
// The applied state of a shard as rows, the way the state database has it.

#include "cluster/command.hpp"

#include <boost/container/small_vector.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe::cluster {

/// Column families of the state database, in the order of `row_family_names`.
enum class row_family : std::uint8_t {
  applied,  ///< `applied_row`, one for each shard
  session,  ///< `session_row` by Client Identifier
  filter,   ///< `filter_name` by number
  holder,   ///< `holder_row` by filter number and Client Identifier
  message,  ///< `message_row` by sequence
  retained, ///< `retained_row` by topic, level by level
  delayed,  ///< `message_row` without filters, by due time and number
  outbox,   ///< `forward_command` by target shard and sequence
  inbound,  ///< incarnation by Client Identifier and Packet Identifier
};
inline constexpr std::array<const char*, 9> row_family_names{
  "applied",  "session", "filter", "holder", "message",
  "retained", "delayed", "outbox", "inbound"};

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
};

struct holder_row {
  std::uint64_t cursor = 0; ///< done up to here
  protocol::subscription_options options;
  std::uint32_t identifier = 0;
};

struct message_row {
  message_ptr message;
  /// That still list it; mostly one.
  boost::container::small_vector<std::uint32_t, 2> filters;
};

struct retained_row {
  message_ptr message;
  std::uint64_t sequence = 0;
};

} // namespace troupe::cluster
