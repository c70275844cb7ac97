#pragma once

#include "config/field.hpp"
#include "config/sections.hpp"

/// @file
/// The settings of `[mqtt]`.
namespace troupe::config {

template <>
inline constexpr std::string_view about<mqtt> =
  "What the MQTT standards leave to a server, and its limits. A change "
  "concerns connections that are made after it.";

template <>
inline constexpr auto fields<mqtt> = std::tuple{
  field{&mqtt::idle_timeout,
        "idle_timeout",
        {10ms, 24h},
        reload::hot,
        "How long a new connection may take to send its CONNECT packet."},
  field{&mqtt::max_packet_size,
        "max_packet_size",
        {byte_size{32}, 256_MB},
        reload::hot,
        "Largest packet that a client may send, fixed header included. MQTT "
        "5 clients are told; a larger packet ends the connection."},
  field{&mqtt::max_clientid_len,
        "max_clientid_len",
        {23, 65'535, "bytes"},
        reload::hot,
        "Longest client identifier."},
  field{&mqtt::max_topic_levels,
        "max_topic_levels",
        {1, 65'535, "levels"},
        reload::hot,
        "Most levels in a topic name or a topic filter."},
  field{&mqtt::max_topic_alias,
        "max_topic_alias",
        {0, 65'535, "aliases"},
        reload::hot,
        "Topic Alias Maximum told to MQTT 5 clients: how many aliases a "
        "client may set up. 0 turns them off."},
  field{&mqtt::max_topic_alias_bytes,
        "max_topic_alias_bytes",
        {1_KB, 256_MB},
        reload::hot,
        "Most memory for the topic names behind one connection's aliases; a "
        "client that needs more is disconnected with quota exceeded (0x97)."},
  field{&mqtt::max_topic_alias_out,
        "max_topic_alias_out",
        {0, 65'535, "aliases"},
        reload::hot,
        "Most aliases that the broker sets up itself on a connection whose "
        "client allows them. 0: always send the full topic name."},
  field{&mqtt::empty_clientid_allowed, "empty_clientid_allowed", reload::hot,
        "Whether a client may leave its identifier empty and be given one. "
        "If not, it is refused as the standards say."},
  field{&mqtt::strict_clientid_length_3_1, "strict_clientid_length_3_1",
        reload::hot,
        "Whether MQTT 3.1 clients are held to identifiers of 1 to 23 "
        "characters, as that version demands."},
  field{&mqtt::retain_available, "retain_available", reload::hot,
        "Whether clients may publish retained messages."},
  field{&mqtt::wildcard_subscription, "wildcard_subscription", reload::hot,
        "Whether topic filters may have the wildcards + and #."},
  field{&mqtt::shared_subscription, "shared_subscription", reload::hot,
        "Whether clients may subscribe to $share/{group}/{filter}."},
  field{&mqtt::exclusive_subscription, "exclusive_subscription", reload::hot,
        "Whether clients may subscribe to $exclusive/{topic}, which one "
        "client at a time can hold."},
  field{&mqtt::shared_subscription_strategy, "shared_subscription_strategy",
        reload::hot,
        "Which member of a group receives a message: a random one; each in "
        "turn, per publisher (round_robin) or over the whole group "
        "(round_robin_per_group); one until it leaves (sticky); one on the "
        "publisher's reactor if there is any (local); or always the same for "
        "a publisher (hash_clientid) or a topic (hash_topic)."},
  field{&mqtt::ignore_loop_deliver, "ignore_loop_deliver", reload::hot,
        "Whether a client of MQTT 3.1 or 3.1.1 is spared its own "
        "publications, as No Local does in MQTT 5."},
  field{&mqtt::server_keepalive,
        "server_keepalive",
        {1, 65'535, "seconds"},
        reload::hot,
        "Keep alive that MQTT 5 clients are told to use instead of their "
        "own.",
        "disabled"},
  field{&mqtt::keepalive_multiplier,
        "keepalive_multiplier",
        {1.0, 10.0, "keep alive intervals"},
        reload::hot,
        "How long a client may be silent. The standards say 1.5."},
  field{&mqtt::session_expiry_interval,
        "session_expiry_interval",
        {0s, 4'294'967'294s},
        reload::hot,
        "How long the session of a client of MQTT 3.1 or 3.1.1 without "
        "clean session is kept while the client is away."},
  field{&mqtt::max_session_expiry_interval,
        "max_session_expiry_interval",
        {0s, 4'294'967'294s},
        reload::hot,
        "Longest Session Expiry Interval that an MQTT 5 client is granted; "
        "one that asks for more is told."},
  field{&mqtt::message_expiry_interval,
        "message_expiry_interval",
        {1s, 4'294'967'295s},
        reload::hot,
        "How long messages without a Message Expiry Interval of their own "
        "may wait for a subscriber."},
  field{&mqtt::max_qos_allowed,
        "max_qos_allowed",
        {0, 2},
        reload::hot,
        "Highest QoS that clients may publish with. Subscriptions are "
        "granted no more."},
  field{&mqtt::upgrade_qos, "upgrade_qos", reload::hot,
        "Whether messages are delivered with the QoS of the subscription "
        "even where they were published with a lower one. The standards say "
        "no."},
  field{&mqtt::receive_maximum,
        "receive_maximum",
        {1, 65'535, "publications"},
        reload::hot,
        "Receive Maximum told to MQTT 5 clients: how many publications of "
        "QoS 1 and 2 one client may have unacknowledged."},
  field{&mqtt::max_awaiting_rel,
        "max_awaiting_rel",
        {1, 65'535, "publications"},
        reload::hot,
        "How many publications of QoS 2 of one client may wait for their "
        "PUBREL; further ones are refused."},
  field{&mqtt::max_inflight,
        "max_inflight",
        {1, 65'535, "messages"},
        reload::hot,
        "Most messages of QoS 1 and 2 on the way to one client and not "
        "acknowledged. A smaller Receive Maximum of the client counts."},
  field{&mqtt::max_mqueue_len,
        "max_mqueue_len",
        {1, 10'000'000, "messages"},
        reload::hot,
        "Most messages that wait in memory for one connected client. Beyond "
        "it the oldest is dropped, of QoS 0 first; a durable session drops "
        "nothing that is kept for it and reads it later."},
  field{&mqtt::max_mqueue_bytes,
        "max_mqueue_bytes",
        {1_KB, 65'536_MB},
        reload::hot,
        "Most bytes that wait for one client, with topics and payloads. "
        "Dropping is as for max_mqueue_len."},
  field{&mqtt::mqueue_store_qos0, "mqueue_store_qos0", reload::hot,
        "Whether messages of QoS 0 wait for a connected client that is "
        "slow. If not, they are dropped. For a client that is away they are "
        "never kept, unless retained."},
  field{&mqtt::max_subscriptions,
        "max_subscriptions",
        {1, 1'000'000'000, "subscriptions"},
        reload::hot,
        "Most subscriptions of one client; further ones are answered quota "
        "exceeded (0x97)."},
  field{&mqtt::response_information,
        "response_information",
        {0, 65'535, "bytes"},
        reload::hot,
        "Response Information for MQTT 5 clients that ask for it, usually "
        "the first part of their response topics. Empty: none is sent."}};

} // namespace troupe::config
