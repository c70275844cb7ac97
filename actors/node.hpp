#pragma once
// A whole node, without command line, configuration files or HTTP.

#include "actors/connection.hpp"
#include "actors/home.hpp"
#include "actors/session.hpp"
#include "net/tcp.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace troupe::actors {

class node_storage;

/// Owns the actor system and the reactors. `start` and `stop` are for one
/// thread that is not a reactor; the questions below may come from any such.
class node {
public:
  struct listening {
    std::string id;      ///< `tcp:default`
    std::string address; ///< of a Unix socket: its path
  };

  /// @throws storage::storage_error  the databases cannot be opened
  node(node_options options, log_sink log);
  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  /// Reads what is stored and starts reactors, shards and listeners.
  /// @throws std::runtime_error naming the listener that cannot be opened.
  /// @throws storage::storage_error, cluster::record_error
  void start();
  /// Ends listeners, then clients (MQTT 5.0: DISCONNECT 0x8B), then shards,
  /// reactors and the actor system.
  void stop();

  std::vector<listening> listeners() const;
  struct known_listener {
    listener_options of;
    std::string address; ///< empty: stopped
    std::size_t connections = 0;
  };
  /// Stopped ones, too. For the thread that starts and stops them.
  std::vector<known_listener> known_listeners() const;
  /// The databases; null without.
  node_storage* storage() noexcept { return storage_.get(); }
  const node_options& options() const noexcept { return shared_->options; }
  std::chrono::seconds uptime() const;
  /// Lets each reactor call `f` with its index in one of its next turns; does
  /// not wait for them. Between `start` and `stop`.
  void on_each_reactor(const std::function<void(std::size_t)>& f);

  // ---- changes -------------------------------------------------------------

  /// What can change while it runs.
  struct settings {
    mqtt_options mqtt;
    std::vector<listener_options> listeners;
    std::chrono::milliseconds sys_message_interval{60'000};
    std::chrono::milliseconds sys_heartbeat_interval{30'000};
    admission_options admission;
  };
  /// Takes effect for living connections, too. Listeners come and go; those
  /// whose address changes are opened there first. Connections of a listener
  /// that goes are ended.
  /// @throws std::runtime_error naming the listener that cannot be opened:
  ///         nothing was changed then.
  void change(const settings& to);
  void set_observation(const observation_options& to);
  /// The process has more memory than it should, or no longer.
  void set_memory_high(bool high) noexcept {
    shared_->memory_high.store(high, std::memory_order_relaxed);
  }
  void set_access(std::shared_ptr<const access_control> to);
  /// Bans, and what counts wrong logins. Thread-safe.
  actors::admission& admission() noexcept { return shared_->admission; }
  /// @param told  after each change, on any thread; must not wait.
  void on_bans_changed(std::function<void()> told);
  /// Stops or starts one that is known. @returns false if there is none.
  /// @throws std::runtime_error as above
  bool stop_listener(std::string_view id);
  bool start_listener(std::string_view id);

  // ---- questions -----------------------------------------------------------

  struct numbers {
    std::vector<std::uint64_t> counters; ///< as `counter_descriptions`
    std::int64_t connections = 0;
    std::int64_t sessions = 0; ///< live and offline
    std::int64_t offline_sessions = 0;
    std::int64_t subscriptions = 0;
    std::int64_t filters = 0;
    std::int64_t retained = 0;
    std::int64_t delayed = 0;
    std::int64_t stored = 0;
    std::int64_t in_flight = 0;
    std::int64_t queued = 0;
    struct of_reactor {
      std::uint64_t turns = 0;
      std::uint64_t turn_nanoseconds = 0;
      std::uint64_t longest_turn_nanoseconds = 0;
      std::uint64_t socket_events = 0;
      std::uint64_t wake_ups = 0;
      std::uint64_t mails = 0;
      std::uint64_t batches = 0;
      std::uint64_t batch_items = 0;
      std::uint64_t credit_stalls = 0;
      std::int64_t connections = 0;
      std::uint32_t credit_used = 0;
      std::uint64_t helped = 0;
      struct of_kind {
        std::uint64_t runs = 0;
        std::uint64_t mails = 0;
        std::uint64_t deepest = 0;
        std::uint64_t nanoseconds = 0;
      };
      std::array<of_kind, actor_kind_names.size()> kinds{};
    };
    std::vector<of_reactor> reactors;
    struct of_storage { ///< zeros without storage
      std::uint64_t log_groups = 0;
      std::uint64_t log_entries = 0;
      std::uint64_t log_bytes = 0;
      std::uint64_t log_write_nanoseconds = 0;
      std::uint64_t log_longest_write_nanoseconds = 0;
      std::uint64_t log_largest_group = 0;
      std::uint64_t log_disk_bytes = 0;
      std::uint64_t state_writes = 0;
      std::uint64_t state_rows = 0;
      std::uint64_t state_bytes = 0;
      std::uint64_t state_syncs = 0;
      std::uint64_t state_sync_nanoseconds = 0;
      std::uint64_t state_queued = 0;
      std::uint64_t state_disk_bytes = 0;
      std::uint64_t free_bytes = 0;
      std::uint64_t space = 0; ///< 0 enough, 1 low, 2 full
      std::uint64_t clock_jump_ms = 0;
      std::uint64_t backlog_bytes = 0;
      std::uint64_t resident_rows = 0;
      std::uint64_t exact_filter_bytes = 0;
      std::uint64_t cache_bytes = 0; ///< memtables, too
    } storage;
  };
  numbers count_all();

  /// How long each hop takes, of all reactors together; by `hop`.
  std::array<hop_snapshot, hop_names.size()> hops() const;
  /// What waits, as it was counted last.
  struct waiting {
    std::uint64_t uncommitted_bytes = 0;
    std::uint64_t queued_bytes = 0;
    std::uint64_t unsent_bytes = 0;
    std::uint64_t blocked = 0; ///< sockets that take no more
    overload_level level = overload_level::none;
  };
  waiting load() const;
  /// The slowest first.
  std::vector<slow_subscriptions::entry> slow_subscribers();
  /// In force; asks a reactor.
  slow_subs_options slow_subs();
  actors::tracer& tracer() noexcept { return shared_->tracer; }
  alarm_board& alarms() noexcept { return shared_->alarms; }

  /// Who keeps most of the backlog from being cleaned away, the greatest
  /// first, as it was found last.
  struct pin {
    std::uint16_t shard = 0;
    cluster::clean_finds::pin what;
  };
  std::vector<pin> pins();

  /// A durable shared group, of one shard.
  struct group {
    cluster::filter_name name;
    std::uint64_t members = 0; ///< durable sessions, live or not
    bool declared = false;
    std::uint64_t leased = 0; ///< messages that live members have
  };
  /// Summed up over the shards.
  std::vector<group> groups();

  std::optional<connection::info> client(std::string_view client_id);

  /// Publishes as the node itself, e.g. `$SYS`; from any thread.
  void publish(const protocol::message_options& what);

  shared_state& shared() noexcept { return *shared_; }

private:
  /// Runs `f(home&)` on each reactor's thread and waits for all.
  void on_all(const std::function<void(home&)>& f) const;
  /// A listener with its actors, one for each reactor that has it.
  struct open_listener {
    listener_options of;
    net::endpoint address;
    std::vector<caf::actor> actors;
  };
  void open(const listener_options& of);
  static void close(open_listener& which);
  void end_connections_of(const std::string& id);
  open_listener* find_open(std::string_view id);
  /// Whether it has threads of its own (`environment::drive`).
  bool threaded() const { return !shared_->options.world.drive; }
  /// Waits for shards that have something to commit, ten seconds at most.
  /// @returns whether none has.
  bool settle_shards();
  void on_all_shards(const std::function<void(topic_shard&)>& f) const;
  /// Ends the actors that are left, on the caller's thread: no reactor runs.
  void end_without_threads();

  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::unique_ptr<shared_state> shared_;
  std::unique_ptr<node_storage> storage_; ///< null: memory only
  std::vector<open_listener> open_;
  caf::actor supervisor_;
  std::chrono::steady_clock::time_point started_;
  bool running_ = false;
  std::vector<listener_options> known_; ///< open or not
  bool started_once_ = false;
};

} // namespace troupe::actors
