#pragma once
// What the node counts. Every counter is raised where its event happens and
// none is derived from another.

#include "actors/hop_histogram.hpp"
#include "protocol/client_session.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace troupe::actors {

// name in `metrics`, EMQX's name, help
#define TROUPE_COUNTERS(X)                                                     \
  X(bytes_received, "bytes.received", "Bytes read from clients")               \
  X(bytes_sent, "bytes.sent", "Bytes written to clients")                      \
  X(packets_received, "packets.received", "Control Packets read")              \
  X(packets_sent, "packets.sent", "Control Packets put out")                   \
  X(connect_received, "packets.connect.received", "CONNECT read")              \
  X(connack_sent, "packets.connack.sent", "CONNACK sent")                      \
  X(connack_error, "packets.connack.error", "CONNACK with a refusal sent")     \
  X(connack_auth_error, "packets.connack.auth_error",                          \
    "CONNACK that refuses an authentication")                                  \
  X(publish_received, "packets.publish.received", "PUBLISH read")              \
  X(publish_sent, "packets.publish.sent", "PUBLISH sent")                      \
  X(publish_error, "packets.publish.error", "PUBLISH that broke the rules")    \
  X(publish_auth_error, "packets.publish.auth_error",                          \
    "PUBLISH to a topic that clients may not publish to")                      \
  X(publish_quota, "packets.publish.quota_exceeded",                           \
    "PUBLISH beyond Receive Maximum or another limit")                         \
  X(puback_received, "packets.puback.received", "PUBACK read")                 \
  X(puback_sent, "packets.puback.sent", "PUBACK sent")                         \
  X(puback_missed, "packets.puback.missed", "PUBACK for nothing in flight")    \
  X(pubrec_received, "packets.pubrec.received", "PUBREC read")                 \
  X(pubrec_sent, "packets.pubrec.sent", "PUBREC sent")                         \
  X(pubrec_missed, "packets.pubrec.missed", "PUBREC for nothing in flight")    \
  X(pubrel_received, "packets.pubrel.received", "PUBREL read")                 \
  X(pubrel_sent, "packets.pubrel.sent", "PUBREL sent")                         \
  X(pubrel_missed, "packets.pubrel.missed", "PUBREL for no PUBLISH")           \
  X(pubcomp_received, "packets.pubcomp.received", "PUBCOMP read")              \
  X(pubcomp_sent, "packets.pubcomp.sent", "PUBCOMP sent")                      \
  X(pubcomp_missed, "packets.pubcomp.missed", "PUBCOMP for nothing in flight") \
  X(subscribe_received, "packets.subscribe.received", "SUBSCRIBE read")        \
  X(subscribe_error, "packets.subscribe.error", "Filters refused")             \
  X(suback_sent, "packets.suback.sent", "SUBACK sent")                         \
  X(unsubscribe_received, "packets.unsubscribe.received", "UNSUBSCRIBE read")  \
  X(unsuback_sent, "packets.unsuback.sent", "UNSUBACK sent")                   \
  X(pingreq_received, "packets.pingreq.received", "PINGREQ read")              \
  X(pingresp_sent, "packets.pingresp.sent", "PINGRESP sent")                   \
  X(disconnect_received, "packets.disconnect.received", "DISCONNECT read")     \
  X(disconnect_sent, "packets.disconnect.sent", "DISCONNECT sent")             \
  X(auth_received, "packets.auth.received", "AUTH read")                       \
  X(auth_sent, "packets.auth.sent", "AUTH sent")                               \
  X(malformed, "packets.malformed", "Packets that closed their connection")    \
  X(messages_received, "messages.received", "Messages accepted of clients")    \
  X(qos0_received, "messages.qos0.received", "Of these with QoS 0")            \
  X(qos1_received, "messages.qos1.received", "Of these with QoS 1")            \
  X(qos2_received, "messages.qos2.received", "Of these with QoS 2")            \
  X(qos2_duplicates, "messages.qos2.duplicates",                               \
    "QoS 2 messages that had been received before")                            \
  X(qos0_sent, "messages.qos0.sent", "QoS 0 messages sent")                    \
  X(qos1_sent, "messages.qos1.sent", "QoS 1 messages sent the first time")     \
  X(qos2_sent, "messages.qos2.sent", "QoS 2 messages sent the first time")     \
  X(messages_resent, "messages.resent", "Sent again on a resumed session")     \
  X(messages_delivered, "messages.delivered", "Messages sent to receivers")    \
  X(messages_acked, "messages.acked", "Messages that receivers acknowledged")  \
  X(messages_delayed, "messages.delayed", "`$delayed` messages accepted")      \
  X(accepted_routed, "messages.publish.routed",                                \
    "Accepted messages that matched somebody")                                 \
  X(accepted_unrouted, "messages.dropped.no_subscribers",                      \
    "Accepted messages that nobody was to have")                               \
  X(accepted_refused, "messages.publish.refused",                              \
    "Messages refused with a Reason Code")                                     \
  X(acked_committed, "messages.publish.acked.committed",                       \
    "PUBACK and PUBREC that waited for a commit")                              \
  X(acked_direct, "messages.publish.acked.direct",                             \
    "PUBACK and PUBREC of messages that only connected clients were to have")  \
  X(routed, "delivery.routed", "Deliveries begun, one per matching receiver")  \
  X(drop_queue_full, "delivery.dropped.queue_full",                            \
    "Dropped: the queue of a slow receiver was full")                          \
  X(drop_qos0, "delivery.dropped.qos0_msg",                                    \
    "Dropped: QoS 0 for a receiver that does not keep up")                     \
  X(drop_expired, "delivery.dropped.expired",                                  \
    "Dropped: Message Expiry Interval ran out")                                \
  X(drop_too_large, "delivery.dropped.too_large",                              \
    "Dropped: over the receiver's Maximum Packet Size")                        \
  X(drop_no_local, "delivery.dropped.no_local",                                \
    "Not delivered to the publisher itself")                                   \
  X(drop_session_ended, "delivery.dropped.session_ended",                      \
    "Dropped: the session ended first")                                        \
  X(drop_refused, "delivery.dropped.refused",                                  \
    "Dropped: the receiver refused it with a Reason Code")                     \
  X(drop_share_member_gone, "delivery.dropped.share_member_gone",              \
    "Dropped: QoS 2 of a shared group whose member's session ended")           \
  X(handed_over, "delivery.handed_over",                                       \
    "Left a session for another member of its group, or for its shard")        \
  X(suspended, "delivery.suspended",                                           \
    "Kept with a durable session that went offline")                           \
  X(resumed, "delivery.resumed", "Taken up again by a resumed session")        \
  X(catch_up_skipped, "delivery.catch_up_skipped",                             \
    "Live copies skipped by a session that reads from its shard")              \
  X(shared_redelivered, "messages.shared.redelivered",                         \
    "Messages given to another member of their group")                         \
  X(client_connect, "client.connect", "CONNECT packets looked at")             \
  X(client_connected, "client.connected", "Connections accepted")              \
  X(client_disconnected, "client.disconnected", "Accepted connections ended")  \
  X(client_subscribe, "client.subscribe", "Filters subscribed")                \
  X(client_unsubscribe, "client.unsubscribe", "Filters unsubscribed")          \
  X(session_created, "session.created", "Sessions made")                       \
  X(session_resumed, "session.resumed", "Sessions resumed")                    \
  X(session_takenover, "session.takenover", "Sessions taken over")             \
  X(session_discarded, "session.discarded", "Sessions ended by Clean Start")   \
  X(session_terminated, "session.terminated", "Sessions ended")                \
  X(authentication_success, "authentication.success",                          \
    "Enhanced authentications completed")                                      \
  X(authentication_anonymous, "authentication.success.anonymous",              \
    "Of these without a name that anybody knew")                               \
  X(connect_banned, "client.refused.banned",                                   \
    "CONNECT refused because of a ban")                                        \
  X(connect_locked, "client.refused.locked",                                   \
    "CONNECT refused after too many wrong passwords")                          \
  X(authorization_denied_publish, "authorization.deny.publish",                \
    "Publications and wills that the rules do not allow")                      \
  X(authorization_denied_subscribe, "authorization.deny.subscribe",            \
    "Topic filters that the rules do not allow")                               \
  X(authorization_cache_hit, "authorization.cache_hit",                        \
    "Questions that were answered before")                                     \
  X(authorization_cache_miss, "authorization.cache_miss",                      \
    "Questions that the rules were asked")                                     \
  X(ended_banned, "client.ended.banned", "Connections ended by a new ban")     \
  X(ended_account, "client.ended.account",                                     \
    "Connections ended since their account was changed")                       \
  X(ended_subscription, "client.ended.subscription",                           \
    "Connections ended since a subscription is not allowed any more")          \
  X(flapping, "client.flapping", "Clients banned for coming and going")        \
  X(paced, "client.paced", "Times a client was faster than it may be")         \
  X(authentication_failure, "authentication.failure",                          \
    "Enhanced authentications failed")                                         \
  X(overload_shed, "overload.shed",                                            \
    "QoS 0 messages to slow readers dropped since too much waits in the node") \
  X(overload_slowed, "overload.slowed",                                        \
    "Times a client was not read since too much waits")                        \
  X(overload_refused, "overload.refused",                                      \
    "CONNECT refused since too much waits, or memory is short")                \
  X(slow_deliveries, "slow_subs.deliveries",                                   \
    "Deliveries that took longer than slow_subs.threshold")                    \
  X(close_idle, "connections.closed.no_connect", "Closed: no CONNECT in time") \
  X(close_keepalive, "connections.closed.keep_alive", "Closed: Keep Alive")    \
  X(close_send_timeout, "connections.closed.send_timeout",                     \
    "Closed: the client did not read")                                         \
  X(close_error, "connections.closed.socket_error", "Closed: socket errors")   \
  X(accept_total, "connections.accepted", "TCP connections accepted")          \
  X(tls_full, "connections.tls.full", "TLS handshakes with a new session")     \
  X(tls_resumed, "connections.tls.resumed",                                    \
    "TLS handshakes that resumed a session")                                   \
  X(handshake_failed, "connections.handshake.failed",                          \
    "Connections that failed before MQTT: TLS, WebSocket, PROXY")              \
  X(handshake_timeout, "connections.handshake.timeout",                        \
    "Connections that did not come to MQTT in time")                           \
  X(ocsp_good, "ocsp.response.received",                                       \
    "OCSP responses that were fetched and are stapled")                        \
  X(ocsp_failed, "ocsp.response.failed",                                       \
    "OCSP responses that could not be fetched or used")                        \
  X(transport_failed, "connections.transport.failed",                          \
    "Connections whose TLS or WebSocket broke a rule")                         \
  X(accept_refused_limit, "connections.refused.limit",                         \
    "TCP connections refused: max_connections")                                \
  X(accept_refused_rate, "connections.refused.rate",                           \
    "TCP connections put off: max_conn_rate")                                  \
  X(accept_failed, "connections.refused.resources",                            \
    "TCP connections refused: no file descriptors or memory")                  \
  X(reads, "reactor.reads", "Reads of client sockets")                         \
  X(writes, "reactor.writes", "Writes to client sockets")                      \
  X(write_blocked, "reactor.writes.blocked", "Writes that met a full socket")  \
  X(batches_sent, "reactor.batches.sent", "Batches sent to other reactors")    \
  X(batch_items_sent, "reactor.batches.items", "Items in these batches")       \
  X(credit_stalls, "reactor.credit.stalls",                                    \
    "Turns in which sockets were not read for want of credit")                 \
  X(mails, "actors.mails", "Messages taken from mailboxes of pinned actors")   \
  X(match_cache_hits, "index.cache.hits", "Topics found in the match cache")   \
  X(match_cache_misses, "index.cache.misses", "Topics matched anew")           \
  X(shard_commands, "shard.commands", "Commands applied to shards")            \
  X(shard_entries, "shard.entries", "Log entries committed")                   \
  X(shard_unlogged, "shard.commands.unlogged",                                 \
    "Commands applied without the log")

/// Pinned actors whose mailboxes carry work, for their own figures.
enum class actor_kind : std::uint8_t {
  other, ///< connections, sessions and listeners: called directly, little mail
  dispatcher,
  topic_shard,
};
inline constexpr std::array<std::string_view, 3> actor_kind_names{
  "other", "dispatcher", "topic_shard"};

/// What the actors of one kind did on one reactor.
struct kind_metrics {
  std::atomic<std::uint64_t> runs{0};        ///< times one had mail
  std::atomic<std::uint64_t> mails{0};       ///< messages in all
  std::atomic<std::uint64_t> deepest{0};     ///< most found in one mailbox
  std::atomic<std::uint64_t> nanoseconds{0}; ///< spent on them
};

/// The counters of one reactor: written by its thread, read by any.
struct metrics {
#define TROUPE_DECLARE(name, dotted, help) std::atomic<std::uint64_t> name{0};
  TROUPE_COUNTERS(TROUPE_DECLARE)
#undef TROUPE_DECLARE

  std::array<kind_metrics, actor_kind_names.size()> kinds;

  std::atomic<std::int64_t> connections{0}; ///< gauges
  std::atomic<std::int64_t> sessions{0};
  std::atomic<std::int64_t> subscriptions{0};
  std::atomic<std::int64_t> in_flight{0};
  std::atomic<std::int64_t> queued{0};
  std::atomic<std::int64_t> retained{0};
  std::atomic<std::int64_t> delayed{0};
  std::atomic<std::int64_t> stored{0};
  std::atomic<std::int64_t> backlog_bytes{0};
  std::atomic<std::int64_t> resident_rows{0};
  std::atomic<std::int64_t> offline_sessions{0};
  /// Bytes that wait: in shards to be committed, in the queues of sessions that
  /// are connected, and for sockets that take no more.
  std::atomic<std::int64_t> uncommitted_bytes{0};
  std::atomic<std::int64_t> queued_bytes{0};
  std::atomic<std::int64_t> unsent_bytes{0};
  std::atomic<std::int64_t> blocked{0};        ///< such sockets
  std::atomic<std::int64_t> overload_level{0}; ///< of the first reactor only

  std::array<hop_histogram, hop_names.size()> hops;
  hop_histogram& of(hop which) noexcept {
    return hops[static_cast<std::size_t>(which)];
  }
};

struct counter_description {
  std::string_view dotted; ///< EMQX's form
  std::string_view help;
  std::atomic<std::uint64_t> metrics::*member;
};
/// Every counter, in the order of declaration.
inline constexpr auto counter_descriptions =
  std::to_array<counter_description>({
#define TROUPE_DESCRIBE(name, dotted, help) {dotted, help, &metrics::name},
    TROUPE_COUNTERS(TROUPE_DESCRIBE)
#undef TROUPE_DESCRIBE
  });

/// Adds to a counter of this thread.
template <class T>
inline void count(std::atomic<T>& counter, T by = 1) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by,
                std::memory_order_relaxed);
}

/// In traces: `queue_full`.
std::string_view name_of(protocol::drop_reason why) noexcept;

/// Counts one message that was dropped for `why`.
void count_drop(metrics& into, protocol::drop_reason why,
                std::uint64_t by = 1) noexcept;

} // namespace troupe::actors
