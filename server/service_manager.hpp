#pragma once
// What the service manager, systemd, hears of this process: sd_notify(3).

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::server {

/// What a service manager says in the environment of a process.
struct service_environment {
  /// A path, or `@` and a name of the abstract kind; empty: nobody listens.
  std::string socket;
  /// How long it waits for the next sign of life; zero: it expects none.
  std::chrono::microseconds watchdog{0};
  /// What was not understood and is therefore passed over, for the log.
  std::vector<std::string> problems;

  /// @param variable  a variable's value, null without it
  /// @param process   of this process: a watchdog may be meant for another
  static service_environment
  read(const std::function<const char*(const char*)>& variable,
       std::int64_t process);
};

/// Reads the variables of this process and removes them, so that no child
/// speaks in its name. To be called while there is one thread.
service_environment take_service_environment();

/// Sends what it is told as one datagram each. Without a service manager it
/// does nothing. For one thread at a time.
class service_manager {
public:
  /// @param warn  told, in words, of what could not be sent
  service_manager(service_environment from,
                  std::function<void(const std::string&)> warn);
  ~service_manager();
  service_manager(const service_manager&) = delete;
  service_manager& operator=(const service_manager&) = delete;

  /// How often it has to hear `alive` at least; zero: never.
  std::chrono::microseconds watchdog() const noexcept { return watchdog_; }

  /// Clients are served; also what ends `reloading`.
  void ready(std::string_view status);
  /// The configuration is read again.
  void reloading();
  /// The ordered end has begun and takes `at_most`: whatever the unit's
  /// TimeoutStopSec is, it waits as long.
  void stopping(std::string_view status, std::chrono::milliseconds at_most);
  /// A sign of life, for the watchdog.
  void alive();

private:
  void send(std::string_view message);

  std::function<void(const std::string&)> warn_;
  std::string address_; ///< as the kernel wants it: `@` is a zero byte
  std::chrono::microseconds watchdog_{0};
  int socket_ = -1;
};

} // namespace troupe::server
