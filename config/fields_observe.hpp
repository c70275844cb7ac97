#pragma once

#include "config/field.hpp"
#include "config/sections.hpp"

/// @file
/// The settings of what is watched: `[overload]`, `[slow_subs]`, `[alarms]`.
namespace troupe::config {

template <>
inline constexpr std::string_view about<overload> =
  "What the node does when more waits in it than it can carry: it drops QoS 0 "
  "to slow readers, then slows publishers down, then refuses connections.";

template <>
inline constexpr auto fields<overload> = std::tuple{
  field{&overload::enable, "enable", reload::hot,
        "Whether it does any of this."},
  field{&overload::node_bytes,
        "node_bytes",
        {1_MB, 1'048'576_MB},
        reload::hot,
        "Bytes that may wait in the node: to be committed, in the queues of "
        "connected clients and for sockets that take no more. Beyond it "
        "publishers are not read; at one and a half of it connections are "
        "refused."},
  field{&overload::connection_bytes,
        "connection_bytes",
        {64_KB, 1'048'576_MB},
        reload::hot,
        "Bytes of one client's publications that may wait to be committed. "
        "Beyond it the client is not read until half of them are."},
  field{&overload::shed_part,
        "shed_part",
        {0.05, 1.0, "of node_bytes"},
        reload::hot,
        "From where QoS 0 to readers that do not keep up is dropped."},
  field{&overload::memory_high,
        "memory_high",
        {0.1, 1.0, "of the memory"},
        reload::hot,
        "Memory of the process from which all steps are taken and connections "
        "are refused."},
  field{&overload::memory_limit,
        "memory_limit",
        {32_MB, 1'048'576_MB},
        reload::hot,
        "The memory that this and alarms.memory_high are parts of. Without "
        "it, that of the machine, or of the process's cgroup if it has less.",
        "machine"},
  field{&overload::max_handshakes,
        "max_handshakes",
        {0, 1'000'000, "handshakes"},
        reload::hot,
        "TLS handshakes under way on one reactor; others wait for their turn. "
        "0: no limit."}};

template <>
inline constexpr std::string_view about<slow_subs> =
  "Which subscribers take long: from when a message was received until they "
  "acknowledged it, or with QoS 0 until it was sent.";

template <>
inline constexpr auto fields<slow_subs> =
  std::tuple{field{&slow_subs::enable, "enable", reload::hot,
                   "Whether it is looked after."},
             field{&slow_subs::threshold,
                   "threshold",
                   {1ms, 24h},
                   reload::hot,
                   "Deliveries that took longer are slow."},
             field{&slow_subs::top,
                   "top",
                   {1, 1'000, "entries"},
                   reload::hot,
                   "The slowest pairs of client and topic that are kept."},
             field{&slow_subs::expire,
                   "expire",
                   {1s, 24h},
                   reload::hot,
                   "A pair that was not slow for so long is forgotten."}};

template <>
inline constexpr std::string_view about<alarms> =
  "When something is wrong enough to say so: in the log, as metric, below "
  "`$SYS/` and by `troupe ctl alarms`. The disk's are at `[storage]`.";

template <>
inline constexpr auto fields<alarms> = std::tuple{
  field{&alarms::files_high,
        "files_high",
        {0.1, 1.0, "of the limit"},
        reload::hot,
        "Open files and sockets of the process."},
  field{&alarms::memory_high,
        "memory_high",
        {0.1, 1.0, "of the memory"},
        reload::hot,
        "Memory of the process; see overload.memory_limit."},
  field{&alarms::certificate_expiry,
        "certificate_expiry",
        {0s, 87'600h},
        reload::hot,
        "How long before its end a certificate of a listener is an alarm."},
  field{&alarms::queued_bytes,
        "queued_bytes",
        {1_MB, 1'048'576_MB},
        reload::hot,
        "Bytes that wait in the node, as for overload.node_bytes."},
  field{&alarms::blocked_connections,
        "blocked_connections",
        {1, 100'000'000, "connections"},
        reload::hot,
        "Clients whose sockets take no more."},
  field{&alarms::clock_jump,
        "clock_jump",
        {100ms, 24h},
        reload::hot,
        "By how much the wall clock has to jump; it is shown for ten minutes."},
  field{&alarms::reactor_stall,
        "reactor_stall",
        {10ms, 1h},
        reload::hot,
        "How late a reactor has to be; it is shown for a minute."},
  field{&alarms::history,
        "history",
        {0, 100'000, "alarms"},
        reload::hot,
        "Alarms that are over and still shown."}};

} // namespace troupe::config
