#pragma once
// The applied state of one shard.

#include "cluster/effects.hpp"
#include "cluster/filter_set.hpp"
#include "cluster/retained_table.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::cluster {

struct shard_options {
  std::uint16_t shard = 0;
  bool retain = true;
  std::size_t retained_max = 0;     ///< messages, 0: no limit
  std::size_t delayed_max = 0;      ///< messages, 0: no limit
  std::size_t stored_bytes_max = 0; ///< of stored messages, 0: no limit
};

/// As topic shard it keeps retained, delayed and stored messages of the topics
/// that hash to it; as session shard the sessions whose Client Identifiers do.
/// Deterministic: commands and their time in, effects out. No clock, I/O or
/// actor; not thread-safe.
class shard_state_machine {
public:
  shard_state_machine(const shard_options& options, shard_effects& effects);

  /// Applies one command at the shard's time `now`.
  void apply(command& x, time_point now);

  /// When the next timer is due; nullopt if none is set.
  std::optional<time_point> next_due() const;

  std::size_t retained_count() const noexcept { return retained_.size(); }
  std::size_t delayed_count() const noexcept { return delayed_count_; }
  std::size_t stored_count() const noexcept { return messages_.size(); }
  std::size_t stored_bytes() const noexcept { return stored_bytes_; }
  std::size_t session_count() const noexcept { return sessions_.size(); }
  std::size_t offline_count() const noexcept { return offline_count_; }
  /// Whether a durable group's messages are stored or handed out here.
  bool keeps_for_group(std::string_view share_name,
                       std::string_view filter) const;
  const retained_table& retained() const noexcept { return retained_; }

private:
  struct holder {
    std::uint64_t cursor = 0; ///< taken over up to here
    protocol::subscription_options options;
    std::uint32_t identifier = 0;
  };
  struct filter_row {
    std::string share_name; ///< empty: held by sessions
    std::string filter;
    std::unordered_map<std::string, holder> holders; ///< by Client Identifier
    std::map<std::uint64_t, std::size_t> cursors;    ///< how many stand where
    std::deque<std::uint64_t> sequences; ///< stored messages that match
    std::vector<client_ref> online;      ///< a group's live members
    std::uint64_t retry_timer = 0;       ///< 0: none
  };
  struct stored_row {
    message_ptr message;
    std::size_t references = 0; ///< filter rows that list it
  };
  struct session_row {
    client_ref owner; ///< nobody: offline
    std::uint64_t epoch = 0;
    std::uint32_t expiry_interval = 0;
    std::shared_ptr<session_record> record; ///< of an offline session
    std::shared_ptr<will_record> will;
    std::optional<claim_command> waiting; ///< until the owner has released
    std::uint64_t expiry_timer = 0;
    std::uint64_t will_timer = 0;
  };
  struct timer_row {
    enum class kind : std::uint8_t {
      delayed,
      will,
      session_expiry,
      group_retry, ///< `client_id` is the row's key
    };
    kind what;
    std::uint64_t id;
    std::string client_id;
    message_ptr message;
  };

  void on(publish_command& x, time_point now);
  void on(claim_command& x, time_point now);
  void on(release_command& x, time_point now);
  void on(hold_command& x, time_point now);
  void on(advance_command& x, time_point now);
  void on(group_presence_command& x, time_point now);
  void on(group_return_command& x, time_point now);
  void on(remove_retained_command& x, time_point now);
  void on(time_command& x, time_point now);
  void on(fetch_read& x, time_point now);
  void on(retained_read& x, time_point now);

  template <class F>
  void count_retained(F&& change);
  bool publish_now(const message_ptr& message, time_point now);
  void store(filter_row& row, std::uint64_t sequence,
             const message_ptr& message);
  void drop_reference(std::uint64_t sequence);
  void trim(filter_row& row);
  void make_room();
  filter_row* find_row(std::string_view share_name, std::string_view filter);
  void remove_holder(const std::string& client_id, filter_row& row,
                     std::uint32_t id);
  void set_cursor(filter_row& row, holder& of, std::uint64_t sequence);

  void grant(const claim_command& x, session_row& row);
  void end_session(const std::string& client_id, session_row& row);
  void publish_will(session_row& row);
  void hand_out(filter_row& row);
  void retry_group(std::string_view row_key, std::uint64_t timer);
  std::uint64_t set_timer(time_point due, timer_row row);

  shard_options options_;
  shard_effects& effects_;

  std::uint64_t sequence_ = 0; ///< of the last publish applied here
  retained_table retained_;
  filter_set filters_;
  std::unordered_map<std::uint32_t, filter_row> rows_;
  std::unordered_map<std::string, std::uint32_t> row_ids_; ///< by row key
  std::unordered_map<std::string, std::vector<std::uint32_t>> held_by_;
  std::map<std::uint64_t, stored_row> messages_;
  std::size_t stored_bytes_ = 0;
  std::uint32_t next_row_ = 1;
  std::vector<std::uint32_t> matched_; ///< scratch

  std::unordered_map<std::string, session_row> sessions_;
  std::uint64_t last_epoch_ = 0;
  std::size_t offline_count_ = 0;

  std::multimap<time_point, timer_row> timers_;
  std::uint64_t next_timer_ = 1;
  std::size_t delayed_count_ = 0;
};

} // namespace troupe::cluster
