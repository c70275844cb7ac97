#pragma once
// HTTP for monitoring.

#include "config/sections.hpp"
#include "server/limited_acceptor.hpp"
#include "server/pages.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <string>

namespace troupe::server {

/// Serves the pages of `pages.hpp` with HTTP/1.0 and 1.1 on the thread of an
/// io_context. At most 64 connections at once; each has 10 seconds to send a
/// request and to take the answer, headers may have 8 KiB, bodies none.
class http_server {
public:
  http_server(boost::asio::io_context& io, page_sources sources);

  /// Opens the listener.
  /// @throws std::runtime_error saying what to change.
  void open(const config::address& at);
  void start() { acceptor_.start(); }
  /// No new connections; answers that are under way are sent.
  void close() { acceptor_.close(); }

  /// With the port that the system chose, if none was given.
  std::string address() const { return address_; }

private:
  page_sources sources_;
  std::string address_;
  limited_acceptor<boost::asio::ip::tcp> acceptor_;
};

} // namespace troupe::server
