#pragma once
// A TLS client on OpenSSL's own buffers, and the broker's end of a socket.

#include "net/certificate_authority.hpp"
#include "net/openssl.hpp"
#include "net/tls_stream.hpp"
#include "tests/support/temporary_directory.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace troupe::test {

/// An authority with a server (`localhost`) and a client (`atm-7`), good for a
/// day, in files `ca.pem`, `crl.pem`, `server.pem`, `atm-7.pem` and `.key`.
struct certificates {
  certificates();
  net::tls_options server() const; ///< its certificate and nothing else
  net::tls_options mutual() const; ///< clients need one, too
  static net::certificate_authority::validity today();

  temporary_directory files;
  net::certificate_authority authority;
  net::certificate_pair client;
};

struct client_options {
  int lowest = 0;   ///< TLS1_2_VERSION …
  int highest = 0;  ///< 0: OpenSSL's own
  std::string name; ///< that it asks for (SNI)
  const net::certificate_pair* identity = nullptr;
  SSL_SESSION* session = nullptr; ///< to be resumed
  std::string psk_identity;       ///< with `psk`
  std::vector<std::uint8_t> psk;
  bool asks_status = false; ///< OCSP
};

/// One connection: the client's end and the broker's.
class tls_link {
public:
  tls_link(std::shared_ptr<const net::tls_context> context,
           const client_options& how = {}, int socket_buffer = 0);
  ~tls_link();
  tls_link(const tls_link&) = delete;
  tls_link& operator=(const tls_link&) = delete;

  net::tls_stream& server() { return *server_; }
  SSL* client() { return client_.get(); }

  /// Carries bytes to and fro until nothing moves any more.
  /// @param at_once  bytes in one piece from the client at most.
  void run(std::size_t at_once = SIZE_MAX);
  /// From the client's application.
  void say(const std::string& text) { to_say_ += text; }
  /// From the broker's.
  void answer(const std::string& text) { to_answer_ += text; }
  const std::string& heard() const { return heard_; }       ///< the broker
  const std::string& was_told() const { return was_told_; } ///< the client
  /// What the broker's end said last: 0 or an errno; -1 before.
  int server_error() const { return server_error_; }
  bool ended() const { return ended_; } ///< the broker saw the end
  const std::string& client_error() const { return client_error_; }
  bool client_ended() const; ///< by close_notify
  void hang_up();            ///< the client's socket
  bool is_up() { return server_->established() && client_is_up(); }
  bool client_is_up() const { return SSL_is_init_finished(client_.get()) == 1; }
  /// Tickets that the client was given.
  std::vector<std::unique_ptr<SSL_SESSION, net::openssl_free<SSL_SESSION_free>>>
    tickets;
  client_options how;

private:
  bool client_turn(std::size_t at_once);
  bool server_turn();

  int sockets_[2] = {-1, -1};
  net::ssl_ctx_ptr context_;
  std::unique_ptr<SSL, net::openssl_free<SSL_free>> client_;
  std::unique_ptr<net::tls_stream> server_;
  std::string to_say_, to_answer_, heard_, was_told_, client_error_;
  std::string on_wire_; ///< of the client, not in the socket yet
  int server_error_ = -1;
  bool ended_ = false;
};

} // namespace troupe::test
