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

/// One request per line, one line of answer to each; on the thread of an
/// io_context. Only who runs the broker may connect (mode 0600).
class ctl_server {
public:
  /// Answers a line with a line, both without line feed.
  using answerer = std::function<std::string(std::string_view)>;

  ctl_server(boost::asio::io_context& io, answerer f);
  /// Removes the socket's file.
  ~ctl_server();

  /// Makes the socket. The file that a dead broker left is replaced.
  /// @throws std::runtime_error saying what to change.
  void open(const std::filesystem::path& at);
  void start() { acceptor_.start(); }

private:
  answerer answer_;
  std::filesystem::path path_; ///< empty until it is ours
  limited_acceptor<boost::asio::local::stream_protocol> acceptor_;
};

} // namespace troupe::server
