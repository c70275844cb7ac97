#pragma once
// `mqtt.*`, `retainer.*`, `delayed.*`, `durable.*`: what holds for clients.

#include "actors/subscription_index.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe::actors {

/// `mqtt.*`: what the standard leaves open, and limits.
struct mqtt_options {
  std::chrono::milliseconds idle_timeout{15'000};
  std::uint32_t max_packet_size = 1'048'576;
  std::uint32_t max_clientid_len = 65'535;
  std::uint32_t max_topic_levels = 128;
  std::uint16_t max_topic_alias = 65'535;
  std::size_t max_topic_alias_bytes = 1'048'576; ///< of a client's topics
  std::uint16_t max_topic_alias_out = 16;
  bool empty_clientid_allowed = true;
  std::uint16_t receive_maximum = 65'535;
  std::uint16_t max_inflight = 32;
  std::uint16_t max_awaiting_rel = 100;
  std::uint8_t max_qos_allowed = 2;
  bool retain_available = true;
  bool wildcard_subscription = true;
  bool shared_subscription = true;
  bool exclusive_subscription = false;
  bool ignore_loop_deliver = false;
  bool strict_clientid_length_3_1 = true;
  bool upgrade_qos = false;
  bool mqueue_store_qos0 = true;
  share_strategy shared_subscription_strategy = share_strategy::round_robin;
  std::uint16_t server_keepalive = 0; ///< seconds, 0: the client's own
  double keepalive_multiplier = 1.5;
  /// Of clients before MQTT 5.0 with Clean Session 0; seconds.
  std::uint32_t session_expiry_interval = 7'200;
  std::uint32_t max_session_expiry_interval = 0xFFFF'FFFF;
  std::uint32_t message_expiry_interval = 0xFFFF'FFFF; ///< at most; seconds
  std::size_t max_mqueue_len = 1'000;
  std::size_t max_mqueue_bytes = 16'777'216;
  std::size_t max_subscriptions = 0; ///< per session, 0: no limit
  std::string response_information;
  bool retainer_enable = true;
  std::size_t retainer_max_payload_size = 1'048'576;
  std::size_t retainer_max_messages = 0;
  bool delayed_enable = true;
  std::size_t delayed_max_messages = 0;
  /// Kept for those who are away, 0: no limit. Bytes: of a filter in a shard;
  /// of all together if nothing is kept on disk.
  std::size_t stored_bytes_max = 0;
  std::chrono::seconds stored_age_max{0};
};

} // namespace troupe::actors
