#pragma once
// The broker's side of `troupe ctl`: a Unix socket.

#include "server/limited_acceptor.hpp"

#include <boost/asio/local/stream_protocol.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace troupe::server {

/// Where the socket of `ctl.socket` is.
std::filesystem::path ctl_socket_path(const std::string& data_dir,
                                      const std::string& socket);

/// The socket of the installed service, if there is one and none at
/// `elsewhere`; otherwise `elsewhere`.
std::filesystem::path
ctl_socket_or_service(const std::filesystem::path& elsewhere);

/// One request per line, one line of answer to each; on the thread of an
/// io_context. Who may connect is in the mode of the socket's file.
class ctl_server {
public:
  /// Answers a line with a line, both without line feed: calls `done` with it,
  /// at once or later, on the same thread.
  using reply = std::function<void(std::string)>;
  /// @param by  who asks: `uid 1000`
  using answerer =
    std::function<void(std::string_view, const std::string& by, reply done)>;
  /// Bytes of a request; what is longer is refused.
  static constexpr std::size_t max_request = std::size_t{64} << 20;

  /// @param group_access  whether not only the user that runs the broker may
  ///                      connect (mode 0600) but its group, too (0660)
  ctl_server(boost::asio::io_context& io, bool group_access, answerer f);
  /// Removes the socket's file.
  ~ctl_server();

  /// Makes the socket. The file that a dead broker left is replaced.
  /// @throws std::runtime_error saying what to change.
  void open(const std::filesystem::path& at);
  void start() { acceptor_.start(); }

private:
  answerer answer_;
  bool group_access_;
  std::filesystem::path path_; ///< empty until it is ours
  limited_acceptor<boost::asio::local::stream_protocol> acceptor_;
};

} // namespace troupe::server
