#include "server/service_manager.hpp"

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace troupe::server {

namespace {

constexpr auto socket_variable = "NOTIFY_SOCKET";
constexpr auto watchdog_variable = "WATCHDOG_USEC";
constexpr auto process_variable = "WATCHDOG_PID";

/// A service manager that takes nothing must not hold up a broker.
constexpr timeval patience{1, 0};

/// Beyond what an ordered end may take, for the last lines of the log.
constexpr std::chrono::seconds margin{5};

std::optional<std::int64_t> positive(std::string_view text) {
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || at != end || value <= 0)
    return std::nullopt;
  return value;
}

/// A line feed would begin another assignment.
std::string one_line(std::string_view text) {
  std::string line{text};
  for (auto& c : line)
    if (c == '\n' || c == '\r')
      c = ' ';
  return line;
}

std::string monotonic_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::to_string(std::int64_t{now.tv_sec} * 1'000'000
                        + now.tv_nsec / 1'000);
}

} // namespace

service_environment service_environment::read(
  const std::function<const char*(const char*)>& variable,
  std::int64_t process) {
  service_environment from;
  const char* socket = variable(socket_variable);
  if (socket == nullptr || *socket == '\0')
    return from;
  if (*socket != '/' && *socket != '@') {
    from.problems.push_back(
      std::string{socket_variable} + "=" + one_line(socket)
      + " is neither a path nor an abstract name (@…): the service manager is "
        "told nothing");
    return from;
  }
  if (std::strlen(socket) >= sizeof sockaddr_un{}.sun_path) {
    from.problems.push_back(std::string{socket_variable}
                            + " is longer than the 107 bytes of a Unix "
                              "socket: the service manager is told nothing");
    return from;
  }
  from.socket = socket;
  const char* timeout = variable(watchdog_variable);
  if (timeout == nullptr)
    return from;
  if (const char* whose = variable(process_variable); whose != nullptr) {
    const auto number = positive(whose);
    if (!number)
      from.problems.push_back(std::string{process_variable} + "="
                              + one_line(whose)
                              + " is no process: there are no signs of life");
    if (number != process)
      return from;
  }
  if (const auto microseconds = positive(timeout))
    from.watchdog = std::chrono::microseconds{*microseconds};
  else
    from.problems.push_back(
      std::string{watchdog_variable} + "=" + one_line(timeout)
      + " is no time in microseconds: there are no signs of life");
  return from;
}

service_environment take_service_environment() {
  auto from = service_environment::read(
    [](const char* name) {
      return std::getenv(name); // NOLINT(concurrency-mt-unsafe): one thread
    },
    ::getpid());
  for (const auto* name :
       {socket_variable, watchdog_variable, process_variable})
    ::unsetenv(name); // NOLINT(concurrency-mt-unsafe): one thread
  return from;
}

service_manager::service_manager(service_environment from,
                                 std::function<void(const std::string&)> warn)
  : warn_(std::move(warn)),
    address_(std::move(from.socket)),
    watchdog_(from.watchdog) {
  for (const auto& x : from.problems)
    warn_(x);
  if (address_.empty())
    return;
  if (address_.front() == '@')
    address_.front() = '\0';
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) {
    warn_(std::string{"the service manager cannot be told: "}
          + std::strerror(errno));
    return;
  }
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

service_manager::~service_manager() {
  if (socket_ >= 0)
    ::close(socket_);
}

void service_manager::ready(std::string_view status) {
  send("READY=1\nSTATUS=" + one_line(status));
}

void service_manager::reloading() {
  send("RELOADING=1\nMONOTONIC_USEC=" + monotonic_microseconds()
       + "\nSTATUS=Reading the configuration again");
}

void service_manager::stopping(std::string_view status,
                               std::chrono::milliseconds at_most) {
  const auto extend =
    std::chrono::duration_cast<std::chrono::microseconds>(at_most + margin);
  send("STOPPING=1\nSTATUS=" + one_line(status)
       + "\nEXTEND_TIMEOUT_USEC=" + std::to_string(extend.count()));
}

void service_manager::alive() { send("WATCHDOG=1"); }

void service_manager::send(std::string_view message) {
  if (socket_ < 0)
    return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size =
    static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  const auto sent =
    ::sendto(socket_, message.data(), message.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&to), size);
  if (sent < 0)
    warn_("the service manager was not told "
          + std::string{message.substr(0, message.find('\n'))} + ": "
          + std::strerror(errno));
}

} // namespace troupe::server
