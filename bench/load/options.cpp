#include "bench/load/options.hpp"

#include "bench/load/option_groups.hpp"

#include <iostream>
#include <unistd.h>

namespace troupe::bench {

namespace {

constexpr int bad_options = 2;

void add_pairs(CLI::App& app, options& o) {
  o.connections = 50;
  auto* at = add_mode(app, o, mode::pairs,
                      "N publishers, each with a subscriber of its own topic");
  add_count(*at, "-n,--pairs", o.connections, "Publishers and subscribers");
  add_load(*at, o);
  add_qos(*at, o);
  add_outstanding(*at, o);
  add_rate(*at, o);
  at->add_flag("--durable", o.durable,
               "The subscribers' sessions outlive their connections");
  at->add_flag("--topic-per-client", o.topic_per_client,
               "The publisher's client identifier is a level of its topic");
  at->add_flag("--until-input-ends", o.on_input,
               "The window ends with the standard input, if not before; says "
               "\"measuring\" on standard error when it begins");
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
  add_ticket_use(*at, o);
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
  if (o.threads > 1 && o.on_input)
    throw CLI::ValidationError{"--threads",
                               "the standard input is read by one thread"};
  if (o.own_file_tables && o.threads == 1)
    throw CLI::ValidationError{"--own-file-tables",
                               "needs --threads 2 or more"};
  if (!o.password.empty() && o.user.empty()
      && o.version == protocol_version::mqtt_3_1_1)
    throw CLI::ValidationError{"--password", "needs --username in MQTT 3.1.1"};
  if (o.what == mode::idle && o.rate > 0 && o.duration.count() <= 0)
    throw CLI::ValidationError{"--duration", "must be above 0 with --rate"};
  if (has_window(o.what) && o.what != mode::idle && o.duration.count() <= 0)
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
  case mode::durable:
    return "durable";
  case mode::sessions:
    return "sessions";
  case mode::subscribe:
    return "subscribe";
  case mode::resume:
    return "resume";
  case mode::retained:
    return "retained";
  case mode::broadcast:
    return "broadcast";
  case mode::storm:
    return "storm";
  }
  return "?";
}

bool has_window(mode what) {
  return what != mode::connect && what != mode::sessions
         && what != mode::subscribe && what != mode::resume
         && what != mode::retained && what != mode::storm;
}

std::optional<options> parse_options(int argc, char** argv, int& status) {
  CLI::App app{"troupe-bench: load for MQTT brokers, at little cost"};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Options of all subcommands");
  all_options all;
  for (auto* add : {add_pairs, add_fan_in, add_fan_out, add_shared, add_connect,
                    add_idle, add_filters})
    add(app, all.emplace_back());
  add_durable_modes(app, all);
  add_storm_mode(app, all);
  try {
    app.parse(argc, argv);
    const auto* used = app.get_subcommands().front();
    for (auto& o : all) {
      if (used->get_name() != to_string(o.what))
        continue;
      check(o);
      if (o.client_prefix.empty())
        o.client_prefix = "troupe-bench-" + std::to_string(::getpid());
      if (o.what == mode::durable)
        o.connections = o.publishers; // a session for each
      return o;
    }
  } catch (const CLI::ParseError& error) {
    status = app.exit(error, std::cout, std::cerr) == 0 ? 0 : bad_options;
  }
  return std::nullopt;
}

} // namespace troupe::bench
