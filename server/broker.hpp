#pragma once
// A running broker: the node, and everything that speaks about it.

#include "actors/node.hpp"
#include "config/load.hpp"
#include "server/access.hpp"
#include "server/bans.hpp"
#include "server/ctl_server.hpp"
#include "server/ctl_workers.hpp"
#include "server/exit_codes.hpp"
#include "server/health.hpp"
#include "server/http_server.hpp"
#include "server/log.hpp"
#include "server/ocsp_stapler.hpp"
#include "server/service_manager.hpp"
#include "server/watchdog.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace troupe::server {

/// What reading the configuration again led to.
struct reload_report {
  std::vector<config::changed> changes; ///< in force now
  std::vector<config::changed> waiting; ///< for a restart
  std::vector<config::problem> warnings;
  std::vector<std::string> problems; ///< if any, nothing was changed
};

/// Why a broker does not start, and what the process tells whoever started it.
class start_error : public std::runtime_error {
public:
  start_error(exit_code code, const std::string& why)
    : std::runtime_error(why),
      code_(code) {}
  exit_code code() const noexcept { return code_; }

private:
  exit_code code_;
};

/// On the thread that runs `control`, unless said otherwise.
class broker {
public:
  /// @param sources   are read again by `reload`.
  /// @param settings  what they say now.
  /// Each parameter outlives this.
  broker(const config::sources& sources, const config::settings& settings,
         log_writer& log, service_manager& manager,
         boost::asio::io_context& control);
  ~broker();
  broker(const broker&) = delete;
  broker& operator=(const broker&) = delete;

  /// @throws start_error  the configuration is wrong, naming all that is, or
  ///                      the data cannot be read.
  /// @throws std::runtime_error  naming what cannot be opened.
  void start();
  /// Serves until `stop` is done.
  void run();
  /// Begins the ordered end. Meanwhile /status says that it is under way.
  void stop();
  /// Reads configuration, users, rules and certificates again. All of it takes
  /// effect, or none if anything is wrong. Says in the log what happened.
  reload_report reload();
  /// What a reload of the file `name` with this text would change: before it,
  /// files that it names are not read. Problems if it is not usable.
  reload_report compare(const std::string& name, const std::string& text) const;

  // ---- for ctl -------------------------------------------------------------

  actors::node& node() { return *node_; }
  bans& banned() { return bans_; }
  log_writer& log() { return log_; }
  /// In force.
  const config::settings& settings() const { return settings_; }
  const http_server& http() const { return http_; }
  const config::sources& sources() const { return sources_; }

private:
  void watch();
  void tell_address(const std::string& of, const std::string& address);
  void say_who_may_come() const;
  reload_report try_to_reload();
  void answer(std::string_view request, const std::string& by,
              const ctl_server::reply& done);

  const config::sources& sources_;
  config::settings settings_;
  std::vector<actors::listener_options> listeners_; ///< as the node has them
  log_writer& log_;
  service_manager& manager_;
  boost::asio::io_context& control_;
  access access_;
  bans bans_;
  std::optional<actors::node> node_;
  ocsp_stapler ocsp_;
  std::optional<health> health_;
  std::optional<watchdog> watchdog_;
  http_server http_;
  ctl_workers workers_;
  ctl_server ctl_;
  bool stopping_ = false;
  std::thread stopper_;
};

} // namespace troupe::server
