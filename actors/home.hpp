#pragma once
// Everything of the node that lives on one reactor.

#include "actors/access_control.hpp"
#include "actors/activity.hpp"
#include "actors/admission.hpp"
#include "actors/alarm_board.hpp"
#include "actors/batch.hpp"
#include "actors/inquiries.hpp"
#include "actors/metrics.hpp"
#include "actors/opening_queue.hpp"
#include "actors/options.hpp"
#include "actors/output.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/subscription_index.hpp"
#include "actors/trace_event.hpp"
#include "actors/tracer.hpp"
#include "cluster/time_base.hpp"
#include "net/reactor.hpp"
#include "protocol/read_block.hpp"

#include <caf/execution_unit.hpp>

#include <deque>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace troupe::actors {

class connection;
class dispatcher;
class home;
class session;
class topic_shard;

/// Where logs go; the node does not know how they are written.
enum class log_level : std::uint8_t { debug, info, warning, error };
struct log_line {
  log_level level = log_level::info;
  std::string_view cause = {};    ///< a fixed text: the rate limit is per cause
  std::string_view text = {};     ///< what happened, in words
  std::string_view client = {};   ///< client identifier, may be empty
  std::string_view peer = {};     ///< address, may be empty
  std::string_view user = {};     ///< user name, may be empty
  std::string_view listener = {}; ///< `tcp:default`, may be empty
  std::string_view topic = {};    ///< name or filter, may be empty
  bool always = false;            ///< whatever rate limit and level are
};
using log_sink = std::function<void(const log_line&)>;

/// What all homes of a node share; made first, destroyed last.
struct shared_state {
  shared_state(caf::actor_system& actors, const node_options& settings,
               log_sink sink);

  caf::actor_system& system;
  node_options options;
  log_sink log;
  std::vector<std::unique_ptr<home>> homes;
  reclaimer graveyard;
  subscription_index index;
  std::vector<caf::actor> shards; ///< by shard number
  /// The same actors; for their reactors, until these end.
  std::vector<topic_shard*> shard_actors;

  /// Credit in use: items that reactor `from` has under way to `to`.
  struct alignas(64) credit_cell {
    std::atomic<std::uint32_t> used{0};
    std::atomic<bool> wanted{false}; ///< `from` waits for it
  };
  credit_cell& credit(std::size_t from, std::size_t to) {
    return credits[from * options.actors.reactors + to];
  }
  std::vector<credit_cell> credits;
  /// Commands that reactor `from` has under way to shards.
  std::vector<credit_cell> shard_credits;

  /// Retained messages by shard, so that nobody asks those without any. Raised
  /// before a message is routed; a subscriber reads it after it joined the
  /// index, so either of the two sees the other.
  std::vector<std::atomic<std::int64_t>> retained_in_shard;

  /// How times are stored; set before the reactors run. Null: they are not.
  const cluster::time_base* times = nullptr;
  /// The way a message that comes now will be read of the disk, so that all
  /// who have it agree when it expires.
  cluster::time_point as_stored(cluster::time_point x) const noexcept {
    return times == nullptr ? x : times->rounded(x);
  }

  actors::admission admission;
  actors::tracer tracer;
  alarm_board alarms;

  std::atomic<std::size_t> connections{0};
  std::atomic<bool> stopping{false};
  /// Operators' questions are given up: the node is about to end.
  std::atomic<bool> no_more_questions{false};
  /// Nothing is taken that would need the disk.
  std::atomic<bool> disk_full{false};
  /// The process has more memory than it should: nobody new is taken.
  std::atomic<bool> memory_high{false};

  /// `$exclusive/` filters and the hash of who holds them.
  bool hold_exclusive(std::string_view filter, std::uint64_t client);
  void release_exclusive(std::string_view filter, std::uint64_t client);

private:
  std::mutex exclusive_mutex_;
  std::unordered_map<std::string, std::uint64_t> exclusive_;
};

/// A reactor as an execution unit of CAF: actors that became ready run between
/// two polls. Holds the clients that live here, routes what they publish and
/// collects what goes to other reactors and to shards until the turn ends.
///
/// Unless said otherwise, methods are for its thread.
class home final : public net::reactor, public caf::execution_unit {
public:
  home(shared_state& shared, const net::reactor_options& options);
  ~home() override;

  shared_state& shared() noexcept { return shared_; }
  /// As it is now: a reload changes it on each home in turn.
  const mqtt_options& mqtt() const noexcept { return mqtt_; }
  void set_mqtt(const mqtt_options& to);
  const access_control& access() const noexcept { return *access_; }
  const auth::decision_cache::options& access_cache() const noexcept {
    return access_cache_;
  }
  const auth::ban_list& bans() const noexcept { return *bans_; }
  /// From now on, and for whoever is connected.
  void set_access(std::shared_ptr<const access_control> to);
  void set_bans(std::shared_ptr<const auth::ban_list> to);
  /// What `of` is here; made if it was not known.
  listener_scope& scope(const listener_options& of);
  /// Null if no listener of that name was ever opened here.
  listener_scope* find_scope(std::string_view id) noexcept;
  const actor_options& dials() const noexcept { return shared_.options.actors; }
  /// Whether what shards keep is kept on disk.
  bool keeps_on_disk() const noexcept {
    return shared_.options.storage.has_value();
  }
  /// What to do about all that waits; looked at every millisecond.
  const overload_rules::verdict& overload() const noexcept {
    return overload_.last();
  }
  const overload_options& overload_limits() const noexcept {
    return overload_.options();
  }
  /// Whether anything but the plain way of a message is wanted: to trace, to
  /// note who is slow, or to drop QoS 0. The next three say what.
  bool watchful() const noexcept { return watchful_; }
  bool sheds_qos0() const noexcept { return sheds_qos0_; }
  bool slows_publishers() const noexcept { return slows_publishers_; }
  slow_subscriptions& slow_subs() noexcept { return slow_subs_; }
  bool notes_slow() const noexcept { return notes_slow_; }
  void set_observation(const observation_options& to);
  metrics& numbers() noexcept { return numbers_; }
  const metrics& numbers() const noexcept { return numbers_; }
  std::minstd_rand& random() noexcept { return random_; }
  /// Where sockets are read into.
  protocol::read_blocks& reads() noexcept { return reads_; }
  output_pool& outputs() noexcept { return outputs_; }

  // ---- actors --------------------------------------------------------------

  /// Thread-safe. The caller has taken a reference for us.
  void exec_later(caf::resumable* job) override;
  void report_crash(pinned_actor& who, std::string_view what);
  void log(const log_line& line) const { shared_.log(line); }

  // ---- clients -------------------------------------------------------------

  /// A place for a new connection; its handle is kept until `leave`.
  client_ref enter(connection& who, caf::actor handle);
  void set_session(client_ref who, session* its, caf::actor handle);
  void leave(client_ref who);
  connection* connection_of(client_ref who) noexcept;
  session* session_of(client_ref who) noexcept;
  template <class F>
  void for_each_connection(F&& f) {
    for (std::size_t i = 0; i < clients_.size(); ++i)
      if (auto* x = clients_[i].connected)
        f(*x);
  }

  /// Calls `f(connection&)` for those of `count` places from `first` on.
  /// @returns false: there are none behind them.
  template <class F>
  bool for_each_connection(std::size_t first, std::size_t count, F&& f) {
    const auto end = std::min(clients_.size(), first + count);
    for (std::size_t i = first; i < end; ++i)
      if (auto* x = clients_[i].connected)
        f(*x);
    return end < clients_.size();
  }

  // ---- operators -----------------------------------------------------------

  /// Those that wait for an answer of a shard.
  inquiries& questions() noexcept { return questions_; }
  /// Null while nobody looks.
  activity* watched() noexcept { return activity_.get(); }
  /// Somebody looks now.
  activity& watch_activity();

  // ---- the way of a message ------------------------------------------------

  /// What `topic` matches. Valid until the next call.
  const match_result& match(std::string_view topic);

  /// To all live subscribers of the node, and one member of each group.
  /// @param publisher  whose group cursors to use; may be null.
  /// @returns whether anybody was to have it.
  bool route(message_ptr message, shard_position position,
             const match_result& to, session* publisher);

  /// To one member of `group` other than `except`.
  /// @returns false if there is none.
  bool route_to_group(const message_ptr& message, shard_position position,
                      shared_group& group, session* publisher,
                      client_ref except, std::uint32_t attempts);
  /// A message that a member could not keep goes to another one, to the
  /// group's shard, or is dropped with a reason.
  void redeliver(const message_ptr& message, shard_position position,
                 shared_group& group, client_ref from, std::uint32_t attempts);

  // ---- how long it takes ---------------------------------------------------

  /// A message that came in this turn is with its receivers' reactors when the
  /// batches of the turn are sent.
  void routed_now() noexcept { ++routed_; }
  /// When what came in this turn was received: as it is stored, and for
  /// measuring, see `protocol::message_options`.
  struct received {
    std::chrono::steady_clock::time_point turn;
    std::chrono::steady_clock::time_point at;
    std::uint8_t part = 0;
  };
  const received& received_now() noexcept {
    if (received_.turn != now())
      receive_now();
    return received_;
  }
  /// These are written. The clock is read for several sockets together.
  /// @param end  as of `hop_times::take`.
  void wrote(hop_times& what, std::uint64_t end);
  /// The clock between two turns' readings.
  std::chrono::steady_clock::time_point exact_now() const {
    return shared_.options.world.drive ? now()
                                       : std::chrono::steady_clock::now();
  }

  // ---- traces --------------------------------------------------------------

  /// Whether anything is traced: the one thing that is asked otherwise.
  bool tracing() const noexcept { return tracing_; }
  const trace_set& traces() const noexcept { return *traces_; }
  void set_traces(std::shared_ptr<const trace_set> to);
  /// Which traces follow this message, wherever it is.
  trace_mask traces_of(const protocol::message& what) const;
  trace_event trace_line(std::string_view event) const;
  /// Likewise, with what tells this message from others, in all its lines.
  trace_event trace_line(std::string_view event,
                         const protocol::message& what) const;
  void write_trace(trace_mask to, trace_event&& line) {
    shared_.tracer.write(to, line.take());
  }
  /// What becomes of a message where no client is concerned.
  void trace_message(std::string_view event, const protocol::message& what,
                     shard_position position, std::string_view cause = {});

  /// A message that the node itself publishes: wills, `$SYS`.
  void publish(const message_ptr& message);

  /// Puts one command to the others of this turn.
  void to_shard(std::uint16_t shard, cluster::command&& what);
  std::uint16_t shard_of(std::string_view key) const noexcept {
    return cluster::shard_of(key, dials().shards);
  }
  /// Puts one event to the others of this turn; for clients that live here it
  /// is carried out at once.
  void to_client(client_ref who, client_event&& what);

  /// Sends what has come together for other reactors and shards; at the end
  /// of a turn, and before an acknowledgement that leaves earlier.
  void send_batches();
  /// Carries out a batch of another reactor.
  void carry_out(batch& in);

  /// Asks for `connection::open` when its turn has come: handshakes leave time
  /// to who is connected.
  opening_queue& openings() noexcept { return openings_; }
  /// Asks for `connection::read_on` soon, though its socket tells nothing.
  void read_later(client_ref who) { to_read_.push_back(who); }

  /// Asks for `session::checkpoint` within a second.
  void checkpoint_later(client_ref who) { to_checkpoint_.push_back(who); }

  /// Asks for `connection::release_buffers` until it is quiet.
  void release_later(client_ref who) { to_release_.push_back(who); }

  // ---- subscriptions and their order ---------------------------------------

  /// The shards a filter's messages can be in.
  template <class F>
  void for_each_shard_of(std::string_view filter, F&& f) const {
    cluster::for_each_shard_of(filter, dials().shards, std::forward<F>(f));
  }

  /// For tests: one turn at a time of their own, without a thread.
  using net::reactor::turn;

private:
  void run_ready() override;
  bool has_ready() override;
  bool may_read() override;
  void before_flush() override;
  void begin_of_turn() override;
  void end_of_turn() override;
  void on_start() override;
  void turn_took(std::chrono::steady_clock::duration length) override;
  void note_routed();
  void note_written(std::chrono::steady_clock::time_point at);
  void look_at_load();
  void receive_now() noexcept;
  void note_watchful() noexcept {
    watchful_ = tracing_ || notes_slow_ || sheds_qos0_;
  }

  /// @param last  as of `session::deliver`.
  void deliver_here(const message_ptr& message, message_ptr* last,
                    shard_position position,
                    std::span<filter_node* const> nodes);
  void handle(client_ref who, client_event& what);
  batch& outbox(std::size_t to);
  void wake_others();
  bool deliver_to_member(to_member& what);
  std::size_t pick(const shared_group& group, const group_members& members,
                   const message_ptr& message, session* publisher);
  void sweep();
  void run_openings();
  /// Looks at all clients: at bans, and at rules as well.
  void check_all_again(bool rules);
  void check_some();

  struct place {
    connection* connected = nullptr;
    session* its = nullptr;
    caf::actor connection_handle;
    caf::actor session_handle;
    std::uint16_t generation = 1;
    std::uint32_t next_free = 0;
  };
  struct cached_match {
    std::uint64_t hash = 0;
    std::uint64_t version = 0;
    std::string topic;
    match_result result;
  };
  struct sweep_timer final : net::timing_wheel::timer {
    explicit sweep_timer(home& in) : of(in) {}
    void on_timer() override { of.sweep(); }
    home& of;
  };

  // What the ways of messages look at first, side by side.
  shared_state& shared_;
  bool watchful_ = false; ///< any of the next three
  bool tracing_ = false;
  bool notes_slow_ = false;
  bool sheds_qos0_ = false;
  bool slows_publishers_ = false;
  std::uint64_t routed_ = 0; ///< in this turn
  received received_{};
  mqtt_options mqtt_;
  std::shared_ptr<const access_control> access_;
  auth::decision_cache::options access_cache_;
  std::shared_ptr<const auth::ban_list> bans_;
  struct {
    struct round {
      std::size_t from = 0;    ///< it ends when it is there again
      bool came_round = false; ///< to the first client
      bool active = false;
    };
    std::size_t at = 0; ///< client that is next
    round bans, rules;  ///< `rules` is never ahead of `bans`
    bool goes_on = false;
  } checks_;
  std::vector<std::unique_ptr<listener_scope>> scopes_;
  opening_queue openings_;
  std::vector<client_ref> to_read_;
  std::vector<client_ref> reading_;
  metrics numbers_;
  struct written {
    std::chrono::steady_clock::time_point received;
    std::chrono::steady_clock::time_point taken;
    std::uint64_t count;
  };
  /// Messages of earlier turns, whose batches are not sent yet.
  std::vector<written> routed_before_;
  std::vector<written> written_; ///< since the clock was read
  std::size_t writes_ = 0;       ///< likewise
  overload_rules overload_;
  std::chrono::steady_clock::time_point look_at_load_;
  slow_subscriptions slow_subs_;
  std::shared_ptr<const trace_set> traces_;
  std::minstd_rand random_;
  protocol::read_blocks reads_;
  output_pool outputs_;
  std::deque<caf::resumable*> ready_;
  std::mutex remote_mutex_;
  std::vector<caf::resumable*> remote_; ///< guarded by remote_mutex_
  std::vector<caf::resumable*> taken_;
  std::atomic<bool> has_remote_{false};
  /// Homes that got work from here in this turn and may be asleep.
  std::vector<home*> to_wake_;
  std::vector<home*> waking_;
  /// Items sent to others in this turn. Up to `help_at_most` it is cheaper to
  /// take the turn of who sleeps than to wake it.
  std::size_t sent_in_turn_ = 0;
  static constexpr std::size_t help_at_most = 256;
  home* helper_ = nullptr; ///< whose thread takes this turn, if not its own
  std::uint64_t turn_began_ = 0;
  bool stalled_ = false;

  std::vector<place> clients_;
  std::uint32_t first_free_ = no_place;
  static constexpr std::uint32_t no_place = 0xFFFF'FFFF;

  std::vector<cached_match> cache_;
  const cached_match* last_match_ = nullptr;
  match_result uncached_;
  std::vector<batch_ptr> outboxes_;               ///< by reactor
  std::vector<command_batch_ptr> shard_outboxes_; ///< by shard
  std::vector<std::uint16_t> shards_to_send_;
  std::vector<caf::actor> dispatchers_; ///< of all homes, by reactor
  std::vector<client_ref> to_checkpoint_;
  std::vector<client_ref> to_release_;
  sweep_timer sweep_timer_;
  inquiries questions_;
  std::unique_ptr<activity> activity_; ///< null: nobody looks

  struct overlap {
    session* who;
    packed_options options;
    std::uint32_t identifier;
    std::vector<std::uint32_t> more;
  };
  std::vector<overlap> overlaps_; ///< scratch of `deliver_here`

  friend struct node_builder;

public:
  /// The mailbox for batches of other reactors.
  caf::actor dispatcher_handle;
  /// Called once all homes have dispatchers.
  void connect_homes();
  void start_sweeping();
};

} // namespace troupe::actors
