#include "server/ctl_status.hpp"

#include "actors/node_storage.hpp"
#include "server/broker.hpp"
#include "server/json_fields.hpp"
#include "server/metrics.hpp"
#include "server/table.hpp"
#include "server/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <unistd.h>

namespace troupe::server {

namespace json = boost::json;

// ---- status ----------------------------------------------------------------

ctl_answer status(broker& by, const json::object&) {
  auto& of = by.node();
  const auto now = observe(of);
  json::array listeners;
  for (const auto& x : of.listeners())
    listeners.push_back(json::object{{"id", x.id}, {"address", x.address}});
  if (!by.http().address().empty())
    listeners.push_back(
      json::object{{"id", "http"}, {"address", by.http().address()}});
  return json::object{{"node", of.options().name},
                      {"node_status", "running"},
                      {"version", TROUPE_VERSION},
                      {"pid", ::getpid()},
                      {"uptime", now.uptime.count()},
                      {"data_dir", by.settings().node.data_dir},
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

// ---- metrics ---------------------------------------------------------------

ctl_answer metrics(actors::node& of, const json::object& with) {
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
        {"name", one.labels.empty() ? x.name : x.name + '{' + one.labels + '}'},
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

ctl_answer backup(actors::node& of, const json::object& with) {
  static std::mutex one_at_a_time;
  const std::unique_lock mine(one_at_a_time, std::try_to_lock);
  if (!mine)
    return ctl_failure{exit_unavailable, "another backup is under way"};
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

} // namespace troupe::server
