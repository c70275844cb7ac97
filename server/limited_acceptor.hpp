#pragma once
// Accepts connections as long as there are not too many.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace troupe::server {

/// For one thread, that of the io_context. Who comes while `limit` are served
/// waits in the backlog of the system.
template <class Protocol>
class limited_acceptor {
public:
  using socket = typename Protocol::socket;
  /// Kept by whoever serves a connection: one of `limit`.
  using place = std::shared_ptr<void>;
  using handler = std::function<void(socket, place)>;

  limited_acceptor(boost::asio::io_context& io, std::size_t limit, handler f)
    : state_(std::make_shared<state>(io, limit, std::move(f))) {}
  ~limited_acceptor() { close(); }
  limited_acceptor(const limited_acceptor&) = delete;
  limited_acceptor& operator=(const limited_acceptor&) = delete;

  /// To open, bind and listen.
  typename Protocol::acceptor& sockets() { return state_->sockets; }
  void start() { accept(state_); }
  void close() {
    boost::system::error_code ignored;
    state_->sockets.close(ignored);
    state_->retry.cancel();
  }

private:
  struct state {
    state(boost::asio::io_context& io, std::size_t most, handler f)
      : sockets(io),
        retry(io),
        limit(most),
        serve(std::move(f)) {}

    typename Protocol::acceptor sockets;
    boost::asio::steady_timer retry;
    std::size_t limit;
    std::size_t served = 0;
    bool accepting = false;
    handler serve;
  };

  static place take_place(const std::shared_ptr<state>& of) {
    ++of->served;
    return {nullptr, [of](std::nullptr_t) {
              --of->served;
              accept(of);
            }};
  }

  static void accept(const std::shared_ptr<state>& of) {
    if (of->accepting || of->served >= of->limit || !of->sockets.is_open())
      return;
    of->accepting = true;
    of->sockets.async_accept(
      [of](const boost::system::error_code& error, socket accepted) {
        of->accepting = false;
        if (!of->sockets.is_open())
          return;
        if (!error) {
          of->serve(std::move(accepted), take_place(of));
          return accept(of);
        }
        // Such as: no file descriptors left.
        of->retry.expires_after(std::chrono::milliseconds{200});
        of->retry.async_wait([of](const boost::system::error_code& cancelled) {
          if (!cancelled)
            accept(of);
        });
      });
  }

  std::shared_ptr<state> state_;
};

} // namespace troupe::server
