#include "server/ctl_commands.hpp"

#include "actors/node_storage.hpp"
#include "server/ctl_alarms.hpp"
#include "server/ctl_backlog.hpp"
#include "server/ctl_hops.hpp"
#include "server/ctl_trace.hpp"
#include "server/json_fields.hpp"
#include "server/metrics.hpp"
#include "server/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unistd.h>

namespace troupe::server {

namespace json = boost::json;

namespace {

// ---- status ----------------------------------------------------------------

ctl_answer status(actors::node& of, const ctl_facts& facts,
                  const json::object&) {
  const auto now = observe(of);
  json::array listeners;
  for (const auto& x : of.listeners())
    listeners.push_back(json::object{{"id", x.id}, {"address", x.address}});
  if (!facts.http_address.empty())
    listeners.push_back(
      json::object{{"id", "http"}, {"address", facts.http_address}});
  return json::object{{"node", of.options().name},
                      {"node_status", "running"},
                      {"version", TROUPE_VERSION},
                      {"pid", ::getpid()},
                      {"uptime", now.uptime.count()},
                      {"data_dir", facts.data_dir},
                      {"listeners", std::move(listeners)},
                      {"reactors", now.node.reactors.size()},
                      {"connections", now.node.connections},
                      {"sessions", now.node.sessions},
                      {"sessions_offline", now.node.offline_sessions},
                      {"subscriptions", now.node.subscriptions},
                      {"topics", now.node.filters},
                      {"retained", now.node.retained},
                      {"delayed", now.node.delayed},
                      {"messages_stored", now.node.stored},
                      {"messages_inflight", now.node.in_flight},
                      {"messages_queued", now.node.queued},
                      {"memory_resident", now.process.resident_bytes},
                      {"cpu_seconds", now.process.cpu_seconds}};
}

std::string print_status(const json::value& answer) {
  const auto& x = answer.as_object();
  std::string text =
    fmt::format("node {} is {} since {}: version {}, process {}, {} of "
                "memory\ndata in {}\n",
                text_in(x, "node"), text_in(x, "node_status"),
                print_duration(number_in(x, "uptime")), text_in(x, "version"),
                text_in(x, "pid"), print_bytes(number_in(x, "memory_resident")),
                text_in(x, "data_dir"));
  for (const auto& one : x.at("listeners").as_array())
    text += fmt::format("listening on {} {}\n", text_in(one.as_object(), "id"),
                        text_in(one.as_object(), "address"));
  table figures({"figure", "count"});
  for (const auto* key :
       {"reactors", "connections", "sessions", "sessions_offline",
        "subscriptions", "topics", "retained", "delayed", "messages_stored",
        "messages_inflight", "messages_queued"})
    figures.add({key, text_in(x, key)});
  return text + '\n' + figures.text();
}

// ---- clients ---------------------------------------------------------------

const char* name_of(protocol::protocol_version x) {
  switch (x) {
  case protocol::protocol_version::mqtt_3_1:
    return "3.1";
  case protocol::protocol_version::mqtt_3_1_1:
    return "3.1.1";
  case protocol::protocol_version::mqtt_5_0:
    break;
  }
  return "5.0";
}

/// The names are those of EMQX's client objects where the thing is the same.
json::object object_of(const actors::connection::info& x) {
  const auto colon = x.peer.rfind(':');
  std::uint64_t port = 0;
  std::string address = x.peer;
  if (colon != std::string::npos) {
    port = std::strtoul(x.peer.c_str() + colon + 1, nullptr, 10);
    address = x.peer.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']'))
      address = address.substr(1, address.size() - 2);
  }
  return {{"clientid", x.client_id},
          {"username", x.user_name.empty() ? json::value(nullptr)
                                           : json::value(x.user_name)},
          {"connected", true},
          {"listener", x.listener},
          {"ip_address", std::move(address)},
          {"port", port},
          {"proto_name", x.version == protocol::protocol_version::mqtt_3_1
                           ? "MQIsdp"
                           : "MQTT"},
          {"proto_ver", static_cast<int>(x.version)},
          {"protocol", name_of(x.version)},
          {"keepalive", x.keep_alive},
          {"clean_start", x.clean_start},
          {"expiry_interval", x.expiry_interval},
          {"connected_for", x.connected_for.count()},
          {"subscriptions_cnt", x.subscriptions},
          {"inflight_cnt", x.in_flight},
          {"mqueue_len", x.queued},
          {"recv_pkt", x.received},
          {"send_pkt", x.sent}};
}

ctl_answer clients_list(actors::node& of, const ctl_facts&,
                        const json::object&) {
  auto all = of.clients();
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.client_id < b.client_id;
  });
  json::array rows;
  rows.reserve(all.size());
  for (const auto& x : all)
    rows.push_back(object_of(x));
  return rows;
}

std::string address_in(const json::object& x) {
  const auto host = text_in(x, "ip_address");
  return (host.find(':') == std::string::npos ? host : '[' + host + ']') + ':'
         + text_in(x, "port");
}

std::string print_clients(const json::value& answer) {
  table rows({"client", "peer", "mqtt", "keep alive", "connected for",
              "subscriptions", "in flight", "queued", "received", "sent"});
  for (const auto& one : answer.as_array()) {
    const auto& x = one.as_object();
    rows.add({text_in(x, "clientid"), address_in(x), text_in(x, "protocol"),
              text_in(x, "keepalive"),
              print_duration(number_in(x, "connected_for")),
              text_in(x, "subscriptions_cnt"), text_in(x, "inflight_cnt"),
              text_in(x, "mqueue_len"), text_in(x, "recv_pkt"),
              text_in(x, "send_pkt")});
  }
  return rows.text();
}

ctl_failure no_such_client(std::string_view id) {
  return {exit_failure, "no client \"" + printable(id)
                          + "\" is connected; troupe ctl "
                            "clients list shows those that are"};
}

json::array subscriptions_of(actors::node& of, std::string_view only) {
  auto all = of.subscriptions();
  if (!only.empty())
    std::erase_if(all, [&](const auto& x) { return x.client_id != only; });
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(a.client_id, a.what.filter, a.what.share_name)
           < std::tie(b.client_id, b.what.filter, b.what.share_name);
  });
  json::array rows;
  rows.reserve(all.size());
  for (const auto& x : all) {
    const auto& how = x.what.options;
    rows.push_back(json::object{
      {"clientid", x.client_id},
      {"topic", x.what.share_name.empty()
                  ? x.what.filter
                  : "$share/" + x.what.share_name + '/' + x.what.filter},
      {"qos", static_cast<int>(how.maximum_qos)},
      {"nl", how.no_local ? 1 : 0},
      {"rap", how.retain_as_published ? 1 : 0},
      {"rh", static_cast<int>(how.handling)},
      {"subscription_identifier", x.what.identifier == 0
                                    ? json::value(nullptr)
                                    : json::value(x.what.identifier)}});
  }
  return rows;
}

std::string print_subscriptions(const json::value& answer) {
  table rows({"client", "topic filter", "qos", "no local",
              "retain as published", "retain handling", "identifier"});
  for (const auto& one : answer.as_array()) {
    const auto& x = one.as_object();
    rows.add({text_in(x, "clientid"), text_in(x, "topic"), text_in(x, "qos"),
              text_in(x, "nl"), text_in(x, "rap"), text_in(x, "rh"),
              text_in(x, "subscription_identifier")});
  }
  return rows.text();
}

ctl_answer clients_show(actors::node& of, const ctl_facts&,
                        const json::object& with) {
  const auto id = text_in(with, "id");
  const auto found = of.client(id);
  if (!found)
    return no_such_client(id);
  auto x = object_of(*found);
  x["subscriptions"] = subscriptions_of(of, id);
  return x;
}

std::string print_client(const json::value& answer) {
  table rows({"client", text_in(answer.as_object(), "clientid")});
  for (const auto& x : answer.as_object())
    if (x.key() != "clientid" && x.key() != "subscriptions")
      rows.add({std::string{x.key()}, text_in(answer.as_object(), x.key())});
  auto text = rows.text();
  if (const auto& its = answer.at("subscriptions"); !its.as_array().empty())
    text += '\n' + print_subscriptions(its);
  return text;
}

ctl_answer clients_kick(actors::node& of, const ctl_facts&,
                        const json::object& with) {
  const auto id = text_in(with, "id");
  if (!of.kick_client(id))
    return no_such_client(id);
  return json::object{{"clientid", id}, {"kicked", true}};
}

std::string print_kicked(const json::value& answer) {
  return "client \"" + printable(text_in(answer.as_object(), "clientid"))
         + "\" was disconnected\n";
}

// ---- subscriptions, metrics ------------------------------------------------

ctl_answer subscriptions(actors::node& of, const ctl_facts&,
                         const json::object& with) {
  const auto client = text_in(with, "client");
  if (!client.empty() && !of.client(client))
    return no_such_client(client);
  return subscriptions_of(of, client);
}

/// Whole numbers as such: programs may read them into integers.
json::value number_of(double x) {
  const auto whole = static_cast<std::int64_t>(x);
  return static_cast<double>(whole) == x ? json::value(whole) : json::value(x);
}

ctl_answer metrics(actors::node& of, const ctl_facts&,
                   const json::object& with) {
  auto filter = text_in(with, "filter");
  // EMQX's names are found as well.
  std::replace(filter.begin(), filter.end(), '.', '_');
  const auto now = observe(of);
  json::array rows;
  std::vector<sample> samples;
  for (const auto& x : all_metrics()) {
    if (x.name.find(filter) == std::string::npos)
      continue;
    samples.clear();
    x.read(now, samples);
    for (const auto& one : samples)
      rows.push_back(json::object{
        {"name", one.labels.empty()
                   ? x.name
                   : x.name + std::string{one.suffix} + '{' + one.labels + '}'},
        {"type", to_string(x.type)},
        {"value", number_of(one.value)},
        {"help", x.help}});
  }
  return rows;
}

std::string print_metrics(const json::value& answer) {
  table rows({"metric", "value"});
  for (const auto& one : answer.as_array())
    rows.add(
      {text_in(one.as_object(), "name"), text_in(one.as_object(), "value")});
  return rows.text();
}

// ---- backup ----------------------------------------------------------------

ctl_answer backup(actors::node& of, const ctl_facts&,
                  const json::object& with) {
  const std::filesystem::path directory = text_in(with, "directory");
  if (of.storage() == nullptr)
    return ctl_failure{exit_failure,
                       "there is nothing to copy: storage.enable is false"};
  if (!directory.is_absolute())
    return ctl_failure{exit_usage,
                       "DIR has to be an absolute path: the broker may run "
                       "in another directory"};
  try {
    of.storage()->backup(directory);
  } catch (const std::exception& e) {
    return ctl_failure{exit_unavailable, e.what()};
  }
  return json::object{{"backup", directory.string()}};
}

std::string print_backup(const json::value& answer) {
  return "the data was copied to "
         + printable(text_in(answer.as_object(), "backup"))
         + "; troupe restore makes a data directory of it\n";
}

// ---- the table -------------------------------------------------------------

constexpr ctl_argument client_place[] = {
  {"ID", "id", "Client identifier"},
};
constexpr ctl_argument client_option[] = {
  {"--client", "client", "Only those of this client identifier"},
};
constexpr ctl_argument filter_option[] = {
  {"--filter", "filter", "Only those whose name has this text in it"},
};

constexpr ctl_argument directory_place[] = {
  {"DIR", "directory", "A new directory on the same file system"},
};

constexpr ctl_argument group_places[] = {
  {"NAME", "name", "Share Name"},
  {"FILTER", "filter", "Topic filter, without $share/NAME/"},
};

/// A command that needs the node only.
template <ctl_answer (*F)(actors::node&, const json::object&)>
ctl_answer of_node(actors::node& of, const ctl_facts&,
                   const json::object& with) {
  return F(of, with);
}

constexpr ctl_command commands[] = {
  {"status", "How the node is, and what it holds", {}, status, print_status},
  {"clients list",
   "The clients that are connected",
   {},
   clients_list,
   print_clients},
  {"clients show", "One client and its subscriptions", client_place,
   clients_show, print_client},
  {"clients kick", "Disconnect a client", client_place, clients_kick,
   print_kicked},
  {"subscriptions", "The subscriptions of connected clients", client_option,
   subscriptions, print_subscriptions},
  {"metrics", "Everything that is counted", filter_option, metrics,
   print_metrics},
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
  {"groups create", "Keep messages for a shared group that has no members yet",
   group_places, groups_create, print_group},
  {"groups delete", "Keep them no longer than it has members", group_places,
   groups_delete, print_group},
  {"hops",
   "How long messages take within the broker",
   {},
   of_node<hops>,
   print_hops},
  {"slow",
   "The slowest subscribers of late (slow_subs.enable)",
   {},
   of_node<slow>,
   print_slow},
  {"alarms", "What is wrong with the node now", alarms_arguments,
   of_node<alarms>, print_alarms},
  {"trace start", "Write what a client does, or becomes of messages, to a file",
   trace_start_arguments, of_node<trace_start>, print_trace_started},
  {"trace stop", "End a trace; its file stays", trace_place,
   of_node<trace_stop>, print_trace_stopped},
  {"trace list",
   "The traces and their files",
   {},
   of_node<trace_list>,
   print_traces},
  {"trace show", "The lines of a trace: JSON, one object each",
   trace_show_arguments, of_node<trace_show>, print_trace, show_trace},
  {"trace delete", "Take a trace and its file away", trace_place,
   of_node<trace_delete>, print_trace_deleted},
  {"backup", "Copy the data of the running broker", directory_place, backup,
   print_backup},
};

constexpr ctl_group groups[] = {
  {"clients", "Connected clients"},
  {"groups", "Durable shared groups"},
  {"trace", "What clients do and what becomes of messages, in files"},
};

ctl_answer carry_out(std::string_view request, actors::node& of,
                     const ctl_facts& facts) {
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
    if (!x.name.starts_with("--") && text_in(with, x.key).empty())
      return ctl_failure{exit_usage, std::string{x.name} + " is missing"};
  return found->answer(of, facts, with);
}

} // namespace

std::span<const ctl_command> ctl_commands() { return commands; }

std::span<const ctl_group> ctl_groups() { return groups; }

json::value ctl_error(const ctl_failure& why) {
  return {
    {"error", {{"code", static_cast<int>(why.code)}, {"text", why.text}}}};
}

json::value answer_ctl(std::string_view request, actors::node& of,
                       const ctl_facts& facts) {
  auto answer = carry_out(request, of, facts);
  if (const auto* why = std::get_if<ctl_failure>(&answer))
    return ctl_error(*why);
  json::object made;
  made["answer"] = std::move(std::get<json::value>(answer));
  return made;
}

} // namespace troupe::server
