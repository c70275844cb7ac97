#include "actors/listener.hpp"

#include "actors/connection.hpp"

#include <cerrno>
#include <unistd.h>

namespace troupe::actors {

listener::listener(caf::actor_config& config, home& on,
                   const listener_options& of, const net::endpoint& address)
  : pinned_actor(config, on),
    options_(of),
    window_(on.now()) {
  error_ = net::listen(address, of.backlog, fd_);
  if (!error_ && !on.watch(fd_, EPOLLIN, *this))
    error_ = {errno, std::generic_category()};
}

listener::~listener() {
  if (fd_ >= 0)
    ::close(fd_);
}

void listener::on_end() {
  net::timing_wheel::disarm(*this);
  if (fd_ < 0)
    return;
  if (!paused_)
    at().unwatch(fd_, *this);
  ::close(fd_);
  fd_ = -1;
}

bool listener::admitted() {
  auto& numbers = at().numbers();
  if (options_.max_connections != 0
      && at().shared().connections.load(std::memory_order_relaxed)
           >= options_.max_connections) {
    count(numbers.accept_refused_limit);
    return false;
  }
  return true;
}

void listener::on_ready(std::uint32_t) {
  auto& numbers = at().numbers();
  // A few at a time: clients that are connected already get their turn.
  for (int taken = 0; taken < 64; ++taken) {
    if (options_.max_conn_rate != 0) {
      if (at().now() - window_ >= std::chrono::seconds{1}) {
        window_ = at().now();
        in_window_ = 0;
      }
      const auto share = std::max<std::size_t>(1, options_.max_conn_rate
                                                    / at().dials().reactors);
      if (in_window_ >= share) {
        count(numbers.accept_refused_rate);
        pause(std::chrono::milliseconds{100});
        return;
      }
    }
    auto fresh = net::accept(fd_);
    if (fresh.fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS
          || errno == ENOMEM) {
        count(numbers.accept_failed);
        at().log({log_level::error,
                  "accept.resources",
                  "a connection cannot be taken: no file descriptors or "
                  "memory left; raise the limit of open files (ulimit -n) or "
                  "set node.own_file_tables = true",
                  {},
                  options_.name});
        pause(std::chrono::milliseconds{500});
      }
      return;
    }
    ++in_window_;
    count(numbers.accept_total);
    if (!admitted()) {
      ::close(fresh.fd);
      continue;
    }
    if (options_.nodelay)
      net::set_no_delay(fresh.fd);
    auto made = spawn_pinned<connection>(at().shared().system, at(), fresh.fd,
                                         options_, fresh.peer);
    made.self->begin(std::move(made.handle));
  }
}

void listener::pause(std::chrono::milliseconds time) {
  paused_ = true;
  at().unwatch(fd_, *this);
  at().wheel().arm(*this, at().now() + time);
}

void listener::on_timer() {
  if (fd_ < 0)
    return;
  paused_ = false;
  at().watch(fd_, EPOLLIN, *this);
}

} // namespace troupe::actors
