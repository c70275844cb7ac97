#include "server/options.hpp"

#include "server/listeners.hpp"

#include <algorithm>
#include <limits>

namespace troupe::server {

namespace {

/// Seconds of an interval that may be absent, as MQTT counts them.
std::uint32_t seconds_of(std::optional<config::milliseconds> x) {
  if (!x)
    return std::numeric_limits<std::uint32_t>::max();
  const auto seconds =
    std::chrono::duration_cast<std::chrono::seconds>(*x).count();
  return static_cast<std::uint32_t>(std::min<std::int64_t>(
    seconds, std::numeric_limits<std::uint32_t>::max() - 1));
}

actors::mqtt_options mqtt_of(const config::settings& from) {
  const auto& x = from.mqtt;
  actors::mqtt_options to;
  to.idle_timeout = x.idle_timeout;
  to.max_packet_size = static_cast<std::uint32_t>(x.max_packet_size.count);
  to.max_clientid_len = x.max_clientid_len;
  to.max_topic_levels = x.max_topic_levels;
  to.max_topic_alias = x.max_topic_alias;
  to.max_topic_alias_bytes = x.max_topic_alias_bytes.count;
  to.max_topic_alias_out = x.max_topic_alias_out;
  to.empty_clientid_allowed = x.empty_clientid_allowed;
  to.receive_maximum = x.receive_maximum;
  to.max_inflight = x.max_inflight;
  to.max_awaiting_rel =
    static_cast<std::uint16_t>(x.max_awaiting_rel.value_or(0));
  to.max_qos_allowed = x.max_qos_allowed;
  to.retain_available = x.retain_available;
  to.wildcard_subscription = x.wildcard_subscription;
  to.shared_subscription = x.shared_subscription;
  to.exclusive_subscription = x.exclusive_subscription;
  to.ignore_loop_deliver = x.ignore_loop_deliver;
  to.strict_clientid_length_3_1 = x.strict_clientid_length_3_1;
  to.upgrade_qos = x.upgrade_qos;
  to.mqueue_store_qos0 = x.mqueue_store_qos0;
  to.shared_subscription_strategy =
    static_cast<actors::share_strategy>(x.shared_subscription_strategy);
  to.server_keepalive = x.server_keepalive.value_or(0);
  to.keepalive_multiplier = x.keepalive_multiplier;
  to.session_expiry_interval = seconds_of(x.session_expiry_interval);
  to.max_session_expiry_interval = seconds_of(x.max_session_expiry_interval);
  to.message_expiry_interval = seconds_of(x.message_expiry_interval);
  to.max_mqueue_len = x.max_mqueue_len.value_or(0);
  to.max_mqueue_bytes = x.max_mqueue_bytes ? x.max_mqueue_bytes->count : 0;
  to.max_subscriptions = x.max_subscriptions.value_or(0);
  to.response_information = x.response_information;
  to.retainer_enable = from.retainer.enable;
  to.retainer_max_payload_size = from.retainer.max_payload_size.count;
  to.retainer_max_messages = from.retainer.max_retained_messages;
  to.delayed_enable = from.delayed.enable;
  to.delayed_max_messages = from.delayed.max_delayed_messages;
  to.stored_bytes_max =
    from.durable.max_bytes ? from.durable.max_bytes->count : 0;
  if (from.durable.max_age)
    to.stored_age_max =
      std::chrono::duration_cast<std::chrono::seconds>(*from.durable.max_age);
  return to;
}

} // namespace

actors::observation_options observation_of(const config::settings& from) {
  actors::observation_options to;
  to.overload.enable = from.overload.enable;
  to.overload.node_bytes = from.overload.node_bytes.count;
  to.overload.connection_bytes = from.overload.connection_bytes.count;
  to.overload.shed_part = from.overload.shed_part;
  to.max_handshakes = from.overload.max_handshakes;
  to.slow_subs.enable = from.slow_subs.enable;
  to.slow_subs.threshold = from.slow_subs.threshold;
  to.slow_subs.top = from.slow_subs.top;
  to.slow_subs.expire = from.slow_subs.expire;
  return to;
}

health_options health_options_of(const config::settings& from) {
  const auto& x = from.alarms;
  health_options to;
  to.files_high = x.files_high;
  to.memory_high = x.memory_high;
  to.certificate_expiry =
    std::chrono::duration_cast<std::chrono::hours>(x.certificate_expiry);
  to.queued_bytes = x.queued_bytes.count;
  to.blocked = x.blocked_connections;
  to.clock_jump = x.clock_jump;
  to.reactor_stall = x.reactor_stall;
  return to;
}

actors::node_options node_options_of(const config::settings& from) {
  return node_options_of(from, listeners_of(from, {}));
}

actors::node_options
node_options_of(const config::settings& from,
                std::vector<actors::listener_options> listeners) {
  actors::node_options to;
  to.name = from.node.name;
  to.mqtt = mqtt_of(from);
  auto& dials = to.actors;
  dials.reactors = from.node.reactors;
  dials.pin_reactors = from.node.pinning;
  dials.own_file_tables = from.node.own_file_tables;
  dials.worker_threads = from.node.worker_threads;
  dials.shards = from.shards.count;
  dials.read_buffer = from.actors.read_buffer.count;
  dials.read_budget = from.actors.read_budget.count;
  dials.flush_each_message = from.actors.flush == config::flush_policy::message;
  dials.idle_buffer_release =
    from.actors.idle_buffer_release.value_or(config::milliseconds{0});
  dials.sockets_per_turn = from.actors.sockets_per_turn;
  dials.bytes_per_turn = from.actors.bytes_per_turn.count;
  dials.credit = from.actors.credit;
  dials.wheel_tick = from.actors.wheel_tick;
  dials.log_commit_delay = from.shards.log_commit_delay;
  dials.match_cache = from.actors.match_cache_entries;
  if (from.storage.enable) {
    auto& disk = to.storage.emplace();
    disk.directory = from.node.data_dir;
    disk.sync = from.durability.ack == config::ack_policy::quorum_fsync;
    disk.cache_bytes = from.storage.cache.count;
    disk.flush_interval = from.storage.flush_interval;
    disk.flush_bytes = from.storage.flush_size.count;
    disk.tail_bytes = from.storage.tail.count;
    disk.sweep_interval = from.storage.sweep_interval;
    disk.low_space = from.storage.low_space.count;
    disk.full_space = from.storage.full_space.count;
    disk.reserve = from.storage.reserve.count;
    disk.max_clock_jump = from.durability.max_clock_jump;
  }
  to.trace_directory = std::filesystem::path{from.node.data_dir} / "trace";
  to.observation = observation_of(from);
  to.listeners = std::move(listeners);
  to.sys_message_interval =
    from.sys_topics.sys_msg_interval.value_or(config::milliseconds{0});
  to.sys_heartbeat_interval =
    from.sys_topics.sys_heartbeat_interval.value_or(config::milliseconds{0});
  return to;
}

} // namespace troupe::server
