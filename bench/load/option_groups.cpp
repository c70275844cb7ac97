#include "bench/load/option_groups.hpp"

#include "bench/load/publish_template.hpp"

namespace troupe::bench {

CLI::Option* add_seconds(CLI::App& app, const std::string& name,
                         seconds_f& target, const std::string& help) {
  auto* added = app.add_option_function<double>(
    name, [&target](double x) { target = seconds_f{x}; }, help);
  return added->check(CLI::NonNegativeNumber)
    ->default_str(CLI::detail::to_string(target.count()));
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
  add_link(app, o);
}

void add_threads(CLI::App& app, options& o) {
  app.add_option("--threads", o.threads, "Threads, each with its own clients")
    ->check(CLI::Range(1U, 256U))
    ->capture_default_str();
  app.add_flag("--own-file-tables", o.own_file_tables,
               "Each thread has a table, and so a limit, of open files");
}

void add_load(CLI::App& app, options& o) {
  add_seconds(app, "--duration", o.duration, "Seconds to measure");
  add_seconds(app, "--warmup", o.warmup, "Seconds of load before that");
  add_messages(app, o);
}

void add_messages(CLI::App& app, options& o) {
  app.add_option("--payload", o.payload, "Bytes, the numbers in it included")
    ->check(CLI::Range(payload_min, std::size_t{16} << 20))
    ->capture_default_str();
  add_seconds(app, "--drain", o.drain,
              "Seconds without a delivery before the rest counts as lost");
  app.add_flag("--allow-loss", o.allow_loss,
               "Exit with 0 in spite of lost or misordered messages");
}

void add_qos(CLI::App& app, options& o) {
  app.add_option("--qos", o.qos, "Quality of Service, both ways")
    ->check(CLI::Range(0, 2))
    ->capture_default_str();
  add_inflight(app, o);
}

void add_inflight(CLI::App& app, options& o) {
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

CLI::App* add_mode(CLI::App& app, options& o, mode what,
                   const std::string& help) {
  o.what = what;
  auto* added = app.add_subcommand(to_string(what), help);
  added->fallthrough(false);
  add_common(*added, o);
  return added;
}

} // namespace troupe::bench
