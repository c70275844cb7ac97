#include "actors/listener.hpp"

#include "actors/connection.hpp"

#include <cerrno>
#include <unistd.h>

namespace troupe::actors {

listener::listener(caf::actor_config& config, home& on,
                   const listener_scope& of, const net::endpoint& address)
  : pinned_actor(config, on),
    scope_(of),
    window_(on.now()) {
  const auto& x = of.options();
  error_ = x.kind == listener_kind::local
             ? net::listen_local(x.bind, x.mode, x.backlog, fd_)
             : net::listen(address, x.backlog, fd_);
  if (!error_ && x.kind == listener_kind::local)
    file_ = net::socket_file{x.bind};
  if (!error_ && !on.watch(fd_, EPOLLIN, *this))
    error_ = {errno, std::generic_category()};
}

listener::~listener() { close(); }

void listener::close() {
  file_.remove();
  if (fd_ >= 0)
    ::close(fd_);
  fd_ = -1;
}

void listener::on_end() {
  net::timing_wheel::disarm(*this);
  if (fd_ < 0)
    return;
  if (!paused_)
    at().unwatch(fd_, *this);
  close();
}

bool listener::admitted(const net::endpoint& peer) {
  auto& numbers = at().numbers();
  const auto most = scope_.options().max_connections;
  if (most != 0
      && scope_.connections().load(std::memory_order_relaxed) >= most) {
    count(numbers.accept_refused_limit);
    at().log({.level = log_level::warning,
              .cause = "accept.refused",
              .text = "the listener has as many connections as its "
                      "max_connections allows",
              .peer = peer.to_string(),
              .listener = scope_.id()});
    return false;
  }
  return true;
}

void listener::on_ready(std::uint32_t) {
  auto& numbers = at().numbers();
  // A few at a time: clients that are connected already get their turn.
  for (int taken = 0; taken < 64; ++taken) {
    if (const auto& rate = scope_.options().max_conn_rate; rate.count != 0) {
      if (at().now() - window_ >= rate.per) {
        window_ = at().now();
        in_window_ = 0;
      }
      // Each reactor takes connections, but a file's socket has only one.
      const std::size_t takers = scope_.options().kind == listener_kind::local
                                   ? 1
                                   : at().dials().reactors;
      const auto share =
        std::max<std::size_t>(1, (rate.count + rate.burst) / takers);
      if (in_window_ >= share) {
        count(numbers.accept_refused_rate);
        at().log({.level = log_level::info,
                  .cause = "accept.paced",
                  .text = "more connections come than max_conn_rate allows: "
                          "they wait",
                  .listener = scope_.id()});
        pause(std::chrono::milliseconds{100});
        return;
      }
    }
    auto fresh = net::accept(fd_);
    if (fresh.fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS
          || errno == ENOMEM) {
        count(numbers.accept_failed);
        at().log({.level = log_level::error,
                  .cause = "accept.resources",
                  .text = "a connection cannot be taken: no file descriptors "
                          "or memory left; raise the limit of open files "
                          "(ulimit -n) or set node.own_file_tables = true",
                  .listener = scope_.id()});
        pause(std::chrono::milliseconds{500});
      }
      return;
    }
    ++in_window_;
    count(numbers.accept_total);
    if (!admitted(fresh.peer)) {
      ::close(fresh.fd);
      continue;
    }
    if (scope_.options().nodelay)
      net::set_no_delay(fresh.fd);
    auto made = spawn_pinned<connection>(at().shared().system, at(), fresh.fd,
                                         scope_, fresh.peer);
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
