#pragma once
// Both ends of a WebSocket: a stream and a client of few words, over a pair of
// sockets, with TLS between them or without.

#include "net/openssl.hpp"
#include "net/tls_stream.hpp"
#include "net/websocket_stream.hpp"
#include "tests/net/tls_support.hpp"
#include "tests/support/bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <memory>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::test {

inline std::shared_ptr<const net::tls_context> context_of_wires() {
  static const auto made =
    std::make_shared<net::tls_context>(certificates{}.server(), "wss:test");
  return made;
}

/// Client and server of one WebSocket; nothing waits.
class wire {
public:
  explicit wire(bool with_tls, const net::websocket_settings& settings = {},
                int send_buffer = 0) {
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds_)
                  == 0);
    if (send_buffer != 0)
      ::setsockopt(fds_[0], SOL_SOCKET, SO_SNDBUF, &send_buffer,
                   sizeof send_buffer);
    std::unique_ptr<net::transport> lower;
    if (with_tls) {
      lower = std::make_unique<net::tls_stream>(fds_[0], context_of_wires());
      client_context_ = SSL_CTX_new(TLS_client_method());
      client_ = SSL_new(client_context_);
      SSL_set_fd(client_, fds_[1]);
      SSL_set_connect_state(client_);
    }
    server_ = std::make_unique<net::websocket_stream>(
      fds_[0], std::make_shared<const net::websocket_settings>(settings),
      std::move(lower));
    for (int i = 0; with_tls && SSL_do_handshake(client_) != 1; ++i) {
      BOOST_REQUIRE(i < 10);
      BOOST_REQUIRE(read() < 0);
    }
  }
  ~wire() {
    server_.reset();
    SSL_free(client_);
    SSL_CTX_free(client_context_);
    ::close(fds_[0]);
    ::close(fds_[1]);
  }
  wire(const wire&) = delete;
  wire& operator=(const wire&) = delete;

  net::websocket_stream& server() { return *server_; }

  // ---- the client's end ----------------------------------------------------

  void send(std::string_view what) {
    while (!what.empty()) {
      const auto n =
        client_ != nullptr
          ? SSL_write(client_, what.data(), static_cast<int>(what.size()))
          : static_cast<int>(
            ::send(fds_[1], what.data(), what.size(), MSG_NOSIGNAL));
      BOOST_REQUIRE(n > 0);
      what.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// All that is there, `most` bytes of it.
  bytes receive(std::size_t most = 1U << 30U) {
    bytes all;
    std::array<char, 4'096> buffer;
    while (all.size() < most) {
      const auto room = std::min(buffer.size(), most - all.size());
      const auto n =
        client_ != nullptr
          ? SSL_read(client_, buffer.data(), static_cast<int>(room))
          : static_cast<int>(::recv(fds_[1], buffer.data(), room, 0));
      if (n <= 0)
        break;
      all.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return all;
  }
  /// No more is sent.
  void leave() { ::shutdown(fds_[1], SHUT_WR); }

  // ---- the server's end ----------------------------------------------------

  /// One call, `room` bytes; what came is appended to `got`.
  ssize_t read(std::size_t room = 65'536) {
    const auto buffer = std::make_unique<std::uint8_t[]>(room);
    server_->begin_reading(false);
    return take(buffer.get(), room);
  }
  /// As a connection does: until the socket is empty, or the end.
  ssize_t read_all(std::size_t room = 65'536) {
    const auto buffer = std::make_unique<std::uint8_t[]>(room);
    server_->begin_reading(false);
    ssize_t n = 0;
    do
      n = take(buffer.get(), room);
    while (n > 0);
    return n;
  }
  bytes got;

  wire& open(std::string_view more = "") {
    send(request(more));
    BOOST_REQUIRE(read() < 0);
    BOOST_REQUIRE(errno == EAGAIN);
    BOOST_REQUIRE(server_->established());
    BOOST_REQUIRE(receive().starts_with("HTTP/1.1 101 "));
    return *this;
  }
  static bytes request(std::string_view more = "") {
    return "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           "Sec-WebSocket-Protocol: mqtt\r\n"
           + bytes{more} + "\r\n";
  }

private:
  ssize_t take(std::uint8_t* buffer, std::size_t room) {
    const auto n = server_->read({buffer, room});
    if (n > 0)
      got.append(reinterpret_cast<const char*>(buffer),
                 static_cast<std::size_t>(n));
    return n;
  }

  int fds_[2]{-1, -1};
  SSL_CTX* client_context_ = nullptr;
  SSL* client_ = nullptr;
  std::unique_ptr<net::websocket_stream> server_;
};

/// Frames as a server sends them, taken apart.
struct server_frames {
  bytes data; ///< of data frames
  std::vector<std::pair<unsigned, bytes>> control;
  std::size_t count = 0;
  bool compressed = false;
  bytes rest;

  void take(std::string_view in) {
    rest += in;
    while (rest.size() >= 2) {
      const auto at = [&](std::size_t i) {
        return static_cast<unsigned char>(rest[i]);
      };
      BOOST_REQUIRE((at(0) & 0x80U) != 0);
      BOOST_REQUIRE((at(1) & 0x80U) == 0);
      std::uint64_t size = at(1);
      std::size_t head = 2;
      if (size >= 126) {
        head += size == 126 ? 2 : 8;
        if (rest.size() < head)
          return;
        size = 0;
        for (std::size_t i = 2; i != head; ++i)
          size = size << 8U | at(i);
      }
      if (rest.size() < head + size)
        return;
      const auto opcode = at(0) & 0x0FU;
      compressed = compressed || (at(0) & 0x40U) != 0;
      const auto body = rest.substr(head, size);
      if (opcode == 2) {
        data += body;
        ++count;
      } else {
        control.emplace_back(opcode, body);
      }
      rest.erase(0, head + size);
    }
  }
};

} // namespace troupe::test
