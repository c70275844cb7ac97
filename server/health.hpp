#pragma once
// Looks after the broker every second.

#include "actors/node.hpp"
#include "config/sections.hpp"
#include "server/health_rules.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>

namespace troupe::server {

class log_writer;

/// Gathers figures, has rules look at them, raises and clears the node's
/// alarms, and tells reactors when memory is short. What is raised or cleared
/// is logged once and published to `$SYS/brokers/NAME/alarms/activate` or
/// `…/deactivate`. On the thread that runs `control`.
class health {
public:
  /// Each parameter outlives this.
  health(boost::asio::io_context& control, actors::node& of, log_writer& log,
         const config::settings& settings);
  ~health();
  health(const health&) = delete;
  health& operator=(const health&) = delete;

  void start();
  void stop();
  /// From now on.
  void change(const config::settings& settings,
              const std::vector<actors::listener_options>& listeners);

private:
  void arm();
  void look();
  health_figures figures();
  void ask_reactors();
  void tell(const actors::alarm& what) const;

  struct answers;

  actors::node& node_;
  log_writer& log_;
  boost::asio::steady_timer timer_;
  health_rules rules_;
  double refuse_at_ = 0;           ///< part of the memory there is
  std::uint64_t memory_limit_ = 0; ///< bytes; 0: unknown
  bool memory_high_ = false;
  bool stopped_ = false;
  std::vector<health_figures::certificate> certificates_;
  std::shared_ptr<answers> answers_;
  std::uint64_t files_ = 0;
  std::uint64_t files_max_ = 0;
  unsigned looks_ = 0;
};

/// Bytes of memory that this process may have: of the machine, or less if its
/// cgroup has a limit. 0: the system does not say.
std::uint64_t memory_of_machine();

} // namespace troupe::server
