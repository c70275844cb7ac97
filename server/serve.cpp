#include "server/serve.hpp"

#include "actors/node.hpp"
#include "cluster/record_error.hpp"
#include "server/ctl_commands.hpp"
#include "server/ctl_server.hpp"
#include "server/data_directory.hpp"
#include "server/exit_codes.hpp"
#include "server/http_server.hpp"
#include "server/log.hpp"
#include "server/options.hpp"
#include "server/shutdown_guard.hpp"
#include "storage/error.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <csignal>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <sys/resource.h>
#include <thread>

namespace troupe::server {

namespace {

namespace asio = boost::asio;

/// For programs that started this one: on standard output, one line each.
void announce(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

/// A connection takes a file: as many as this process may have.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Listeners of reactors share their address, so the system would let two
/// brokers of one user share it too: clients would then reach either.
void refuse_taken_addresses(
  const std::vector<actors::listener_options>& listeners) {
  for (const auto& x : listeners) {
    if (x.kind == actors::listener_kind::local)
      continue;
    const auto at = net::endpoint::parse(x.bind);
    if (!at || at->port() == 0)
      continue; // the listener says what is wrong
    if (const auto error = net::probe(*at))
      throw std::runtime_error(
        "listener " + x.id() + " cannot listen on " + at->to_string() + ": "
        + error.message() + "; choose another address with " + "listeners."
        + std::string{x.kind_name()} + '.' + x.name + ".bind");
  }
}

/// A running broker: the node, and what speaks about it, on the thread that
/// runs `control`.
class running_broker {
public:
  running_broker(const config::settings& settings, log_writer& log,
                 asio::io_context& control)
    : settings_(settings),
      log_(log),
      control_(control),
      http_(control_, {settings.node.name, [this] { return stopping_; },
                       [this] { return observe(*node_); }}),
      ctl_(control_, [this](std::string_view request) {
        return boost::json::serialize(answer(request));
      }) {}

  running_broker(const running_broker&) = delete;
  running_broker& operator=(const running_broker&) = delete;

  /// @throws std::runtime_error naming what cannot be opened.
  void start() {
    const auto socket =
      ctl_socket_path(settings_.node.data_dir, settings_.ctl.socket);
    ctl_.open(socket);
    if (settings_.http.enable)
      http_.open(settings_.http.bind);
    // Not before: a node that was made has to be started to end.
    auto options = node_options_of(settings_);
    refuse_taken_addresses(options.listeners);
    if (options.storage)
      options.storage->on_failure = [this](std::string_view what) {
        // Whoever goes on would acknowledge what is not there.
        log_.error("storage", std::string{what}
                                + "; the broker ends at once, with exit code "
                                + std::to_string(exit_storage)
                                + ". Mend the disk, or make room, and start it "
                                  "again: nothing that was acknowledged is "
                                  "lost, unless its data is damaged");
        log_.flush();
        std::_Exit(exit_storage);
      };
    node_.emplace(std::move(options),
                  [this](const actors::log_line& line) { log_.write(line); });
    node_->start();
    for (const auto& x : node_->listeners())
      tell_address(x.id, x.address);
    if (settings_.http.enable) {
      tell_address("http", http_.address());
      http_.start();
    }
    ctl_.start();
    announce("ready");
  }

  /// Serves until `stop` is done.
  void run() {
    const auto work = asio::make_work_guard(control_);
    control_.run();
    if (stopper_.joinable())
      stopper_.join();
  }

  /// Begins the ordered end. Meanwhile /status says that it is under way.
  void stop() {
    stopping_ = true;
    stopper_ = std::thread([this] {
      node_->stop();
      control_.stop();
    });
  }

private:
  void tell_address(const std::string& of, const std::string& address) {
    announce("listening on " + of + ' ' + address);
    log_.info("listening", of + ' ' + address);
  }

  boost::json::value answer(std::string_view request) {
    if (stopping_)
      return ctl_error({exit_unavailable, "the broker is stopping"});
    return answer_ctl(request, *node_,
                      {settings_.node.data_dir, http_.address()});
  }

  const config::settings& settings_;
  log_writer& log_;
  asio::io_context& control_;
  std::optional<actors::node> node_;
  http_server http_;
  ctl_server ctl_;
  bool stopping_ = false;
  std::thread stopper_;
};

int fail(const std::exception& why, exit_code code = exit_unavailable) {
  std::fprintf(stderr, "troupe: %s\n", why.what());
  return code;
}

} // namespace

int serve(const config::loaded& from) {
  const auto& settings = from.values;
  std::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  std::optional<data_directory> files;
  std::optional<log_writer> log;
  try {
    files.emplace(settings.node.data_dir);
    log.emplace(settings.log);
  } catch (const std::exception& e) {
    return fail(e);
  }
  for (const auto& x : from.warnings)
    log->warning("config", config::to_string(x));
  asio::io_context control;
  running_broker* running = nullptr; // whenever `control` runs
  shutdown_guard guard(
    settings.node.shutdown_timeout,
    {[&](int signal) {
       log->info("stopping", "signal " + std::to_string(signal));
       asio::post(control, [&] { running->stop(); });
     },
     [&] {
       log->warning("stopping", "the ordered shutdown took longer than "
                                "node.shutdown_timeout: ending without it");
       log->flush();
     }});
  try {
    running_broker one(settings, *log, control);
    running = &one;
    one.start();
    one.run();
  } catch (const storage::storage_error& e) {
    return fail(e, exit_storage);
  } catch (const cluster::record_error& e) {
    return fail(e, exit_storage);
  } catch (const std::exception& e) {
    return fail(e);
  }
  log->info("stopped", "all clients were told, all actors ended");
  log->flush();
  return exit_success;
}

} // namespace troupe::server
