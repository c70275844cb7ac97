#include "server/ctl_commands.hpp"

#include "server/ctl_alarms.hpp"
#include "server/ctl_backlog.hpp"
#include "server/ctl_bans.hpp"
#include "server/ctl_clients.hpp"
#include "server/ctl_hops.hpp"
#include "server/ctl_listeners.hpp"
#include "server/ctl_lists.hpp"
#include "server/ctl_messages.hpp"
#include "server/ctl_settings.hpp"
#include "server/ctl_status.hpp"
#include "server/ctl_top.hpp"
#include "server/ctl_trace.hpp"
#include "server/json_fields.hpp"
#include "server/text.hpp"

#include <algorithm>

namespace troupe::server {

namespace json = boost::json;

namespace {

constexpr auto flag = ctl_argument::kind::flag;

// ---- arguments -------------------------------------------------------------

constexpr ctl_argument client_place[] = {
  {"ID", "id", "Client identifier"},
};
constexpr ctl_argument list_clients[] = {
  {"--like", "like", "Only those with this text in the client identifier"},
  {"--user", "user", "Only those of this user name"},
  {"--listener", "listener", "Only those of this listener, e.g. tcp:default"},
  limit_option,
};
constexpr ctl_argument disconnect_client[] = {
  {"ID", "id", "Client identifier"},
  {"--discard", "discard", "End its session, too, connected or not", flag},
};
constexpr ctl_argument list_subscriptions[] = {
  {"--client", "client", "Only those of this client identifier"},
  {"--topic", "topic", "Only those with exactly this topic filter"},
  {"--match", "match", "Only those that get messages of this topic"},
  limit_option,
};
constexpr ctl_argument list_topics[] = {
  {"--like", "like", "Only filters that have this text in them"},
  limit_option,
};
constexpr ctl_argument list_retained[] = {
  {"[FILTER]", "filter", "Only topics that this filter matches; # if missing"},
  limit_option,
};
constexpr ctl_argument topic_place[] = {
  {"TOPIC", "topic", "Topic name"},
};
constexpr ctl_argument publish_message[] = {
  {"TOPIC", "topic", "Topic name"},
  {"--qos", "qos", "0, 1 or 2; 0 unless said otherwise"},
  {"--retain", "retain", "Keep it as the topic's retained message", flag},
  {"--payload", "payload", "Its payload; empty unless said otherwise",
   ctl_argument::kind::content},
  {"--payload-file", "payload_file",
   "The file with its payload; - is standard input"},
};
constexpr ctl_argument list_bans[] = {limit_option};
constexpr ctl_argument add_ban[] = {
  {"KIND", "as",
   "clientid, username, peerhost, peerhost_net, clientid_re or username_re"},
  {"WHO", "who", "Name, address, network or regular expression"},
  {"--for", "for", "How long, e.g. 1h; without an end unless said"},
  {"--until", "until", "Its end, e.g. 2026-07-01T12:00:00Z"},
  {"--reason", "reason", "Why, for who reads the list"},
};
constexpr ctl_argument delete_ban[] = {
  {"KIND", "as", "As it was added"},
  {"WHO", "who", "As it was added"},
};
constexpr ctl_argument unlock_places[] = {
  {"ADDRESS", "address", "Where wrong passwords came from"},
  {"--user", "user", "The user whose passwords they were"},
};
constexpr ctl_argument listener_place[] = {
  {"ID", "id", "Listener, e.g. tcp:default"},
};
constexpr ctl_argument filter_option[] = {
  {"--filter", "filter", "Only those whose name has this text in it"},
};
constexpr ctl_argument file_place[] = {
  {"FILE", "file", "Configuration file (TOML)"},
};
constexpr ctl_argument level_place[] = {
  {"[LEVEL]", "level", "trace, debug, info, warning, error or off"},
};
constexpr ctl_argument top_options[] = {
  {"--once", "once", "Print one answer and end", flag},
  {"--limit", "limit", "So many rows of each kind; 10 unless said otherwise"},
};
constexpr ctl_argument group_places[] = {
  {"NAME", "name", "Share Name"},
  {"FILTER", "filter", "Topic filter, without $share/NAME/"},
};
constexpr ctl_argument directory_place[] = {
  {"DIR", "directory", "A new directory on the same file system"},
};

// ---- the table -------------------------------------------------------------

constexpr ctl_command changing(ctl_command x) {
  x.changes = true;
  return x;
}

constexpr ctl_command commands[] = {
  {"status", "How the node is, and what it holds", {}, status, print_status},
  {"clients list", "The clients that are connected", list_clients, clients_list,
   print_clients},
  {"clients show", "One client, connected or not, and its subscriptions",
   client_place, clients_show, print_client},
  changing({"clients kick", "Disconnect a client; its session stays",
            client_place, clients_kick, print_disconnected}),
  changing({"clients disconnect",
            "Disconnect a client, and end its session if wanted",
            disconnect_client, clients_disconnect, print_disconnected}),
  {"subscriptions", "Subscriptions, also of durable sessions that are away",
   list_subscriptions, subscriptions, print_subscriptions},
  {"topics", "Topic filters and how many subscribers each has", list_topics,
   topics, print_topics},
  {"retained list", "Retained messages", list_retained, retained_list,
   print_retained_list},
  {"retained show", "One retained message and its payload", topic_place,
   retained_show, print_retained},
  changing({"retained delete", "Remove a retained message", topic_place,
            retained_delete, print_retained_deleted}),
  changing({"publish", "Publish a message and wait until it is accepted",
            publish_message, publish, print_published, prepare_publish}),
  {"ban list", "The bans that are in force", list_bans, ban_list, print_bans},
  changing({"ban add", "Keep clients out, also those that are connected",
            add_ban, ban_add, print_banned}),
  changing({"ban delete", "Let them connect again", delete_ban, ban_delete,
            print_unbanned}),
  changing({"ban unlock",
            "Lift what too many wrong passwords led to (login.locked in the "
            "log)",
            unlock_places, ban_unlock, print_unlocked}),
  {"listeners list",
   "Where clients may connect, and how many did",
   {},
   listeners_list,
   print_listeners},
  changing({"listeners start", "Open a listener that was stopped",
            listener_place, listeners_start, print_listener}),
  changing({"listeners stop", "Close a listener and end its connections",
            listener_place, listeners_stop, print_listener}),
  {"metrics", "Everything that is counted", filter_option, metrics,
   print_metrics},
  changing({"reload",
            "Read configuration, users, rules and certificates again",
            {},
            reload,
            print_reload}),
  {"config diff", "What a configuration file would change", file_place,
   config_diff, print_diff, prepare_diff},
  changing({"log level", "The level of the log; set it until the next reload",
            level_place, log_level, print_log_level}),
  {"top", "The busiest clients and topics, again every two seconds",
   top_options, top, print_top, nullptr, watch_top},
  {"hops", "How long messages take from hop to hop", {}, hops, print_hops},
  {"slow",
   "The slowest subscribers of late (slow_subs.enable)",
   {},
   slow,
   print_slow},
  {"alarms", "What is wrong with the node now", alarms_arguments, alarms,
   print_alarms},
  changing({"trace start",
            "Write what a client does, or becomes of messages, to a file",
            trace_start_arguments, trace_start, print_trace_started}),
  changing({"trace stop", "End a trace; its file stays", trace_place,
            trace_stop, print_trace_stopped}),
  {"trace list", "The traces and their files", {}, trace_list, print_traces},
  {"trace show", "The lines of a trace: JSON, one object each",
   trace_show_arguments, trace_show, print_trace, nullptr, show_trace},
  changing({"trace delete", "Take a trace and its file away", trace_place,
            trace_delete, print_trace_deleted}),
  {"backlog",
   "Who keeps most of what is stored, as it was found last "
   "(storage.sweep_interval)",
   {},
   backlog,
   print_backlog},
  {"groups list",
   "Shared groups that messages are kept for",
   {},
   groups_list,
   print_groups},
  changing({"groups create",
            "Keep messages for a shared group that has no members yet",
            group_places, groups_create, print_group}),
  changing({"groups delete", "Keep them no longer than it has members",
            group_places, groups_delete, print_group}),
  changing({"backup", "Copy the data of the running broker", directory_place,
            backup, print_backup, nullptr, nullptr, true}),
};

constexpr ctl_group groups[] = {
  {"clients", "Clients and their sessions"},
  {"retained", "Retained messages"},
  {"ban", "Who may not connect"},
  {"listeners", "Where clients connect"},
  {"config", "The configuration of the running broker"},
  {"log", "The broker's log"},
  {"groups", "Durable shared groups"},
  {"trace", "What clients do and what becomes of messages, in files"},
};

bool is_required(const ctl_argument& x) {
  return !x.name.starts_with("--") && !x.name.starts_with("[");
}

} // namespace

std::span<const ctl_command> ctl_commands() { return commands; }

std::span<const ctl_group> ctl_groups() { return groups; }

std::variant<ctl_request, ctl_failure> read_ctl(std::string_view request,
                                                const std::string& by) {
  boost::system::error_code error;
  const auto parsed = json::parse(request, error);
  if (error || !parsed.is_object())
    return ctl_failure{exit_usage, "the request is no JSON object"};
  const auto& asked = parsed.get_object();
  const auto name = text_in(asked, "command");
  const auto* found =
    std::find_if(std::begin(commands), std::end(commands),
                 [&](const ctl_command& x) { return x.name == name; });
  if (found == std::end(commands))
    return ctl_failure{exit_usage, "the broker knows no command \""
                                     + printable(name)
                                     + "\": is it of another version?"};
  json::object with;
  if (const auto* x = asked.if_contains("with"); x != nullptr && x->is_object())
    with = x->get_object();
  for (const auto& x : found->arguments)
    if (is_required(x) && text_in(with, x.key).empty())
      return ctl_failure{exit_usage, std::string{x.name} + " is missing"};
  with["by"] = by;
  return ctl_request{found, std::move(with)};
}

std::string account_of(const ctl_request& asked, const ctl_answer& answer) {
  const auto& what = *asked.command;
  if (!what.changes)
    return {};
  constexpr std::size_t longest = 256;
  std::string said;
  for (const auto& x : what.arguments) {
    if (!asked.with.contains(x.key) || x.as == ctl_argument::kind::content)
      continue;
    if (x.name.starts_with("--"))
      said += ' ' + std::string{x.name};
    if (x.as != flag)
      said += ' ' + one_word(shortened(text_in(asked.with, x.key), longest));
  }
  // What may be left out, such as the level of the log, is what it changes.
  if (said.empty() && !what.arguments.empty())
    return {};
  auto text = text_in(asked.with, "by") + ": " + std::string{what.name} + said;
  if (const auto* why = std::get_if<ctl_failure>(&answer))
    text += "; it failed: " + shortened(why->text, longest);
  return text;
}

std::string ctl_reply(ctl_answer&& answer) {
  json::object made;
  if (const auto* why = std::get_if<ctl_failure>(&answer))
    made["error"] = {{"code", static_cast<int>(why->code)},
                     {"text", why->text}};
  else
    made["answer"] = std::move(std::get<json::value>(answer));
  return json::serialize(made);
}

} // namespace troupe::server
