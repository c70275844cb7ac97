#pragma once
// What the node is told when it is made; filled from the configuration.

#include "actors/access_control.hpp"
#include "actors/admission.hpp"
#include "actors/listener_options.hpp"
#include "actors/overload_rules.hpp"
#include "actors/slow_subscriptions.hpp"
#include "cluster/replicated_log.hpp"
#include "cluster/time_base.hpp"
#include "storage/running.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class Env;
}

namespace troupe::storage {
class log_store;
}

namespace troupe::actors {

/// `actors.*`, `node.*`: the dials of the machine.
struct actor_options {
  std::size_t reactors = 1;
  bool pin_reactors = false;
  bool own_file_tables = false;
  std::size_t worker_threads = 1;
  std::size_t shards = 16;
  std::size_t read_buffer = 262'144;
  std::size_t sockets_per_turn = 256;
  std::size_t bytes_per_turn = 262'144;
  /// Deliveries one reactor may have under way to another before it stops
  /// reading; and commands to a shard.
  std::size_t credit = 65'536;
  std::size_t read_budget = 262'144; ///< bytes per connection and turn
  bool flush_each_message = false;
  std::chrono::milliseconds idle_buffer_release{5'000}; ///< 0: never
  std::chrono::milliseconds wheel_tick{100};
  std::chrono::milliseconds log_commit_delay{0};
  std::size_t match_cache = 4'096;
};

/// `storage.*`, `durability.*`: what shards keep, on disk.
struct storage_options {
  std::filesystem::path directory;
  /// Whether "committed" means on the disk, and not only with the operating
  /// system.
  bool sync = true;
  std::size_t cache_bytes = std::size_t{64} << 20;
  /// A shard writes what changed to the state database after this time, or
  /// when so much was logged since.
  std::chrono::milliseconds flush_interval{5'000};
  std::size_t flush_bytes = std::size_t{2} << 20;
  /// Stored messages that stay in memory though the disk has them.
  std::size_t tail_bytes = std::size_t{16} << 20;
  /// How often the disk is searched for what nobody needs, at most.
  std::chrono::milliseconds sweep_interval{60'000};
  /// Free bytes below which there is an alarm, and below which nothing is
  /// taken any more that would need the disk.
  std::uint64_t low_space = std::uint64_t{1} << 30;
  std::uint64_t full_space = std::uint64_t{256} << 20;
  std::uint64_t reserve = std::uint64_t{16} << 20;
  /// Most of what the wall clock is ahead of stored time at the start that
  /// counts; none: all of it.
  std::optional<std::chrono::milliseconds> max_clock_jump =
    std::chrono::hours{24};
  /// Called on a storage thread when a write failed; does not return.
  std::function<void(std::string_view what)> on_failure;
};

/// What the log of a shard is made of. `store` and `times` outlive it.
struct log_parts {
  std::uint16_t shard;
  storage::log_store& store; ///< what it tells, the shard passes on to the log
  const cluster::time_base& times;
  cluster::log_index applied; ///< the state has these entries already
  cluster::replicated_log::committed committed;
  cluster::replicated_log::lost lost;
};

/// What a node has from the world around it. Tests put models in its place.
struct environment {
  std::function<std::chrono::steady_clock::time_point()> now =
    std::chrono::steady_clock::now;
  /// Milliseconds since 1970; read once, when the databases are opened.
  std::function<std::int64_t()> wall_ms = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
  };
  /// Where hashes and choices among equals begin.
  std::function<std::uint32_t()> random = [] { return std::random_device{}(); };
  /// Empty: reactors and databases have threads. Else they have none: whoever
  /// owns the node has reactors take their turns (`home::turn`) and databases
  /// their steps (`node_storage::step`), on its own thread. Where the node
  /// itself waits for that, as it does while it starts and stops, it calls this
  /// for some of both; the answer is whether there was something to do. There
  /// are no listeners and no supervisor then.
  std::function<bool()> drive;
  /// Makes logs that other replicas have a part in; empty: the node's own disk
  /// is all there is. Such a log is not trimmed, and the node does not serve
  /// anybody before it leads all its shards.
  std::function<std::unique_ptr<cluster::replicated_log>(log_parts&&)> make_log;
  rocksdb::Env* disk = nullptr; ///< of the databases; null: the system's
  storage::broken_rules broken{};
  bool reuses_identifiers = false; ///< as `client_session_options`
};

/// What is watched, and what follows from it; may change while it runs.
struct observation_options {
  overload_options overload;
  slow_subs_options slow_subs;
  /// TLS handshakes under way on one reactor; more of them wait. 0: no limit.
  std::size_t max_handshakes = 2'000;
};

struct node_options {
  std::string name = "troupe";
  mqtt_options mqtt;
  actor_options actors;
  std::vector<listener_options> listeners;
  std::chrono::milliseconds sys_message_interval{60'000};   ///< 0: off
  std::chrono::milliseconds sys_heartbeat_interval{30'000}; ///< 0: off
  std::shared_ptr<const access_control> access =
    std::make_shared<access_control>();
  admission_options admission;
  observation_options observation;
  std::filesystem::path trace_directory;  ///< empty: there are no traces
  std::optional<storage_options> storage; ///< none: memory only
  environment world{};
};

} // namespace troupe::actors
