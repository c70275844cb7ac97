#pragma once

#include "config/field.hpp"
#include "config/sections.hpp"

/// @file
/// The settings of the process: `[node]`, `[actors]` and `[shards]`.
namespace troupe::config {

template <>
inline constexpr std::string_view about<node> =
  "This process: its name, its files and its threads.";

template <>
inline constexpr auto fields<node> = std::tuple{
  field{&node::name,
        "name",
        {1, 64, "characters"},
        reload::cold,
        "Name of the node in logs, metrics and $SYS topics: letters, digits "
        "and . _ @ -"},
  field{&node::data_dir,
        "data_dir",
        {1, 4'096, "bytes"},
        reload::cold,
        "Directory of the node's files, created if missing. Two nodes never "
        "share one."},
  field{
    &node::reactors,
    "reactors",
    {0, 256, "threads"},
    reload::cold,
    "Threads that do network input and output and run the actors of "
    "connections, sessions and shards. 0: one per core, but one core is left "
    "to storage, to the kernel and to others."},
  field{&node::pinning, "pinning", reload::cold,
        "Whether each reactor thread is bound to a core of its own. Helps on "
        "machines that run nothing else."},
  field{&node::own_file_tables, "own_file_tables", reload::cold,
        "Whether each reactor thread has a file table of its own, so that "
        "the limit of open files counts per thread, not per process."},
  field{&node::worker_threads,
        "worker_threads",
        {1, 256, "threads"},
        reload::cold,
        "Threads for actors that are bound to no reactor, such as the "
        "supervisor."},
  field{&node::shutdown_timeout,
        "shutdown_timeout",
        {0s, 1h},
        reload::cold,
        "How long an ordered shutdown may take before the process ends "
        "regardless."}};

template <>
inline constexpr std::string_view about<actors> =
  "Dials of the reactors and of the actors on them. The defaults suit most "
  "loads; the metrics show what a change does.";

template <>
inline constexpr auto fields<actors> = std::tuple{
  field{&actors::read_buffer,
        "read_buffer",
        {1_KB, 16_MB},
        reload::cold,
        "Size of the buffer that each reactor reads into: the most that one "
        "read takes from a socket."},
  field{&actors::read_budget,
        "read_budget",
        {1_KB, 256_MB},
        reload::cold,
        "Most bytes read from one connection in a turn of its reactor, "
        "before the others have theirs."},
  field{&actors::sockets_per_turn,
        "sockets_per_turn",
        {1, 65'536, "sockets"},
        reload::cold,
        "Most sockets that a reactor looks at before its actors have their "
        "turn and output is written."},
  field{&actors::bytes_per_turn,
        "bytes_per_turn",
        {1_KB, 1024_MB},
        reload::cold,
        "Bytes read in a turn after which the other sockets wait for the "
        "next one, so that large messages are written while they are in the "
        "processor's cache."},
  field{&actors::credit,
        "credit",
        {1, 10'000'000, "messages"},
        reload::cold,
        "Most messages that one reactor may have on the way to another. "
        "Publishers whose messages find no credit are not read from."},
  field{&actors::flush, "flush", reload::cold,
        "When output is written to a socket: once per turn of the reactor, "
        "which saves system calls, or with each message."},
  field{&actors::idle_buffer_release,
        "idle_buffer_release",
        {100ms, 24h},
        reload::cold,
        "How long a connection is quiet before its buffers are given back."},
  field{&actors::wheel_tick,
        "wheel_tick",
        {1ms, 10s},
        reload::cold,
        "Step of the wheel that holds keep alive and other deadlines: they "
        "are kept to within one step."},
  field{&actors::match_cache_entries,
        "match_cache_entries",
        {0, 10'000'000, "topic names"},
        reload::cold,
        "Topic names whose matching subscriptions each reactor remembers. "
        "0: every publication is looked up."}};

template <>
inline constexpr std::string_view about<shards> =
  "The shards that hold retained messages, messages for clients that are "
  "away, shared subscriptions and the ownership of sessions.";

template <>
inline constexpr auto fields<shards> = std::tuple{
  field{&shards::count,
        "count",
        {1, 1'024, "shards"},
        reload::cold,
        "Number of shards; topics and client identifiers are spread over "
        "them."},
  field{&shards::log_commit_delay,
        "log_commit_delay",
        {0ms, 10s},
        reload::cold,
        "Artificial time from the proposal of an entry of the in-memory log "
        "(storage.enable = false) to its commit: shows how clients fare with "
        "a slower log."}};

template <>
inline constexpr std::string_view about<durability> =
  "What an acknowledgement of a durable session, a message for one or a "
  "retained message promises.";

template <>
inline constexpr auto fields<durability> = std::tuple{
  field{&durability::ack, "ack", reload::cold,
        "quorum-fsync: it is on the disk of a quorum of the nodes that keep "
        "it, and outlives a power failure. quorum-memory: it is with the "
        "operating system of these; it outlives the end of the process. After "
        "a power failure the newest is lost, and the data may have to be "
        "restored from a backup."},
  field{&durability::max_clock_jump,
        "max_clock_jump",
        {0ms, 876'000h},
        reload::cold,
        "Most of the time between the last that is stored and the wall clock "
        "at the start that counts for what expires, so that a clock that is "
        "wrong does not make everything expire. Beyond it there is a warning, "
        "and troupe_storage_clock_jump_seconds is above 0."}};

template <>
inline constexpr std::string_view about<storage> =
  "The databases below node.data_dir: the log of the shards and their state.";

template <>
inline constexpr auto fields<storage> = std::tuple{
  field{&storage::enable, "enable", reload::cold,
        "Whether what shards keep is kept on disk. Without, it ends with the "
        "process."},
  field{&storage::cache,
        "cache",
        {1_MB, 1'048'576_MB},
        reload::cold,
        "Memory for blocks of the state database that were read."},
  field{&storage::flush_interval,
        "flush_interval",
        {100ms, 10min},
        reload::cold,
        "How often a shard writes what has changed to the state database. "
        "Until then the log alone has it; what is done with before that is "
        "never written there."},
  field{&storage::flush_size,
        "flush_size",
        {64_KB, 4'096_MB},
        reload::cold,
        "Bytes in the log of a shard after which it writes what has changed "
        "before the interval is over."},
  field{&storage::tail,
        "tail",
        {0_KB, 65'536_MB},
        reload::cold,
        "Memory for messages that the state database has already, so that "
        "sessions that fall a little behind do not read it. Evenly over the "
        "shards."},
  field{&storage::sweep_interval,
        "sweep_interval",
        {1s, 24h},
        reload::cold,
        "How often the state database is searched for messages that nobody "
        "waits for any more, or that are beyond durable.max_age and "
        "durable.max_bytes. It takes a tenth of a thread at most."},
  field{&storage::low_space,
        "low_space",
        {0_KB, 1'048'576_MB},
        reload::cold,
        "Free space of the disk below which the log warns."},
  field{&storage::full_space,
        "full_space",
        {0_KB, 1'048'576_MB},
        reload::cold,
        "Free space of the disk below which QoS 1 and 2 messages that would "
        "need it, and new durable sessions and subscriptions, are refused "
        "with 0x97 (Quota exceeded), until there is a tenth more. The disk "
        "is looked at twice a second, and a write-ahead log takes some 20 MB "
        "at once: less than 64 MB does not protect. 0: never."},
  field{&storage::reserve,
        "reserve",
        {0_KB, 65'536_MB},
        reload::cold,
        "Size of a file that keeps some room: it is removed while the disk "
        "is full, for what is under way."}};

} // namespace troupe::config
