#pragma once

#include "config/field.hpp"
#include "config/sections.hpp"

/// @file
/// The settings of listeners and of the services around the broker.
namespace troupe::config {

template <>
inline constexpr std::string_view about<settings::top_level> =
  "Keys above all sections of the file.";

template <>
inline constexpr auto fields<settings::top_level> = std::tuple{field{
  &settings::top_level::allow_anonymous, "allow_anonymous", reload::hot,
  "Whether clients that do not say who they are may connect. If there are "
  "neither users nor certificates to know them by, loopback addresses "
  "and Unix sockets take them without this permission, others do not."}};

template <>
inline constexpr std::string_view about<retainer> = "Retained messages.";

template <>
inline constexpr auto fields<retainer> = std::tuple{
  field{&retainer::enable, "enable", reload::hot,
        "Whether messages are retained. If not, RETAIN in a publication has "
        "no effect."},
  field{&retainer::max_payload_size,
        "max_payload_size",
        {byte_size{0}, 256_MB},
        reload::hot,
        "Largest payload that is retained; larger ones are only delivered."},
  field{&retainer::max_retained_messages,
        "max_retained_messages",
        {0, 1'000'000'000'000, "messages"},
        reload::hot,
        "Most topics with a retained message; further ones are not "
        "retained. 0: no limit."}};

template <>
inline constexpr std::string_view about<delayed> =
  "Publications to `$delayed/{seconds}/{topic}`.";

template <>
inline constexpr auto fields<delayed> = std::tuple{
  field{&delayed::enable, "enable", reload::hot,
        "Whether such publications are taken and published to the topic "
        "after the time."},
  field{&delayed::max_delayed_messages,
        "max_delayed_messages",
        {0, 1'000'000'000'000, "messages"},
        reload::hot,
        "Most messages that wait for their time; further ones are refused. "
        "0: no limit."}};

template <>
inline constexpr std::string_view about<sys_topics> =
  "What the broker publishes about itself below `$SYS/`.";

template <>
inline constexpr auto fields<sys_topics> =
  std::tuple{field{&sys_topics::sys_msg_interval,
                   "sys_msg_interval",
                   {1s, 24h},
                   reload::hot,
                   "Time between two publications of the counters.",
                   "disabled"},
             field{&sys_topics::sys_heartbeat_interval,
                   "sys_heartbeat_interval",
                   {1s, 24h},
                   reload::hot,
                   "Time between two publications of uptime and date.",
                   "disabled"}};

template <>
inline constexpr std::string_view about<durable> =
  "What is kept for durable sessions that are away.";

template <>
inline constexpr auto fields<durable> = std::tuple{
  field{&durable::max_bytes,
        "max_bytes",
        {1_MB, 1'048'576_MB},
        reload::cold,
        "Most bytes of messages, topics and payloads, that are kept for one "
        "topic filter in one shard, however many sessions hold it. Beyond it "
        "the oldest give way, some at once, and are counted as dropped; that "
        "is looked after every storage.sweep_interval. A filter without "
        "wildcards is in one shard, others are in all. Without storage it is "
        "the most for all filters together, at any time."},
  field{&durable::max_age,
        "max_age",
        {1min, 87'600h},
        reload::cold,
        "Messages that wait for longer are dropped, some at once, and counted "
        "as expired, whatever their Message Expiry Interval. Needs storage."}};

template <>
inline constexpr std::string_view about<http> =
  "HTTP for monitoring: `/status` and `/metrics`. Nobody is asked who they "
  "are.";

template <>
inline constexpr auto fields<http> =
  std::tuple{field{&http::enable, "enable", reload::cold,
                   "Whether the listener is opened."},
             field{&http::bind, "bind", reload::cold,
                   "Where to listen, as for listeners of MQTT."}};

template <>
inline constexpr std::string_view about<log> = "The log.";

template <>
inline constexpr auto fields<log> = std::tuple{
  field{&log::level, "level", reload::hot,
        "The least important lines that are written. What somebody changes by "
        "troupe ctl is written at every level."},
  field{&log::format, "format", reload::cold,
        "Lines for people, or one JSON object per line."},
  field{&log::file,
        "file",
        {0, 4'096, "bytes"},
        reload::cold,
        "File to append to. Empty: standard error."},
  field{&log::rate_limit, "rate_limit", reload::hot,
        "Most lines of one cause in a time; those left out are counted in "
        "the next line of that cause."}};

template <>
inline constexpr std::string_view about<ctl> =
  "The socket of `troupe ctl`. Whoever may write to it rules the node.";

template <>
inline constexpr auto fields<ctl> = std::tuple{
  field{&ctl::socket,
        "socket",
        {1, 107, "bytes"},
        reload::cold,
        "Path of the Unix socket, below node.data_dir unless it begins with "
        "a slash."},
  field{&ctl::group_access, "group_access", reload::cold,
        "Whether the group of the user that runs the broker may use the "
        "socket as well (mode 0660 instead of 0600)."}};

} // namespace troupe::config
