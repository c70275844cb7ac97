#include "server/serve.hpp"

#include "cluster/record_error.hpp"
#include "server/broker.hpp"
#include "server/data_directory.hpp"
#include "server/exit_codes.hpp"
#include "server/log.hpp"
#include "server/service_manager.hpp"
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

/// A connection takes a file: as many as this process may have.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int fail(const std::exception& why, exit_code code = exit_unavailable) {
  std::fprintf(stderr, "troupe: %s\n", why.what());
  return code;
}

} // namespace

int serve(const config::sources& sources, const config::loaded& from) {
  const auto& settings = from.values;
  std::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  auto environment = take_service_environment();
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
  service_manager manager(std::move(environment), [&](const std::string& what) {
    log->warning("service manager", what);
  });
  asio::io_context control;
  broker* running = nullptr; // whenever `control` runs
  shutdown_guard guard(
    settings.node.shutdown_timeout,
    {[&] { asio::post(control, [&] { running->reload(); }); },
     [&](int signal) {
       log->info("stopping", "signal " + std::to_string(signal));
       asio::post(control, [&] { running->stop(); });
     },
     [&] {
       log->warning("stopping", "the ordered shutdown took longer than "
                                "node.shutdown_timeout: ending without it");
       log->flush();
     }});
  try {
    broker one(sources, settings, *log, manager, control);
    running = &one;
    one.start();
    one.run();
  } catch (const start_error& e) {
    return fail(e, e.code());
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
