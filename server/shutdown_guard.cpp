#include "server/shutdown_guard.hpp"

#include "server/exit_codes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <system_error>
#include <unistd.h>

namespace troupe::server {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds forever{-1};

sigset_t ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGHUP);
  return set;
}

[[noreturn]] void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  const auto set = ending_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
  ::_exit(exit_failure);
}

} // namespace

shutdown_guard::shutdown_guard(milliseconds most, handlers call)
  : most_(most),
    call_(std::move(call)) {
  const auto set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  done_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signals_ < 0 || done_ < 0)
    throw std::system_error(errno, std::generic_category(), "signalfd");
  thread_ = std::thread([this] { watch(); });
}

shutdown_guard::~shutdown_guard() {
  ::eventfd_write(done_, 1);
  thread_.join();
  ::close(signals_);
  ::close(done_);
}

int shutdown_guard::wait(milliseconds at_most) const {
  const auto until = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    auto left = forever;
    if (at_most != forever)
      left =
        std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(
                                    until - std::chrono::steady_clock::now()));
    std::array<pollfd, 2> on{pollfd{done_, POLLIN, 0},
                             pollfd{signals_, POLLIN, 0}};
    const int ready =
      ::poll(on.data(), on.size(), static_cast<int>(left.count()));
    if (on[0].revents != 0)
      return 0;
    if (signalfd_siginfo info{};
        on[1].revents != 0
        && ::read(signals_, &info, sizeof info) == sizeof info)
      return static_cast<int>(info.ssi_signo);
    if (ready == 0)
      return -1;
  }
}

void shutdown_guard::watch() {
  ::pthread_setname_np(::pthread_self(), "signals");
  int first = SIGHUP;
  while ((first = wait(forever)) == SIGHUP)
    call_.reload();
  if (first == 0)
    return;
  call_.begin(first);
  int second = SIGHUP;
  const auto until = std::chrono::steady_clock::now() + most_;
  while (second == SIGHUP) // too late for a new configuration
    second = wait(
      std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(
                                  until - std::chrono::steady_clock::now())));
  if (second > 0)
    end_by(second);
  if (second < 0) {
    call_.too_late();
    ::_exit(exit_failure);
  }
}

} // namespace troupe::server
