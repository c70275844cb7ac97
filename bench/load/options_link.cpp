// What lies between MQTT and TCP, and the mode about coming back by it.

#include "bench/load/option_groups.hpp"

namespace troupe::bench {

void add_link(CLI::App& app, options& o) {
  auto& tls = o.link.tls;
  auto* on =
    app.add_flag("--tls", tls.on, "Over TLS; the port is that of the listener");
  app
    .add_option_function<std::string>(
      "--tls-version",
      [&tls](const std::string& text) { tls.version_1_2 = text == "1.2"; },
      "The one version of TLS")
    ->check(CLI::IsMember({"1.2", "1.3"}))
    ->default_str("1.3")
    ->needs(on);
  app
    .add_option("--ca", tls.ca,
                "PEM file of whom to believe the broker's certificate; "
                "without it any is good")
    ->needs(on);
  auto* certificate =
    app
      .add_option("--cert", tls.certificate,
                  "PEM file of the clients' certificate, with its chain")
      ->needs(on);
  auto* key = app.add_option("--key", tls.key, "PEM file of its private key")
                ->needs(certificate);
  certificate->needs(key);
  auto* websocket = app.add_flag("--ws", o.link.websocket,
                                 "Over WebSocket, with --tls over secure "
                                 "WebSocket");
  app.add_option("--ws-path", o.link.path, "Path of the upgrade")
    ->capture_default_str()
    ->needs(websocket);
}

void add_ticket_use(CLI::App& app, options& o) {
  app
    .add_flag("--resume", o.link.tls.resume,
              "Resume the TLS session of the client's connection before; "
              "one that is made anew is a fault")
    ->needs(app.get_option("--tls"));
}

void add_storm_mode(CLI::App& app, all_options& all) {
  auto& o = all.emplace_back();
  o.connections = 15'000;
  o.subscribers = 2;
  o.settle = seconds_f{1};
  auto* at = add_mode(app, o, mode::storm,
                      "N clients are all cut off and all come back at once; "
                      "a client is served when it has its CONNACK and all "
                      "SUBACKs");
  add_count(*at, "-n,--clients", o.connections, "Clients");
  add_count(*at, "--subscriptions", o.subscribers,
            "Filters of each, a SUBSCRIBE for each");
  at->add_option("--at-once", o.at_once,
                 "Connections in the making when they come back; 0: all")
    ->capture_default_str();
  add_seconds(*at, "--retry", o.retry,
              "Seconds after which a client that was refused, or cut off "
              "before it was served, comes again");
  add_seconds(*at, "--settle", o.settle, "Seconds between set-up and storm");
  at->add_flag("--on-input", o.on_input,
               "The storm begins with a line on standard input; says \"ready\" "
               "on standard error before and \"served\" after it");
  at->add_option("--qos", o.qos, "Quality of Service of the subscriptions")
    ->check(CLI::Range(0, 2))
    ->capture_default_str();
  add_ticket_use(*at, o);
}

} // namespace troupe::bench
