#include "bench/load/options.hpp"

#include "bench/load/publish_template.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <unistd.h>

namespace troupe::bench {

namespace {

constexpr int bad_options = 2;

/// One option of `double` seconds.
CLI::Option* add_seconds(CLI::App& app, const std::string& name,
                         seconds_f& target, const std::string& help) {
  auto* added = app.add_option_function<double>(
    name, [&target](double x) { target = seconds_f{x}; }, help);
  return added->check(CLI::NonNegativeNumber)
    ->default_str(CLI::detail::to_string(target.count()));
}

template <class T>
CLI::Option* add_count(CLI::App& app, const std::string& name, T& target,
                       const std::string& help) {
  return app.add_option(name, target, help)
    ->check(CLI::Range(1U, 100'000'000U))
    ->capture_default_str();
}

void add_common(CLI::App& app, options& o) {
  app.add_option("--host", o.host, "Host name or address of the broker")
    ->capture_default_str();
  app.add_option("--port", o.port, "TCP port of the broker")
    ->check(CLI::Range(1U, 65'535U))
    ->capture_default_str();
  app
    .add_option_function<std::string>(
      "--version",
      [&o](const std::string& text) {
        o.version = text == "5" ? protocol_version::mqtt_5_0
                                : protocol_version::mqtt_3_1_1;
      },
      "Version of MQTT")
    ->check(CLI::IsMember({"3.1.1", "5"}))
    ->default_str("3.1.1");
  app.add_option("--username", o.user, "User name for CONNECT");
  app.add_option("--password", o.password, "Password for CONNECT");
  app
    .add_option("--client-prefix", o.client_prefix,
                "Beginning of the client identifiers")
    ->default_str("troupe-bench-PID");
  app.add_option("--topic-prefix", o.topic_prefix,
                 "Put before each topic, for example \"bench/\"");
  app.add_option("--keep-alive", o.keep_alive, "Seconds, 0 turns it off")
    ->capture_default_str();
  app.add_option("--source", o.source,
                 "Local addresses, such as 127.0.0.2-127.0.0.21");
  add_count(app, "--connecting", o.connecting,
            "Connections in the making at once, per thread");
  add_seconds(app, "--timeout", o.timeout,
              "Give up when the set-up stands still for so many seconds");
  app
    .add_option("--pid", o.pid,
                "Process id of the broker: measure its CPU and memory")
    ->check(CLI::Range(1, 1 << 30));
  app.add_flag("--json", o.json, "Print one JSON object, not a table");
  app.add_flag("--progress", o.progress,
               "Show a line of progress even if there is no terminal");
}

void add_threads(CLI::App& app, options& o) {
  app.add_option("--threads", o.threads, "Threads, each with its own clients")
    ->check(CLI::Range(1U, 256U))
    ->capture_default_str();
  app.add_flag("--own-file-tables", o.own_file_tables,
               "Each thread has a table, and so a limit, of open files");
}

/// Options of the modes that send messages.
void add_load(CLI::App& app, options& o) {
  app.add_option("--payload", o.payload, "Bytes, the numbers in it included")
    ->check(CLI::Range(payload_min, std::size_t{16} << 20))
    ->capture_default_str();
  add_seconds(app, "--duration", o.duration, "Seconds to measure");
  add_seconds(app, "--warmup", o.warmup, "Seconds of load before that");
  add_seconds(app, "--drain", o.drain,
              "Seconds without a delivery before the rest counts as lost");
  app.add_flag("--allow-loss", o.allow_loss,
               "Exit with 0 in spite of lost or misordered messages");
}

void add_qos(CLI::App& app, options& o) {
  app.add_option("--qos", o.qos, "Quality of Service, both ways")
    ->check(CLI::Range(0, 2))
    ->capture_default_str();
  app
    .add_option("--inflight", o.inflight,
                "QoS 1 and 2: unacknowledged messages per publisher")
    ->check(CLI::Range(1U, 30'000U))
    ->capture_default_str();
}

void add_outstanding(CLI::App& app, options& o) {
  app
    .add_option("--outstanding", o.outstanding,
                "Messages per publisher that are sent but not yet received")
    ->check(CLI::Range(1U, 1'000'000U))
    ->capture_default_str();
}

void add_rate(CLI::App& app, options& o) {
  app
    .add_option("--rate", o.rate,
                "Messages per second in total, paced whatever the broker "
                "does (an open loop); 0 is a closed loop")
    ->check(CLI::NonNegativeNumber)
    ->capture_default_str();
}

/// The subcommands with defaults of their own, one copy of the options each.
struct commands {
  options pairs, fan_in, fan_out, shared, connect, idle, filters;
};

CLI::App* add_mode(CLI::App& app, options& o, mode what,
                   const std::string& help) {
  o.what = what;
  auto* added = app.add_subcommand(to_string(what), help);
  added->fallthrough(false);
  add_common(*added, o);
  return added;
}

void add_pairs(CLI::App& app, options& o) {
  o.connections = 50;
  auto* at = add_mode(app, o, mode::pairs,
                      "N publishers, each with a subscriber of its own topic");
  add_count(*at, "-n,--pairs", o.connections, "Publishers and subscribers");
  add_load(*at, o);
  add_qos(*at, o);
  add_outstanding(*at, o);
  add_rate(*at, o);
  add_threads(*at, o);
}

void add_fan_in(CLI::App& app, options& o) {
  o.publishers = 1000;
  o.qos = 1;
  o.outstanding = 1;
  auto* at =
    add_mode(app, o, mode::fan_in,
             "N publishers of different topics, one subscriber of all");
  add_count(*at, "-n,--publishers", o.publishers, "Publishers");
  add_load(*at, o);
  add_qos(*at, o);
  add_outstanding(*at, o);
  add_rate(*at, o);
}

void add_fan_out(CLI::App& app, options& o) {
  o.subscribers = 1000;
  auto* at = add_mode(app, o, mode::fan_out,
                      "P publishers of one topic, N subscribers of it");
  add_count(*at, "-n,--subscribers", o.subscribers, "Subscribers");
  add_count(*at, "--publishers", o.publishers, "Publishers");
  add_load(*at, o);
  add_qos(*at, o);
  add_outstanding(*at, o);
  add_rate(*at, o);
}

void add_shared(CLI::App& app, options& o) {
  o.publishers = 50;
  o.subscribers = 50;
  o.qos = 1;
  auto* at = add_mode(app, o, mode::shared,
                      "P publishers, M members of one shared subscription");
  add_count(*at, "--publishers", o.publishers, "Publishers");
  add_count(*at, "--members", o.subscribers, "Members of the group");
  add_load(*at, o);
  add_qos(*at, o);
  add_outstanding(*at, o);
  add_rate(*at, o);
}

void add_connect(CLI::App& app, options& o) {
  o.connections = 20'000;
  auto* at =
    add_mode(app, o, mode::connect, "CONNECT, CONNACK and DISCONNECT, N times");
  add_count(*at, "-n,--connections", o.connections, "Connections in total");
  add_count(*at, "--concurrency", o.concurrency,
            "Connections at once, over all threads");
  add_threads(*at, o);
}

void add_idle(CLI::App& app, options& o) {
  o.connections = 10'000;
  o.settle = seconds_f{1};
  auto* at = add_mode(app, o, mode::idle,
                      "N clients with a subscription each that do nothing");
  add_count(*at, "-n,--connections", o.connections, "Clients");
  add_seconds(*at, "--hold", o.hold, "Seconds to do nothing");
  add_seconds(*at, "--settle", o.settle,
              "Seconds after the set-up before memory is read");
  add_load(*at, o);
  add_qos(*at, o);
  add_rate(*at, o);
  at->get_option("--rate")->description(
    "Messages per second in total from client to client, afterwards; 0: none");
  add_threads(*at, o);
}

void add_filters(CLI::App& app, options& o) {
  o.subscribers = 1000;
  o.publishers = 10;
  o.settle = seconds_f{1};
  auto* at = add_mode(app, o, mode::filters,
                      "Many filters: 90 % exact, 9 % with +, 1 % with #");
  add_count(*at, "-n,--filters", o.filters, "Filters over all clients");
  at->add_option("--clients", o.subscribers, "Clients that share the filters")
    ->check(CLI::Range(8U, 100'000U))
    ->capture_default_str();
  add_count(*at, "--publishers", o.publishers, "Publishers to random topics");
  add_count(*at, "--filters-per-packet", o.filters_per_packet,
            "Filters in one SUBSCRIBE");
  add_seconds(*at, "--settle", o.settle,
              "Seconds after the set-up before memory is read");
  add_load(*at, o);
  add_outstanding(*at, o);
}

/// @throws CLI::ValidationError  if the options do not go together.
void check(const options& o) {
  if (o.threads > 1 && o.what == mode::pairs && o.threads > o.connections)
    throw CLI::ValidationError{"--threads", "more threads than pairs"};
  if (o.own_file_tables && o.threads == 1)
    throw CLI::ValidationError{"--own-file-tables",
                               "needs --threads 2 or more"};
  if (!o.password.empty() && o.user.empty()
      && o.version == protocol_version::mqtt_3_1_1)
    throw CLI::ValidationError{"--password", "needs --username in MQTT 3.1.1"};
  if (o.what == mode::idle && o.rate > 0 && o.duration.count() <= 0)
    throw CLI::ValidationError{"--duration", "must be above 0 with --rate"};
  if (o.what != mode::idle && o.what != mode::connect
      && o.duration.count() <= 0)
    throw CLI::ValidationError{"--duration", "must be above 0"};
  if (o.connections < 2 && o.what == mode::idle && o.rate > 0)
    throw CLI::ValidationError{"--connections",
                               "must be 2 or more with --rate"};
}

} // namespace

const char* to_string(mode what) {
  switch (what) {
  case mode::pairs:
    return "pairs";
  case mode::fan_in:
    return "fan-in";
  case mode::fan_out:
    return "fan-out";
  case mode::shared:
    return "shared";
  case mode::connect:
    return "connect";
  case mode::idle:
    return "idle";
  case mode::filters:
    return "filters";
  }
  return "?";
}

std::optional<options> parse_options(int argc, char** argv, int& status) {
  CLI::App app{"troupe-bench: load for MQTT brokers, at little cost"};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Options of all subcommands");
  commands all;
  add_pairs(app, all.pairs);
  add_fan_in(app, all.fan_in);
  add_fan_out(app, all.fan_out);
  add_shared(app, all.shared);
  add_connect(app, all.connect);
  add_idle(app, all.idle);
  add_filters(app, all.filters);
  try {
    app.parse(argc, argv);
    const auto* used = app.get_subcommands().front();
    for (auto* o : {&all.pairs, &all.fan_in, &all.fan_out, &all.shared,
                    &all.connect, &all.idle, &all.filters}) {
      if (used->get_name() != to_string(o->what))
        continue;
      check(*o);
      if (o->client_prefix.empty())
        o->client_prefix = "troupe-bench-" + std::to_string(::getpid());
      return *o;
    }
  } catch (const CLI::ParseError& error) {
    status = app.exit(error, std::cout, std::cerr) == 0 ? 0 : bad_options;
  }
  return std::nullopt;
}

} // namespace troupe::bench
