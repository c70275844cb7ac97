#include "server/serve.hpp"

#include "actors/node.hpp"
#include "server/exit_codes.hpp"
#include "server/log.hpp"
#include "server/options.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace troupe::server {

namespace {

/// For programs that started this one: on standard output, one line each.
void announce(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

} // namespace

int serve(const config::loaded& from) {
  const auto& settings = from.values;
  std::error_code error;
  std::filesystem::create_directories(settings.node.data_dir, error);
  if (error) {
    std::fprintf(stderr,
                 "troupe: the data directory %s cannot be made: %s; choose "
                 "another with --data-dir\n",
                 settings.node.data_dir.c_str(), error.message().c_str());
    return exit_unavailable;
  }
  std::optional<log_writer> log;
  try {
    log.emplace(settings.log);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "troupe: the log cannot be opened: %s\n", e.what());
    return exit_unavailable;
  }
  for (const auto& x : from.warnings)
    log->warning("config", config::to_string(x));
  std::signal(SIGPIPE, SIG_IGN);
  boost::asio::io_context control;
  boost::asio::signal_set signals(control, SIGINT, SIGTERM);
  actors::node node(node_options_of(settings),
                    [&](const actors::log_line& line) { log->write(line); });
  try {
    node.start();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "troupe: %s\n", e.what());
    node.stop();
    return exit_unavailable;
  }
  for (const auto& x : node.listeners()) {
    announce("listening on tcp:" + x.name + ' ' + x.address.to_string());
    log->info("listening", "tcp:" + x.name + ' ' + x.address.to_string());
  }
  announce("ready");
  signals.async_wait([&](const boost::system::error_code&, int number) {
    log->info("stopping", "signal " + std::to_string(number));
    control.stop();
    // A second signal ends the process at once.
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  });
  control.run();
  signals.clear();
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  node.stop();
  log->info("stopped", "all clients were told, all actors ended");
  log->flush();
  return exit_success;
}

} // namespace troupe::server
