#pragma once
// The applied state of one shard.

#include "cluster/effects.hpp"
#include "cluster/filter_set.hpp"
#include "cluster/retained_table.hpp"
#include "cluster/rows.hpp"

#include <boost/container/devector.hpp>

#include <map>
#include <memory_resource>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace troupe::cluster {

struct shard_options {
  std::uint16_t shard = 0;
  std::size_t shards = 16;
  bool retain = true;
  std::size_t retained_max = 0;     ///< messages, 0: no limit
  std::size_t delayed_max = 0;      ///< messages, 0: no limit
  std::size_t stored_bytes_max = 0; ///< of stored messages, 0: no limit
  bool tracks_changes = false;      ///< for `take_changes`
};

/// Writes rows of the applied state down; see `shard_state_machine::changes`.
class row_writer {
public:
  virtual void applied(const applied_row& x) = 0;
  /// A null row is gone.
  virtual void session(const std::string& client_id, const session_row* x) = 0;
  virtual void filter(std::uint32_t id, const filter_name* x) = 0;
  virtual void holder(std::uint32_t filter, const std::string& client_id,
                      const holder_row* x) = 0;
  virtual void message(std::uint64_t sequence, const message_row* x) = 0;
  virtual void retained(const std::string& key, const retained_row* x) = 0;
  virtual void delayed(time_point due, std::uint64_t id,
                       const message_row* x) = 0;
  virtual void outbox(std::uint16_t to, std::uint64_t sequence,
                      const forward_command* x) = 0;
  virtual void inbound(const std::string& client_id, std::uint16_t identifier,
                       const std::uint64_t* incarnation) = 0;

protected:
  ~row_writer() = default;
};

/// As topic shard it keeps retained, delayed and stored messages of the topics
/// that hash to it; as session shard the sessions whose Client Identifiers do.
/// Deterministic: commands and their time in, effects out; whoever applies the
/// logged commands alone has the same state. No clock, I/O or actor; not
/// thread-safe.
class shard_state_machine {
public:
  shard_state_machine(const shard_options& options, shard_effects& effects);

  /// Applies one command at the shard's time `now`.
  void apply(command& x, time_point now);

  /// When the next timer is due; nullopt if none is set.
  std::optional<time_point> next_due() const;

  /// Whether there is a session that its owner alone does not know of: a claim
  /// or release of it needs the log.
  bool keeps_session(std::string_view client_id) const;

  // ---- the state as rows ---------------------------------------------------

  /// Gives what changed since the last call to `to`, and forgets it.
  /// @param index  of the log entry applied last.
  void take_changes(std::uint64_t index, row_writer& to);
  std::size_t change_count() const noexcept;

  /// Puts one row back, before anything is applied: filters before holders,
  /// both before messages.
  void load(const applied_row& x);
  void load_session(const std::string& client_id, session_row&& x);
  void load_filter(std::uint32_t id, filter_name&& x);
  void load_holder(std::uint32_t filter, const std::string& client_id,
                   const holder_row& x);
  void load_message(std::uint64_t sequence, message_row&& x);
  void load_retained(retained_row&& x);
  void load_delayed(time_point due, std::uint64_t id, message_row&& x);
  void load_outbox(std::uint16_t to, forward_command&& x);
  void load_inbound(const std::string& client_id, std::uint16_t identifier,
                    std::uint64_t incarnation);
  /// Calls `f(to, forward_command)` for what other shards may not have yet.
  template <class F>
  void for_each_forward(F&& f) const {
    for (const auto& [key, x] : outbox_)
      f(key.first, x);
  }
  time_point last_time() const noexcept { return at_.now; }
  /// As `applied_row::index` was loaded or taken last.
  std::uint64_t applied_index() const noexcept { return at_.index; }

  std::size_t retained_count() const noexcept { return retained_.size(); }
  std::size_t delayed_count() const noexcept { return delayed_.size(); }
  std::size_t stored_count() const noexcept { return messages_.size(); }
  std::size_t stored_bytes() const noexcept { return stored_bytes_; }
  std::size_t session_count() const noexcept { return sessions_.size(); }
  std::size_t offline_count() const noexcept { return offline_count_; }
  /// Whether a durable group's messages are stored or handed out here.
  bool keeps_for_group(std::string_view share_name,
                       std::string_view filter) const;
  const retained_table& retained() const noexcept { return retained_; }

private:
  struct filter_row {
    filter_name name;
    std::unordered_map<std::string, holder_row> holders; ///< by Client Id
    std::map<std::uint64_t, std::size_t> cursors; ///< how many stand where
    /// Stored messages that match; takes no memory while there are none.
    boost::container::devector<std::uint64_t> sequences;
    // Of the leader, for a group:
    std::unordered_set<std::uint64_t> leased; ///< with a live member
    bool waits = false;                       ///< for `group_retries_`
    bool shared() const noexcept { return !name.share_name.empty(); }
  };

  void on(publish_command& x, time_point now);
  void on(claim_command& x, time_point now);
  void on(release_command& x, time_point now);
  void on(subscribe_command& x, time_point now);
  void on(checkpoint_command& x, time_point now);
  void on(inbound_command& x, time_point now);
  void on(inbound_end_command& x, time_point now);
  void on(inbound_forget_command& x, time_point now);
  void on(outbound_command& x, time_point now);
  void on(hold_command& x, time_point now);
  void on(advance_command& x, time_point now);
  void on(group_online_command& x, time_point now);
  void on(group_done_command& x, time_point now);
  void on(group_return_command& x, time_point now);
  void on(remove_retained_command& x, time_point now);
  void on(time_command& x, time_point now);
  void on(restart_command& x, time_point now);
  void on(forward_command& x, time_point now);
  void on(forwarded_command& x, time_point now);
  void on(fetch_read& x, time_point now);
  void on(retained_read& x, time_point now);

  /// Carries `change` out and tells by how much the number of retained
  /// messages changed.
  template <class F>
  void count_retained(F&& change) {
    const auto before = retained_.size();
    change();
    if (const auto after = retained_.size(); after != before)
      effects_.retained_changed(static_cast<int>(after)
                                - static_cast<int>(before));
  }
  bool publish_now(const message_ptr& message, time_point now);
  bool publish_unlogged(const message_ptr& message);
  void store(std::uint32_t id, filter_row& row, std::uint64_t sequence,
             const message_ptr& message);
  void drop_reference(std::uint32_t filter, std::uint64_t sequence);
  void trim(std::uint32_t id, filter_row& row);
  void make_room();
  static std::string row_key(std::string_view share_name,
                             std::string_view filter);
  filter_row* find_row(std::string_view share_name, std::string_view filter,
                       std::uint32_t* id = nullptr);
  void remove_holder(const std::string& client_id, std::uint32_t id);
  void set_cursor(filter_row& row, holder_row& of, std::uint64_t sequence);
  void advance(const std::string& client_id, std::uint64_t sequence);

  void end_session(const std::string& client_id, time_point now);
  /// The row if the owner of `epoch` has it still; it counts as changed.
  session_row* owned_row(const std::string& client_id, std::uint64_t epoch);
  void move_cursors(const std::string& client_id, session_record& of,
                    const std::vector<cursor>& to);
  /// Notes a QoS 2 publication. @returns whether it was noted already.
  bool seen_before(const inbound_identity& x);
  void forget_inbound(const inbound_identity& x);
  void forward_holds(const std::string& client_id,
                     const subscription_record& what, bool holds,
                     client_ref who, std::uint32_t token);
  void publish_will(const std::string& client_id, session_row& row,
                    time_point now);
  /// Moves one deadline of a session: `of` is its `expires` or `will_due`.
  void arm(const std::string& client_id, session_row& row,
           time_point session_row::*of, time_point due);
  void leave(const std::string& client_id, session_row& row, time_point now);
  void hand_out(filter_row& row);
  bool has_live_member(const filter_row& row) {
    return effects_.has_live_member(row.name.share_name, row.name.filter);
  }
  void lease(filter_row& row, std::uint64_t sequence,
             const message_ptr& message);
  void forward(std::uint16_t to, command&& what);

  shard_options options_;
  shard_effects& effects_;

  applied_row at_;
  retained_table retained_;
  filter_set filters_;
  std::unordered_map<std::uint32_t, filter_row> rows_;
  std::unordered_map<std::string, std::uint32_t> row_ids_; ///< by row key
  std::unordered_map<std::string, std::vector<std::uint32_t>> held_by_;
  /// Messages come and go by the hundred thousand: their nodes are recycled.
  std::pmr::unsynchronized_pool_resource nodes_;
  std::pmr::map<std::uint64_t, message_row> messages_{&nodes_};
  std::size_t stored_bytes_ = 0;
  std::vector<std::uint32_t> matched_; ///< scratch

  std::unordered_map<std::string, session_row> sessions_;
  std::size_t offline_count_ = 0;
  /// When a Will is due (false) or a session expires (true): exactly what the
  /// rows of the sessions say, so that whoever has the rows has the order.
  std::set<std::tuple<time_point, std::string, bool>> deadlines_;
  std::map<std::pair<time_point, std::uint64_t>, message_row> delayed_;
  std::multimap<time_point, std::uint32_t> group_retries_; ///< of the leader
  std::map<std::pair<std::uint16_t, std::uint64_t>, forward_command> outbox_;

  /// Unfinished QoS 2 publications: incarnations.
  std::map<std::pair<std::string, std::uint16_t>, std::uint64_t> inbound_;

  /// Keys of the rows that changed since `take_changes`; of messages and the
  /// outbox only those that are there already.
  struct changes {
    std::unordered_set<std::string> sessions;
    std::unordered_set<std::uint32_t> filters;
    std::set<std::pair<std::uint32_t, std::string>> holders;
    std::unordered_set<std::uint64_t> messages;
    std::unordered_set<std::string> retained; ///< topics
    std::set<std::pair<time_point, std::uint64_t>> delayed;
    std::set<std::pair<std::uint16_t, std::uint64_t>> outbox;
    std::set<std::pair<std::string, std::uint16_t>> inbound;
  };
  changes changed_;
  /// As of `take_changes`: messages and forwards behind it have no rows yet, so
  /// what is done with before the next call never gets one.
  applied_row written_;
  void mark_message(std::uint64_t sequence) {
    if (sequence <= written_.sequence)
      mark(changed_.messages, sequence);
  }
  template <class Set, class... Key>
  void mark(Set& set, Key&&... key) {
    if (options_.tracks_changes)
      set.emplace(std::forward<Key>(key)...);
  }
};

} // namespace troupe::cluster
