#pragma once

#include "config/listeners.hpp"

/// @file
/// What can be set: a struct per section, its defaults being the member
/// initialisers. Range, unit, help and reload class of each member are beside
/// its name in `fields_*.hpp`.
namespace troupe::config {

using namespace std::chrono_literals;

/// Which member of a shared subscription receives a message.
enum class share_strategy : std::uint8_t {
  random,
  round_robin,
  round_robin_per_group,
  sticky,
  local,
  hash_clientid,
  hash_topic
};
template <>
inline constexpr std::array choices<share_strategy> =
  std::to_array<std::string_view>({"random", "round_robin",
                                   "round_robin_per_group", "sticky", "local",
                                   "hash_clientid", "hash_topic"});

/// What an acknowledgement of something durable waits for.
enum class ack_policy : std::uint8_t { quorum_fsync, quorum_memory };
template <>
inline constexpr std::array choices<ack_policy> =
  std::to_array<std::string_view>({"quorum-fsync", "quorum-memory"});

/// When a connection's output is written to its socket.
enum class flush_policy : std::uint8_t { turn, message };
template <>
inline constexpr std::array
  choices<flush_policy> = std::to_array<std::string_view>({"turn", "message"});

enum class log_level : std::uint8_t { trace, debug, info, warning, error, off };
template <>
inline constexpr std::array choices<log_level> =
  std::to_array<std::string_view>({"trace", "debug", "info", "warning", "error",
                                   "off"});

enum class log_format : std::uint8_t { text, json };
template <>
inline constexpr std::array
  choices<log_format> = std::to_array<std::string_view>({"text", "json"});

/// What a user name that is in no line of the file means.
enum class unknown_user : std::uint8_t { ignore, deny };
template <>
inline constexpr std::array
  choices<unknown_user> = std::to_array<std::string_view>({"ignore", "deny"});

/// What of a certificate is the user name.
enum class certificate_name : std::uint8_t { cn, dn, fingerprint };
template <>
inline constexpr std::array choices<certificate_name> =
  std::to_array<std::string_view>({"cn", "dn", "fingerprint"});

/// What becomes of a client that publishes what it may not.
enum class deny_action : std::uint8_t { ignore, disconnect };
template <>
inline constexpr std::array choices<deny_action> =
  std::to_array<std::string_view>({"ignore", "disconnect"});

/// `[mqtt]`: what the standard leaves to a server, and its limits.
struct mqtt {
  milliseconds idle_timeout = 15s;
  byte_size max_packet_size = 1_MB;
  std::uint32_t max_clientid_len = 65'535;
  std::uint32_t max_topic_levels = 128;
  std::uint16_t max_topic_alias = 65'535;
  byte_size max_topic_alias_bytes = 1_MB;
  std::uint16_t max_topic_alias_out = 16;
  bool empty_clientid_allowed = true;
  bool strict_clientid_length_3_1 = true;
  bool retain_available = true;
  bool wildcard_subscription = true;
  bool shared_subscription = true;
  bool exclusive_subscription = false;
  share_strategy shared_subscription_strategy = share_strategy::round_robin;
  bool ignore_loop_deliver = false;
  std::optional<std::uint16_t> server_keepalive; ///< seconds
  double keepalive_multiplier = 1.5;
  milliseconds session_expiry_interval = 2h;
  std::optional<milliseconds> max_session_expiry_interval;
  std::optional<milliseconds> message_expiry_interval;
  std::uint8_t max_qos_allowed = 2;
  bool upgrade_qos = false;
  std::uint16_t receive_maximum = 65'535;
  std::optional<std::uint32_t> max_awaiting_rel = 100;
  std::uint16_t max_inflight = 32;
  std::optional<std::uint32_t> max_mqueue_len = 1'000;
  std::optional<byte_size> max_mqueue_bytes = 16_MB;
  bool mqueue_store_qos0 = true;
  std::optional<std::uint32_t> max_subscriptions;
  std::string response_information;
};

/// `[retainer]`: retained messages.
struct retainer {
  bool enable = true;
  byte_size max_payload_size = 1_MB;
  std::uint64_t max_retained_messages = 0; ///< 0: unlimited
};

/// `[delayed]`: publications to `$delayed/{seconds}/{topic}`.
struct delayed {
  bool enable = true;
  std::uint64_t max_delayed_messages = 0; ///< 0: unlimited
};

/// `[sys_topics]`: what the broker publishes about itself below `$SYS/`.
struct sys_topics {
  std::optional<milliseconds> sys_msg_interval = 1min;
  std::optional<milliseconds> sys_heartbeat_interval = 30s;
};

/// `[node]`: this process.
struct node {
  std::string name = "troupe";
  std::string data_dir = "data";
  std::uint32_t reactors = 0; ///< 0: one per core, less one
  bool pinning = false;
  bool own_file_tables = false;
  std::uint32_t worker_threads = 1;
  milliseconds shutdown_timeout = 10s;
};

/// `[actors]`: dials of the reactors and of the actors on them.
struct actors {
  byte_size read_buffer = 256_KB;
  byte_size read_budget = 256_KB;
  std::uint32_t sockets_per_turn = 256;
  byte_size bytes_per_turn = 256_KB;
  std::uint32_t credit = 65'536;
  flush_policy flush = flush_policy::turn;
  std::optional<milliseconds> idle_buffer_release = 5s;
  milliseconds wheel_tick = 100ms;
  std::uint32_t match_cache_entries = 4'096; ///< 0: no cache
};

/// `[shards]`: the shards of the node's state, and their log.
struct shards {
  std::uint32_t count = 16;
  milliseconds log_commit_delay = 0ms;
};

/// `[durable]`: what is kept for sessions that are away.
struct durable {
  std::optional<byte_size> max_bytes;
  std::optional<milliseconds> max_age;
};

/// `[durability]`: what an acknowledgement promises.
struct durability {
  ack_policy ack = ack_policy::quorum_fsync;
  std::optional<milliseconds> max_clock_jump = 24h;
};

/// `[storage]`: the databases in the data directory.
struct storage {
  bool enable = true;
  byte_size cache = 256_MB;
  milliseconds flush_interval = 5s;
  byte_size flush_size = 2_MB;
  byte_size tail = 16_MB;
  milliseconds sweep_interval = 1min;
  byte_size low_space = 1'024_MB;
  byte_size full_space = 256_MB;
  byte_size reserve = 16_MB;
};

/// `[auth]`
struct auth {
  bool test_method = false;
  milliseconds timeout = 15s;
};

/// `[auth.users]`
struct auth_users {
  std::string file;
  unknown_user unknown = unknown_user::ignore;
  bool scram = true;
  std::uint32_t hash_threads = 1;
  std::uint32_t hash_queue = 1'000;
  std::uint32_t cache_entries = 131'072;
};

/// `[auth.certificate]`
struct auth_certificate {
  bool enable = false;
  certificate_name user_name = certificate_name::cn;
  bool user_must_exist = false;
};

/// `[auth.guard]`
struct auth_guard {
  std::optional<std::uint32_t> max_failures = 20;
  std::optional<std::uint32_t> max_address_failures = 200;
  milliseconds window = 1min;
  milliseconds lock = 5min;
};

/// `[auth.acl]`
struct auth_acl {
  std::string file;
  deny_action deny = deny_action::ignore;
  std::uint32_t cache_entries = 32;
  milliseconds cache_ttl = 1min;
};

/// `[flapping_detect]`
struct flapping_detect {
  bool enable = false;
  std::uint32_t max_count = 15;
  milliseconds window_time = 1min;
  milliseconds ban_time = 5min;
};

/// `[overload]`: what happens when too much waits.
struct overload {
  bool enable = true;
  byte_size node_bytes = 512_MB;
  byte_size connection_bytes = 16_MB;
  double shed_part = 0.5;
  double memory_high = 0.85;
  std::optional<byte_size> memory_limit;
  std::uint32_t max_handshakes = 2'000; ///< 0: no limit
};

/// `[slow_subs]`
struct slow_subs {
  bool enable = false;
  milliseconds threshold = 500ms;
  std::uint32_t top = 10;
  milliseconds expire = 5min;
};

/// `[alarms]`
struct alarms {
  double files_high = 0.8;
  double memory_high = 0.7;
  milliseconds certificate_expiry = 720h;
  byte_size queued_bytes = 256_MB;
  std::uint32_t blocked_connections = 1'000;
  milliseconds clock_jump = 2s;
  milliseconds reactor_stall = 1s;
  std::uint32_t history = 1'000;
};

/// `[http]`: `/status` and `/metrics`.
struct http {
  bool enable = true;
  address bind{"127.0.0.1", 18083};
};

/// `[log]`
struct log {
  log_level level = log_level::info;
  log_format format = log_format::text;
  std::string file; ///< empty: standard error
  std::optional<rate> rate_limit = rate{10, 1s};
};

/// `[ctl]`: the socket that `troupe ctl` talks to.
struct ctl {
  std::string socket = "troupe.sock"; ///< below node.data_dir unless absolute
  bool group_access = false;
};

/// All of it. The member `root_keys` holds the keys outside any section.
struct settings {
  struct top_level {
    bool allow_anonymous = false;
  } root_keys;

  config::mqtt mqtt;
  config::retainer retainer;
  config::delayed delayed;
  config::sys_topics sys_topics;
  config::listeners listeners;
  config::node node;
  config::actors actors;
  config::shards shards;
  config::durable durable;
  config::durability durability;
  config::storage storage;
  config::auth auth;
  config::auth_users auth_users;
  config::auth_certificate auth_certificate;
  config::auth_guard auth_guard;
  config::auth_acl auth_acl;
  config::flapping_detect flapping_detect;
  config::overload overload;
  config::slow_subs slow_subs;
  config::alarms alarms;
  config::http http;
  config::log log;
  config::ctl ctl;
};

} // namespace troupe::config
