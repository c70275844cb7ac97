#pragma once
// Who may come in.

#include "actors/home.hpp"
#include "net/tcp.hpp"
#include "net/unix_socket.hpp"

#include <string>

namespace troupe::actors {

/// One listening socket of one reactor; the reactors share the address. Takes
/// connections, or puts them off when a limit is reached.
class listener final : public pinned_actor,
                       private net::socket_handler,
                       private net::timing_wheel::timer {
public:
  /// Opens the socket, on the home's thread. An error is in `error()`.
  listener(caf::actor_config& config, home& on, const listener_scope& of,
           const net::endpoint& address);
  ~listener() override;

  const char* name() const override { return "listener"; }
  const std::error_code& error() const noexcept { return error_; }
  /// With the port that the kernel chose, if none was given.
  net::endpoint address() const { return net::endpoint::local_of(fd_); }

private:
  void receive(caf::type_erased_tuple&) override {}
  void on_end() override;
  void on_ready(std::uint32_t events) override;
  void on_timer() override;
  /// Stops accepting for a moment: the backlog holds who comes meanwhile.
  void pause(std::chrono::milliseconds time);
  bool admitted(const net::endpoint& peer);
  void close();

  const listener_scope& scope_;
  int fd_ = -1;
  net::socket_file file_; ///< of a Unix socket
  std::error_code error_;
  bool paused_ = false;
  std::chrono::steady_clock::time_point window_;
  std::size_t in_window_ = 0;
};

} // namespace troupe::actors
