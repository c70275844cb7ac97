#pragma once
// `troupe ctl trace`: what becomes of clients and messages, in files.

#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer trace_start(actors::node& of, const boost::json::object& with);
std::string print_trace_started(const boost::json::value& answer);
ctl_answer trace_stop(actors::node& of, const boost::json::object& with);
std::string print_trace_stopped(const boost::json::value& answer);
ctl_answer trace_delete(actors::node& of, const boost::json::object& with);
std::string print_trace_deleted(const boost::json::value& answer);
ctl_answer trace_list(actors::node& of, const boost::json::object& with);
std::string print_traces(const boost::json::value& answer);
/// A part of the file, from `from` on.
ctl_answer trace_show(actors::node& of, const boost::json::object& with);
/// Asks for all parts and prints them; with `follow`, until the trace ends.
int show_trace(const ctl_exchange& ask, const boost::json::object& with,
               bool as_json);
std::string print_trace(const boost::json::value& answer);

inline constexpr ctl_argument trace_place[] = {
  {"NAME", "name", "Of the trace"},
};
inline constexpr ctl_argument trace_start_arguments[] = {
  {"NAME", "name", "Of the trace, and of its file"},
  {"--client", "client", "Follow this client identifier"},
  {"--topic", "topic", "Follow messages that this topic filter matches"},
  {"--address", "address", "Follow clients of this address or network"},
  {"--user", "user", "Follow clients with this user name"},
  {"--for", "for", "How long, such as 1h (10m)"},
  {"--size", "size", "Most bytes of the file, such as 1GB (128MB)"},
  {"--payload", "payload", "How payloads are shown: none, text or hex (text)"},
  {"--payload-limit", "payload_limit", "Most bytes of each payload (1KB)"},
};
inline constexpr ctl_argument trace_show_arguments[] = {
  {"NAME", "name", "Of the trace"},
  {"--follow", "follow", "Go on with what comes, until the trace ends",
   ctl_argument::kind::flag},
};

} // namespace troupe::server
