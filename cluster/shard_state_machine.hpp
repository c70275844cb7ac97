#pragma once
// The applied state of one shard.

#include "cluster/approximate_set.hpp"
#include "cluster/effects.hpp"
#include "cluster/filter_set.hpp"
#include "cluster/resident_table.hpp"
#include "cluster/sequence_table.hpp"
#include "cluster/timer_window.hpp"
#include "protocol/hash.hpp"

#include <boost/container/devector.hpp>
#include <boost/container/small_vector.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace troupe::cluster {

struct shard_options {
  std::uint16_t shard = 0;
  std::size_t shards = 16;
  bool retain = true;
  std::size_t retained_max = 0; ///< messages, 0: no limit
  /// Payload of a retained message, in bytes: a larger one is only delivered.
  std::size_t retained_payload_max = ~std::size_t{0};
  std::size_t delayed_max = 0; ///< messages, 0: no limit
  /// Of stored messages, 0: no limit. With a disk, of each filter, in its
  /// pages; without, of the whole shard.
  std::size_t stored_bytes_max = 0;
  std::chrono::seconds stored_age_max{0}; ///< likewise; with a disk only
  /// Whether rows are kept there and read back; else all of them stay here.
  bool has_disk = false;
  /// Stored messages that stay in memory though the disk has them, in bytes.
  std::size_t tail_bytes = std::size_t{1} << 20;
  /// Of the node: topics that somebody may hold a filter of that text for. Null
  /// says the same as one that has all topics.
  approximate_set* exact_filters = nullptr;
};

/// Writes rows of the applied state down; see `shard_state_machine::changes`.
/// A null row is gone.
class row_writer {
public:
  virtual void applied(const applied_row& x) = 0;
  virtual void session(const std::string& client_id, const session_row* x) = 0;
  virtual void owned(const std::string& client_id, bool there) = 0;
  virtual void filter(const filter_name& name, const filter_row* x) = 0;
  virtual void holder(const std::string& client_id, std::uint32_t filter,
                      const holder_row* x) = 0;
  /// Up to where a session is done with what it holds.
  virtual void holder_cursor(const std::string& client_id,
                             const std::uint64_t* sequence) = 0;
  virtual void group(std::uint32_t filter, const group_row* x) = 0;
  virtual void page(std::uint32_t filter, std::uint64_t last,
                    const page_row* x) = 0;
  virtual void message(std::uint64_t sequence, const message_row* x) = 0;
  virtual void retained(const std::string& key, const retained_row* x) = 0;
  /// @param message  of a `$delayed` one, else null.
  virtual void timer(const timer_key& key, bool there,
                     const message_ptr& message) = 0;
  virtual void exclusive(const std::string& client_id,
                         const std::string& filter, bool there) = 0;
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
///
/// With a disk only a part of the state is in memory: what changed and is not
/// there yet, and what was needed lately. `want` tells what else a command
/// needs before it may be applied, `supply` takes it.
class shard_state_machine {
public:
  shard_state_machine(const shard_options& options, shard_effects& effects);
  ~shard_state_machine();

  /// Adds to `to` what is missing for `apply(x, now)`. To be asked again with
  /// what was supplied until nothing is.
  void want(const command& x, time_point now, row_wants& to);
  void supply(row_finds&& found);
  /// Applies one command at the shard's time `now`.
  void apply(command& x, time_point now);
  /// Has publications logged that go unlogged because nobody held a filter of
  /// their topic when they came in, if somebody does by now: what is kept for a
  /// session must not be overtaken by what is not.
  /// @param next  to be proposed, and all before it is applied.
  void log_what_is_held(std::vector<command>& next);
  /// What `shard_effects::read` asked for.
  void answer(disk_finds&& found, time_point now);

  /// When the next timer is due; nullopt if none is set.
  std::optional<time_point> next_due() const;

  /// Whether there is a session that its owner alone does not know of: a claim
  /// or release of it needs the log. Nullopt: its row must be supplied first.
  std::optional<bool> keeps_session(const std::string& client_id);

  // ---- the state as rows ---------------------------------------------------

  /// Gives what changed since the last call to `to`, and forgets it.
  /// @param index  of the log entry applied last.
  void take_changes(std::uint64_t index, row_writer& to);
  std::size_t change_count() const noexcept;
  /// The disk has the rows of `take_changes(index)`, for whoever reads it and
  /// for good. Gives memory back; not while commands wait that `want` was
  /// asked for.
  void stored(std::uint64_t index, time_point now);
  /// Has the disk searched for what nobody needs any more, or what is beyond
  /// the limits; not often.
  void sweep(time_point now);
  /// Who keeps most from being cleaned away, as of the last `sweep`.
  const std::vector<clean_finds::pin>& pins() const noexcept { return pins_; }

  // Puts rows back that are always in memory, before anything is applied:
  // `applied` first, filters before groups.
  void load(const applied_row& x);
  /// @param x  of a `filter_name::by_topic` its name alone is noted.
  void load_filter(filter_name&& name, const filter_row& x);
  void load_group(std::uint32_t filter, group_row&& x);
  void load_exclusive(const std::string& client_id, const std::string& filter);
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

  std::size_t retained_count() const noexcept { return at_.retained; }
  std::size_t delayed_count() const noexcept { return at_.delayed; }
  /// Messages that are kept for somebody, or were and are not cleaned away.
  std::size_t stored_count() const noexcept { return at_.backlog + unwritten_; }
  /// Whether the disk may have something to be cleaned away.
  bool has_backlog() const noexcept {
    return at_.backlog != 0 || at_.shared != 0;
  }
  /// Of those in memory.
  std::size_t stored_bytes() const noexcept { return stored_bytes_; }
  /// Of those on the disk, but for messages that several filters share.
  std::uint64_t backlog_bytes() const noexcept { return at_.backlog_bytes; }
  std::size_t session_count() const noexcept { return at_.sessions; }
  std::size_t offline_count() const noexcept { return at_.offline; }
  /// Rows in memory, of all kinds.
  std::size_t resident_count() const noexcept;
  /// Calls `f(filter_name, durable members, whether it is declared, messages
  /// that live members have)` for each durable group.
  template <class F>
  void for_each_group(F&& f) const {
    for (const auto& [id, row] : by_id_)
      if (row->shared())
        f(row->name, row->row.holders - (row->group->declared ? 1 : 0),
          row->group->declared, row->group->leased.size());
  }
  /// Calls `f(client_id, row)` for the sessions whose rows are in memory; of a
  /// null row there is none, whatever the disk has.
  template <class F>
  void for_each_resident_session(F&& f) const {
    for (const auto& [id, x] : sessions_.rows())
      f(id, x.row ? &*x.row : nullptr);
  }
  /// Likewise of one; nullopt: its row has to be read.
  std::optional<const session_row*>
  resident_session(const std::string& client_id) const {
    if (options_.has_disk && !sessions_.is_here(client_id))
      return std::nullopt;
    return sessions_.peek(client_id);
  }
  /// Whether a durable group's messages are stored or handed out here.
  bool keeps_for_group(std::string_view share_name,
                       std::string_view filter) const;

  /// Limits that can change while it runs; the others of `to` are passed over.
  void change_limits(const shard_options& to) noexcept {
    options_.retain = to.retain;
    options_.retained_max = to.retained_max;
    options_.retained_payload_max = to.retained_payload_max;
    options_.delayed_max = to.delayed_max;
  }

private:
  /// What a durable group's leader has done, and what is finished.
  struct group_state {
    std::uint64_t up_to = 0; ///< as in `group_row`
    std::set<std::uint64_t> open;
    std::set<std::uint64_t> done;
    bool declared = false;
    // Of the leader:
    std::unordered_set<std::uint64_t> leased; ///< with a live member
    std::uint64_t handed = 0; ///< all up to here are leased or finished
    bool drained = false;     ///< nothing is behind `handed`
    bool reading = false;     ///< what is behind it, from the disk
    bool waits = false;       ///< for `group_retries_`
    void finish(std::uint64_t sequence) {
      if (sequence <= up_to)
        open.erase(sequence);
      else
        done.insert(sequence);
    }
    bool finished(std::uint64_t sequence) const {
      return sequence <= up_to ? !open.contains(sequence)
                               : done.contains(sequence);
    }
  };
  struct filter_state {
    filter_name name;
    filter_row row;
    /// Stored messages that match and are in memory; takes none of it while
    /// there are none.
    boost::container::devector<std::uint64_t> sequences;
    /// How many holders' cursors stand where, of those that are counted.
    std::map<std::uint64_t, std::size_t> cursors;
    std::uint64_t counted = 0;
    std::uint32_t serial = 0;           ///< of this object, as in `counted_in`
    std::uint64_t pages_up_to = 0;      ///< no page has a greater sequence
    std::uint64_t cleaned = 0;          ///< no page has a lower one
    std::unique_ptr<group_state> group; ///< of a shared one
    bool shared() const noexcept { return name.shared(); }
  };
  /// A stored message that is in memory.
  struct stored_message {
    message_ptr message;
    /// That still list it; mostly one.
    boost::container::small_vector<std::uint32_t, 2> filters;
  };
  using stored_messages = sequence_table<stored_message>;
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view x) const noexcept {
      return static_cast<std::size_t>(protocol::hash64(x));
    }
  };
  template <class Key, class Entry>
  using by_text = std::unordered_map<Key, Entry, text_hash, std::equal_to<>>;
  template <class Row>
  using hashed_rows = resident_table<Row, by_text>;

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
  void on(group_cursor_command& x, time_point now);
  void on(remove_retained_command& x, time_point now);
  void on(time_command& x, time_point now);
  void on(restart_command& x, time_point now);
  void on(forward_command& x, time_point now);
  void on(forwarded_command& x, time_point now);
  void on(fetch_read& x, time_point now);
  void on(retained_read& x, time_point now);

  // shard_wants.cpp
  void want_session(const std::string& client_id, row_wants& to);
  void want_holders(const std::string& client_id, row_wants& to);
  void want_message(const protocol::message& x, row_wants& to);
  void want_filter(std::string_view topic, row_wants& to);
  void want_retained(std::string_view topic, row_wants& to);
  bool retains(const protocol::message& x) const noexcept {
    return x.retain() && options_.retain
           && x.payload().size() <= options_.retained_payload_max;
  }
  void want_time(time_point now, row_wants& to);
  void want_restart(const restart_command& x, row_wants& to);
  bool may_be_held(std::string_view topic) const {
    return options_.exact_filters == nullptr
           || options_.exact_filters->may_have(topic);
  }
  // shard_state_machine.cpp
  bool publish_now(const message_ptr& message, time_point now);
  bool publish_unlogged(const message_ptr& message);
  /// Filters that match, in `matched_`.
  void match(std::string_view topic);
  /// Whether there is such a filter, or may be one on the disk.
  bool may_match(std::string_view topic);
  void forward(std::uint16_t to, command&& what);
  void time_passed(timer_row&& due, time_point now);
  // shard_retained.cpp
  void retain(const message_ptr& message, std::uint64_t sequence);
  void remove_retained(const std::string& key);
  // shard_backlog.cpp
  void store(filter_state& to, std::uint64_t sequence,
             const message_ptr& message);
  void drop_reference(std::uint32_t filter, std::uint64_t sequence);
  void forget_message(stored_messages::entry& x);
  void trim(filter_state& row);
  void clean(filter_state& row, std::uint64_t up_to);
  void make_room();
  void write_pages(row_writer& to);
  void evict_tail();
  void ask_to_clean(time_point now);
  void answer_clean(clean_finds&& found);
  /// What a session's page is made of.
  class page_maker;
  void answer_backlog(backlog_finds&& found, time_point now);
  void finish_fetch(const fetch_read& x, fetched_page&& page,
                    backlog_finds&& found, std::uint64_t floor, time_point now);
  // shard_holders.cpp
  /// Those by topic have the topic, which has no U+0000, others two parts.
  static std::string row_key(const filter_name& name);
  /// Of one that no topic alone tells.
  static std::string row_key(std::string_view share_name,
                             std::string_view filter);
  filter_state* find_group(std::string_view share_name,
                           std::string_view filter);
  filter_state& make_filter(const filter_name& name);
  void remember(filter_state& x);
  void remove_filter(filter_state& row);
  void remove_holder(const std::string& client_id, filter_state& row);
  holder_rows::one* find_holder(holder_rows& in, std::uint32_t filter);
  /// The holder is done with messages up to `after`, not `before` alone.
  void count_cursor(filter_state& row, holder_rows::one& of,
                    std::uint64_t before, std::uint64_t after);
  void uncount_cursor(const holder_rows& of, const holder_rows::one& one);
  // shard_sessions.cpp
  void end_session(const std::string& client_id, time_point now);
  /// The row if the owner of `epoch` has it still, to be changed.
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
  void keep_exclusive(const std::string& client_id, const std::string& filter,
                      bool kept);
  /// The first owned sessions behind a Client Identifier.
  /// @returns behind which one there may be more.
  std::optional<std::string> owned_behind(const std::string& after,
                                          std::vector<std::string>& into);
  /// For `take_changes`.
  template <class Set, class Key>
  void note(Set& set, const Key& key) {
    if (options_.has_disk)
      set.insert(key);
  }
  // shard_groups.cpp
  void hand_out(filter_state& row, std::size_t most);
  void hand_out_page(filter_state& row, backlog_finds&& found,
                     std::uint64_t floor, std::size_t most);
  bool has_live_member(const filter_state& row) {
    return effects_.has_live_member(row.name.share_name, row.name.filter);
  }
  void lease(filter_state& row, std::uint64_t sequence,
             const message_ptr& message);
  void finish(filter_state& row, std::uint64_t sequence);
  void sum_up(filter_state& row, std::size_t at_least);
  void retry_groups(time_point now);
  /// So many messages of a group are with its members at once.
  static constexpr std::size_t most_leased = 10'000;

  shard_options options_;
  shard_effects& effects_;

  applied_row at_;
  /// As of `take_changes`: messages and forwards behind it have no rows yet, so
  /// what is done with before the next call never gets one.
  applied_row written_;
  /// What is on the disk for good: applied index, and last sequence.
  std::uint64_t stored_ = 0;
  /// `take_changes` that are not `stored` yet: applied index and last sequence.
  std::deque<std::pair<std::uint64_t, std::uint64_t>> taken_;

  hashed_rows<session_row> sessions_;
  resident_table<std::monostate> owned_;
  hashed_rows<filter_state> filters_; ///< by `row_key`
  hashed_rows<holder_rows> holders_;
  resident_table<retained_row> retained_;
  /// By Client Identifier, U+0000 and filter.
  resident_table<std::monostate> exclusive_;
  timer_window timers_;
  std::unordered_map<std::uint32_t, filter_state*> by_id_;
  filter_set definitions_; ///< but those by topic
  std::uint32_t last_serial_ = 0;
  holder_rows nobody_; ///< stands for a session that holds nothing

  /// All stored messages behind `floor_`.
  stored_messages messages_;
  std::uint64_t floor_ = 0;
  std::uint64_t evictable_ = 0;        ///< the disk has pages of all up to here
  std::size_t stored_bytes_ = 0;       ///< of these
  std::size_t unwritten_ = 0;          ///< of these, in no page yet
  std::vector<filter_state*> matched_; ///< scratch
  std::vector<std::uint32_t> matched_ids_; ///< likewise

  std::multimap<time_point, std::uint32_t> group_retries_; ///< of the leader
  std::set<std::uint32_t> changed_groups_;
  std::set<std::uint32_t> removed_groups_;
  std::map<std::pair<std::uint16_t, std::uint64_t>, forward_command> outbox_;
  std::set<std::pair<std::uint16_t, std::uint64_t>> changed_outbox_;
  /// Unfinished QoS 2 publications: incarnations.
  std::map<std::pair<std::string, std::uint16_t>, std::uint64_t> inbound_;
  std::set<std::pair<std::string, std::uint16_t>> changed_inbound_;

  /// Pages for reads of the entry that is applied next.
  std::multimap<retained_wants, retained_finds> retained_pages_;
  /// The sessions that were owned behind some Client Identifier, of the disk.
  std::optional<row_finds> owned_page_;

  // Reads that were asked for and not answered:
  struct fetching {
    fetch_read what;
    std::uint64_t floor;
  };
  struct handing_out {
    std::uint32_t filter;
    std::uint64_t floor;
    std::size_t most;
  };
  std::unordered_map<std::uint64_t, std::variant<fetching, handing_out>>
    reading_;
  std::uint64_t last_token_ = 0;

  // Cleaning: one question at a time.
  std::map<std::uint32_t, std::uint64_t> to_clean_; ///< by filter, up to
  clean_finds cleaned_;                             ///< to be deleted
  std::vector<clean_finds::pin> pins_;
  enum class cleaning : std::uint8_t { idle, asked, answered };
  cleaning cleaning_ = cleaning::idle;
  std::uint64_t cleaned_with_ = 0; ///< applied index; 0: not yet
  bool sweep_ = false;
};

} // namespace troupe::cluster
