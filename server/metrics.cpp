#include "server/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace troupe::server {

namespace {

using numbers = actors::node::numbers;
using of_reactor = numbers::of_reactor;
using of_kind = of_reactor::of_kind;

/// Quoted, as the text format wants it.
std::string label_value(std::string_view text) {
  std::string made = "\"";
  for (const char c : text)
    if (c == '\n')
      made += "\\n";
    else if (c == '"' || c == '\\')
      made += {'\\', c};
    else
      made += c;
  return made + '"';
}

class table {
public:
  std::vector<metric> rows;

  template <class Read>
  void add(std::string name, metric_type type, std::string_view help,
           Read read) {
    rows.push_back({std::move(name),
                    type,
                    std::string{help},
                    {},
                    [read](const observation& of, std::vector<sample>& out) {
                      out.push_back({{}, static_cast<double>(read(of))});
                    }});
  }

  void of_node(std::string_view name, std::int64_t numbers::*member,
               std::string_view help) {
    add("troupe_" + std::string{name} + "_count", metric_type::gauge, help,
        [member](const observation& of) { return of.node.*member; });
  }

  /// @param divide_by  1e9 for what is kept in nanoseconds.
  template <class T>
  void of_reactors(std::string_view name, metric_type type,
                   T of_reactor::*member, std::string_view help,
                   double divide_by = 1) {
    rows.push_back(
      {"troupe_reactor_" + std::string{name}, type, std::string{help},
       "reactor", [=](const observation& of, std::vector<sample>& out) {
         for (std::size_t i = 0; i < of.node.reactors.size(); ++i)
           out.push_back(
             {fmt::format("reactor=\"{}\"", i),
              static_cast<double>(of.node.reactors[i].*member) / divide_by});
       }});
  }

  /// Of each kind of actor on each reactor.
  void of_kinds(std::string_view name, metric_type type,
                std::uint64_t of_kind::*member, std::string_view help,
                double divide_by = 1) {
    rows.push_back(
      {"troupe_actor_" + std::string{name}, type, std::string{help},
       "reactor, kind", [=](const observation& of, std::vector<sample>& out) {
         for (std::size_t i = 0; i < of.node.reactors.size(); ++i)
           for (std::size_t k = 0; k < actors::actor_kind_names.size(); ++k)
             out.push_back(
               {fmt::format("reactor=\"{}\",kind=\"{}\"", i,
                            actors::actor_kind_names[k]),
                static_cast<double>(of.node.reactors[i].kinds[k].*member)
                  / divide_by});
       }});
  }
};

void add_counters(table& to) {
  for (std::size_t i = 0; i < actors::counter_descriptions.size(); ++i) {
    const auto& from = actors::counter_descriptions[i];
    std::string name{from.dotted};
    std::replace(name.begin(), name.end(), '.', '_');
    to.add("troupe_" + name, metric_type::counter, from.help,
           [i](const observation& of) { return of.node.counters[i]; });
  }
}

void add_gauges(table& to) {
  to.of_node("connections", &numbers::connections, "Clients connected now");
  to.of_node("sessions", &numbers::sessions,
             "Sessions, those without a connection included");
  to.of_node("sessions_offline", &numbers::offline_sessions,
             "Sessions without a connection");
  to.of_node("subscriptions", &numbers::subscriptions,
             "Subscriptions of sessions that are connected");
  to.of_node("topics", &numbers::filters, "Topic filters in the index");
  to.of_node("retained", &numbers::retained, "Retained messages");
  to.of_node("delayed", &numbers::delayed,
             "Messages to `$delayed` that wait for their time");
  to.of_node("messages_stored", &numbers::stored,
             "Messages kept for sessions without a connection");
  to.of_node("messages_inflight", &numbers::in_flight,
             "Messages sent to connected clients and not acknowledged");
  to.of_node("messages_queued", &numbers::queued,
             "Messages that wait for connected clients");
}

void add_reactors(table& to) {
  constexpr auto counter = metric_type::counter;
  constexpr auto gauge = metric_type::gauge;
  to.of_reactors("turns_total", counter, &of_reactor::turns,
                 "Turns that had something to do");
  to.of_reactors("turn_seconds_total", counter, &of_reactor::turn_nanoseconds,
                 "Time these turns took", 1e9);
  to.of_reactors("longest_turn_seconds", gauge,
                 &of_reactor::longest_turn_nanoseconds,
                 "The longest turn since the start", 1e9);
  to.of_reactors("socket_events_total", counter, &of_reactor::socket_events,
                 "Sockets that were found ready");
  to.of_reactors("wake_ups_total", counter, &of_reactor::wake_ups,
                 "Times it was woken by another thread");
  to.of_reactors("mails_total", counter, &of_reactor::mails,
                 "Messages taken from the mailboxes of its actors");
  to.of_reactors("batches_total", counter, &of_reactor::batches,
                 "Batches sent to other reactors");
  to.of_reactors("batch_items_total", counter, &of_reactor::batch_items,
                 "Items in these batches");
  to.of_reactors("credit_stalls_total", counter, &of_reactor::credit_stalls,
                 "Turns in which sockets were not read for want of credit");
  to.of_reactors("connections", gauge, &of_reactor::connections,
                 "Clients connected to it now");
  to.of_reactors("credit_used", gauge, &of_reactor::credit_used,
                 "Items on the way to other reactors");
  to.of_reactors("helped_total", counter, &of_reactor::helped,
                 "Turns that another reactor's thread took while it slept");
  to.of_kinds("runs_total", counter, &of_kind::runs,
              "Times that an actor of the kind had mail");
  to.of_kinds("mails_total", counter, &of_kind::mails,
              "Messages that it found, in all");
  to.of_kinds("mailbox_deepest", gauge, &of_kind::deepest,
              "Most messages found in one mailbox since the start");
  to.of_kinds("run_seconds_total", counter, &of_kind::nanoseconds,
              "Time spent on them", 1e9);
}

void add_hops(table& to) {
  to.rows.push_back(
    {"troupe_hop_seconds", metric_type::histogram,
     "How long messages take: `routed` (received, until their receivers' "
     "reactors have them, without a shard), `committed` (received, until they "
     "are in the log), `written` (taken by a receiver's session, until the "
     "socket has them), `whole` (received, until the socket has them; QoS 0 "
     "and 1); and `turn`, the turns of reactors. `troupe ctl hops` has finer "
     "figures",
     "hop, le", [](const observation& of, std::vector<sample>& out) {
       using std::chrono::microseconds;
       static constexpr std::int64_t ends[] = {
         100,     250,     500,       1'000,     2'500,
         5'000,   10'000,  25'000,    50'000,    100'000,
         250'000, 500'000, 1'000'000, 2'500'000, 10'000'000};
       for (std::size_t i = 0; i < of.hops.size(); ++i) {
         const auto& x = of.hops.at(i);
         const auto name = fmt::format("hop=\"{}\"", actors::hop_names.at(i));
         const auto bucket = [&](const std::string& end, std::uint64_t count) {
           out.push_back({fmt::format("{},le=\"{}\"", name, end),
                          static_cast<double>(count), "_bucket"});
         };
         for (const auto end : ends)
           bucket(print(static_cast<double>(end) / 1e6),
                  x.below(microseconds{end}));
         bucket("+Inf", x.count());
         out.push_back(
           {name, static_cast<double>(x.sum().count()) / 1e6, "_sum"});
         out.push_back({name, static_cast<double>(x.count()), "_count"});
       }
     }});
}

void add_waiting(table& to) {
  using waiting = actors::node::waiting;
  const auto add = [&](std::string_view name, std::uint64_t waiting::*member,
                       std::string_view help) {
    to.add("troupe_waiting_" + std::string{name}, metric_type::gauge, help,
           [=](const observation& of) { return of.waiting.*member; });
  };
  add("commit_bytes", &waiting::uncommitted_bytes,
      "Bytes of publications that wait to be committed");
  add("queue_bytes", &waiting::queued_bytes,
      "Bytes in the queues of connected clients");
  add("socket_bytes", &waiting::unsent_bytes,
      "Bytes for sockets that take no more");
  add("sockets", &waiting::blocked, "Sockets that take no more");
  to.add(
    "troupe_overload_level", metric_type::gauge,
    "0: none; 1: QoS 0 to slow readers is dropped; 2: publishers are "
    "slowed down, too; 3: connections are refused, too",
    [](const observation& of) { return static_cast<int>(of.waiting.level); });
  to.rows.push_back({"troupe_alarm_active", metric_type::gauge,
                     "1 for each alarm that is active; others are not shown",
                     "name",
                     [](const observation& of, std::vector<sample>& out) {
                       for (const auto& x : of.alarms)
                         out.push_back({"name=" + label_value(x), 1});
                     }});
}

void add_storage(table& to) {
  constexpr auto counter = metric_type::counter;
  constexpr auto gauge = metric_type::gauge;
  using of_storage = numbers::of_storage;
  const auto add = [&](std::string_view name, metric_type type,
                       std::uint64_t of_storage::*member, std::string_view help,
                       double divide_by = 1) {
    to.add("troupe_storage_" + std::string{name}, type, help,
           [=](const observation& of) {
             return static_cast<double>(of.node.storage.*member) / divide_by;
           });
  };
  add("log_groups_total", counter, &of_storage::log_groups,
      "Writes to the log, each of what all shards had");
  add("log_entries_total", counter, &of_storage::log_entries,
      "Entries of shards in these");
  add("log_bytes_total", counter, &of_storage::log_bytes, "Bytes of these");
  add("log_write_seconds_total", counter, &of_storage::log_write_nanoseconds,
      "Time these writes took, until they were on the disk", 1e9);
  add("log_longest_write_seconds", gauge,
      &of_storage::log_longest_write_nanoseconds,
      "The longest write to the log since the start", 1e9);
  add("log_largest_group", gauge, &of_storage::log_largest_group,
      "Most entries in one write");
  add("log_disk_bytes", gauge, &of_storage::log_disk_bytes,
      "Bytes of the log's files");
  add("state_writes_total", counter, &of_storage::state_writes,
      "Writes of what changed in a shard to the state database");
  add("state_rows_total", counter, &of_storage::state_rows, "Rows in these");
  add("state_bytes_total", counter, &of_storage::state_bytes, "Bytes of these");
  add("state_syncs_total", counter, &of_storage::state_syncs,
      "Times the state database was synced");
  add("state_sync_seconds_total", counter, &of_storage::state_sync_nanoseconds,
      "Time these took", 1e9);
  add("state_writes_queued", gauge, &of_storage::state_queued,
      "Writes to the state database that are waiting");
  add("state_disk_bytes", gauge, &of_storage::state_disk_bytes,
      "Bytes of the state database's files");
  add("disk_free_bytes", gauge, &of_storage::free_bytes,
      "Free space of the disk that the databases are on");
  add("disk_level", gauge, &of_storage::space,
      "0: enough room; 1: below storage.low_space; 2: below "
      "storage.full_space, so that what needs the disk is refused");
  add("backlog_bytes", gauge, &of_storage::backlog_bytes,
      "Bytes of the messages in the state database that are kept for somebody, "
      "or were and are not cleaned away; `troupe ctl backlog` shows for whom");
  add("resident_rows", gauge, &of_storage::resident_rows,
      "Rows of the state that are in memory: needed lately, or not written");
  add("exact_filter_bytes", gauge, &of_storage::exact_filter_bytes,
      "Memory of the set of durable filters without wildcards");
  add("cache_bytes", gauge, &of_storage::cache_bytes,
      "Memory of both databases: rows not in sorted files yet, and what was "
      "read of these");
  add("clock_jump_seconds", gauge, &of_storage::clock_jump_ms,
      "How far the wall clock was beyond durability.max_clock_jump at the "
      "start; above 0, see the log",
      1e3);
}

void add_process(table& to) {
  constexpr auto gauge = metric_type::gauge;
  to.add("process_resident_memory_bytes", gauge, "Memory in use",
         [](const observation& of) { return of.process.resident_bytes; });
  to.add("process_heap_bytes", gauge, "Memory that was allocated and not freed",
         [](const observation& of) { return of.process.heap_bytes; });
  to.add("process_virtual_memory_bytes", gauge, "Address space in use",
         [](const observation& of) { return of.process.virtual_bytes; });
  to.add("process_cpu_seconds_total", metric_type::counter,
         "Time of processors, in user and kernel mode",
         [](const observation& of) { return of.process.cpu_seconds; });
  to.add("process_threads", gauge, "Threads",
         [](const observation& of) { return of.process.threads; });
  to.add("process_open_fds", gauge,
         "Open files and sockets; with `node.own_file_tables` those of the "
         "main thread",
         [](const observation& of) { return of.process.open_files; });
  to.add("process_max_fds", gauge, "Most open files and sockets allowed",
         [](const observation& of) { return of.process.max_files; });
  to.add("troupe_uptime_seconds", gauge, "Time since the start",
         [](const observation& of) { return of.uptime.count(); });
  to.rows.push_back({"troupe_build_info", gauge,
                     "Always 1; the label says which program", "version",
                     [](const observation&, std::vector<sample>& out) {
                       out.push_back({"version=\"" TROUPE_VERSION "\"", 1});
                     }});
}

} // namespace

observation observe(actors::node& of) {
  observation x{of.count_all(), figures_of_this_process(),
                of.uptime(),    of.hops(),
                of.load(),      {}};
  for (const auto& one : of.alarms().active())
    x.alarms.push_back(one.name);
  return x;
}

std::string_view to_string(metric_type x) {
  switch (x) {
  case metric_type::counter:
    return "counter";
  case metric_type::gauge:
    return "gauge";
  case metric_type::histogram:
    break;
  }
  return "histogram";
}

const std::vector<metric>& all_metrics() {
  static const auto made = [] {
    table all;
    add_gauges(all);
    add_counters(all);
    add_reactors(all);
    add_hops(all);
    add_waiting(all);
    add_storage(all);
    add_process(all);
    return std::move(all.rows);
  }();
  return made;
}

std::string print(double value) {
  constexpr double exact = 9'007'199'254'740'992.0; // 2^53
  if (std::trunc(value) == value && std::abs(value) <= exact)
    return fmt::format("{}", static_cast<std::int64_t>(value));
  return fmt::format("{}", value);
}

std::string prometheus_text(const observation& of) {
  std::string text;
  std::vector<sample> samples;
  for (const auto& x : all_metrics()) {
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", x.name, x.help, x.name,
                        to_string(x.type));
    samples.clear();
    x.read(of, samples);
    for (const auto& one : samples)
      if (one.labels.empty())
        text += fmt::format("{} {}\n", x.name, print(one.value));
      else
        text += fmt::format("{}{}{{{}}} {}\n", x.name, one.suffix, one.labels,
                            print(one.value));
  }
  return text;
}

std::string metrics_markdown() {
  std::string text =
    "# Metrics\n\n"
    "<!-- Generated by `troupe metrics docs`: do not edit. -->\n\n"
    "`GET /metrics` of the HTTP listener answers them in the text format of\n"
    "Prometheus, `troupe ctl metrics` lists them. Counters begin with 0 at "
    "the start\nof the process. The names of counters are EMQX's where they "
    "mean the same, with\n`troupe_` for `emqx_`.\n\n"
    "| metric | type | label | |\n|---|---|---|---|\n";
  for (const auto& x : all_metrics())
    text += fmt::format("| `{}` | {} | {} | {} |\n", x.name, to_string(x.type),
                        x.label.empty() ? "" : '`' + x.label + '`', x.help);
  return text;
}

} // namespace troupe::server
