// The modes about what a broker keeps.

#include "bench/load/option_groups.hpp"

namespace troupe::bench {

namespace {

void add_durable(CLI::App& app, options& o) {
  o.publishers = 100;
  o.qos = 1;
  auto* at = add_mode(app, o, mode::durable,
                      "N publishers, each with a durable subscriber that is "
                      "away; counts PUBACKs");
  add_count(*at, "-n,--publishers", o.publishers, "Publishers and sessions");
  at->add_flag("!--no-check", o.check,
               "Do not let the subscribers return and read everything");
  add_load(*at, o);
  add_inflight(*at, o);
}

void add_sessions(CLI::App& app, options& o) {
  o.connections = 100'000;
  o.publishers = 0;
  o.qos = 1;
  o.settle = seconds_f{10};
  auto* at = add_mode(app, o, mode::sessions,
                      "N durable sessions with a subscription each that are "
                      "away: memory");
  add_count(*at, "-n,--sessions", o.connections, "Sessions");
  add_seconds(*at, "--settle", o.settle,
              "Seconds after the set-up before memory is read");
}

void add_subscribe(CLI::App& app, options& o) {
  o.connections = 20'000;
  o.concurrency = 500;
  o.qos = 1;
  auto* at = add_mode(app, o, mode::subscribe,
                      "N durable clients subscribe to x/{id}/#; counts "
                      "SUBACKs");
  add_count(*at, "-n,--clients", o.connections, "Clients");
  add_count(*at, "--concurrency", o.concurrency,
            "Clients that wait for their SUBACK, over all threads");
  add_threads(*at, o);
}

void add_resume(CLI::App& app, options& o) {
  o.connections = 10'000;
  o.publishers = 50;
  o.connecting = 500;
  o.qos = 1;
  auto* at = add_mode(app, o, mode::resume,
                      "N durable sessions with M messages each come back at "
                      "once");
  add_count(*at, "-n,--sessions", o.connections, "Sessions");
  add_count(*at, "--messages", o.messages, "Messages for each");
  add_count(*at, "--publishers", o.publishers, "Publishers of these");
  at->add_flag("!--no-check", o.check,
               "Do not let them come back: only leave the messages");
  add_messages(*at, o);
  add_inflight(*at, o);
}

void add_broadcast(CLI::App& app, options& o) {
  o.connections = 100'000;
  o.duration = seconds_f{60};
  o.warmup = seconds_f{0};
  o.payload = 1024;
  o.qos = 1;
  auto* at = add_mode(app, o, mode::broadcast,
                      "N durable sessions that are away have one filter: what "
                      "the broker writes for a message to all of them");
  add_count(*at, "-n,--sessions", o.connections, "Sessions");
  add_count(*at, "--publishers", o.publishers, "Publishers");
  at->add_option("--readers", o.readers,
                 "Sessions that return in the end and read everything")
    ->capture_default_str();
  add_seconds(*at, "--quiet", o.quiet,
              "Seconds without a write of the broker's after which it has "
              "written everything; more than its storage.flush_interval");
  add_load(*at, o);
  add_inflight(*at, o);
  add_rate(*at, o);
}

void add_retained(CLI::App& app, options& o) {
  o.messages = 1'000'000;
  o.publishers = 50;
  o.inflight = 100;
  o.settle = seconds_f{10};
  auto* at = add_mode(app, o, mode::retained,
                      "N retained messages are written at QoS 1, then read "
                      "with the filter #");
  add_count(*at, "-n,--messages", o.messages, "Topics, a message each");
  add_count(*at, "--publishers", o.publishers, "Publishers");
  add_count(*at, "--readers", o.subscribers, "Clients that read all of them");
  add_seconds(*at, "--settle", o.settle,
              "Seconds after the writing before memory is read");
  at->add_option("--qos", o.qos, "Quality of Service of the readers")
    ->check(CLI::Range(0, 1))
    ->capture_default_str();
  add_messages(*at, o);
  add_inflight(*at, o);
}

} // namespace

void add_durable_modes(CLI::App& app, all_options& all) {
  for (auto* add : {add_durable, add_sessions, add_subscribe, add_resume,
                    add_retained, add_broadcast})
    add(app, all.emplace_back());
}

} // namespace troupe::bench
