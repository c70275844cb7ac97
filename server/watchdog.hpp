#pragma once
// Signs of life, given from the control thread for all threads.

#include "server/watchdog_rules.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe::server {

/// Carries out `watchdog_rules` on the thread of an io_context: whoever keeps
/// that thread silences the process like a part that does not answer. All but
/// the answers is for that thread.
class watchdog {
public:
  struct handlers {
    /// Lets every part call `answered` with its number, when it has its turn
    /// and on its own thread; does not wait.
    std::function<void(const std::function<void(std::size_t)>& answered)> ask;
    std::function<void()> feed;
    std::function<void(const std::string&)> warn; ///< for the log
  };

  /// @param timeout  of the service manager, above zero
  watchdog(boost::asio::io_context& on, std::size_t parts,
           std::chrono::microseconds timeout, handlers call);

  void start() { look(); }
  /// Nothing is asked and no sign is given any more.
  void stop();

private:
  void look();

  watchdog_rules rules_;
  handlers call_;
  boost::asio::steady_timer timer_;
  /// The last question that each part answered; outlives late answers.
  std::shared_ptr<std::vector<std::atomic<std::uint64_t>>> answered_;
  bool stopped_ = false;
};

} // namespace troupe::server
