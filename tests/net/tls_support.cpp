#include "tests/net/tls_support.hpp"

#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::test {

namespace {

void demand(bool done) {
  if (!done)
    throw std::runtime_error("the test's own end cannot be made");
}

} // namespace

net::certificate_authority::validity certificates::today() {
  const auto now = std::chrono::system_clock::now();
  return {now - std::chrono::hours{1}, now + std::chrono::hours{24}};
}

certificates::certificates()
  : authority(net::certificate_authority::make("Test authority", today())) {
  const auto write = [this](const std::string& name,
                            const net::certificate_pair& x) {
    files.write(name + ".pem", x.certificate);
    files.write(name + ".key", x.key);
  };
  write("server", authority.issue_server({"localhost"}, today()));
  client = authority.issue_client("atm-7", today());
  write("atm-7", client);
  files.write("ca.pem", authority.own().certificate);
  files.write("crl.pem", authority.revoked(std::chrono::system_clock::now()));
}

net::tls_options certificates::server() const {
  net::tls_options made;
  made.certificate_file = files.path("server.pem");
  made.key_file = files.path("server.key");
  return made;
}

net::tls_options certificates::mutual() const {
  auto made = server();
  made.ca_file = files.path("ca.pem");
  made.ask_client = made.require_client = true;
  return made;
}

namespace {

tls_link& of(SSL* x) { return *static_cast<tls_link*>(SSL_get_app_data(x)); }

int keep_ticket(SSL* tls, SSL_SESSION* session) {
  of(tls).tickets.emplace_back(session);
  return 1; // ours now
}

unsigned give_psk(SSL* tls, const char*, char* identity, unsigned room,
                  unsigned char* key, unsigned key_room) {
  const auto& how = of(tls).how;
  if (how.psk_identity.size() >= room || how.psk.size() > key_room)
    return 0;
  std::copy(how.psk_identity.begin(), how.psk_identity.end(), identity);
  identity[how.psk_identity.size()] = '\0';
  std::copy(how.psk.begin(), how.psk.end(), key);
  return static_cast<unsigned>(how.psk.size());
}

void use_identity(SSL_CTX* to, const net::certificate_pair& x) {
  const auto bio = [](const std::string& text) {
    return net::bio_ptr{
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  };
  const net::x509_ptr certificate{
    PEM_read_bio_X509(bio(x.certificate).get(), nullptr, nullptr, nullptr)};
  const net::key_ptr key{
    PEM_read_bio_PrivateKey(bio(x.key).get(), nullptr, nullptr, nullptr)};
  demand(SSL_CTX_use_certificate(to, certificate.get()) == 1);
  demand(SSL_CTX_use_PrivateKey(to, key.get()) == 1);
}

} // namespace

tls_link::tls_link(std::shared_ptr<const net::tls_context> context,
                   const client_options& options, int socket_buffer)
  : how(options),
    context_(SSL_CTX_new(TLS_client_method())) {
  demand(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_) == 0);
  if (socket_buffer != 0)
    for (const int x : sockets_)
      ::setsockopt(x, SOL_SOCKET, SO_SNDBUF, &socket_buffer,
                   sizeof socket_buffer);
  auto* x = context_.get();
  // Security level 0: what the broker refuses is refused by the broker.
  SSL_CTX_set_security_level(x, 0);
  SSL_CTX_set_min_proto_version(x, how.lowest);
  SSL_CTX_set_max_proto_version(x, how.highest);
  SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_CLIENT
                                      | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(x, keep_ticket);
  if (how.identity != nullptr)
    use_identity(x, *how.identity);
  if (!how.psk.empty())
    SSL_CTX_set_psk_client_callback(x, give_psk);
  client_.reset(SSL_new(x));
  auto* tls = client_.get();
  SSL_set_app_data(tls, this);
  SSL_set_bio(tls, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(SSL_get_rbio(tls), -1);
  SSL_set_connect_state(tls);
  if (!how.name.empty())
    SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             how.name.data()); // its macro has a cast of C in it
  if (how.session != nullptr)
    SSL_set_session(tls, how.session);
  if (how.asks_status)
    SSL_set_tlsext_status_type(tls, TLSEXT_STATUSTYPE_ocsp);
  server_ = std::make_unique<net::tls_stream>(sockets_[0], std::move(context));
}

tls_link::~tls_link() {
  server_.reset();
  for (const int x : sockets_)
    if (x >= 0)
      ::close(x);
}

void tls_link::hang_up() {
  ::close(sockets_[1]);
  sockets_[1] = -1;
}

bool tls_link::client_ended() const {
  return (SSL_get_shutdown(client_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

/// @returns whether anything moved.
bool tls_link::client_turn(std::size_t at_once) {
  if (sockets_[1] < 0)
    return false;
  bool moved = false;
  std::array<char, 65'536> room{};
  for (;;) {
    const auto got = ::recv(sockets_[1], room.data(), room.size(), 0);
    if (got <= 0)
      break;
    BIO_write(SSL_get_rbio(client_.get()), room.data(), static_cast<int>(got));
    moved = true;
  }
  ERR_clear_error();
  auto result = SSL_do_handshake(client_.get());
  while (result == 1) {
    std::size_t size = 0;
    if (!to_say_.empty()
        && SSL_write_ex(client_.get(), to_say_.data(), to_say_.size(), &size)
             == 1) {
      to_say_.erase(0, size);
      moved = true;
    }
    result = SSL_read_ex(client_.get(), room.data(), room.size(), &size);
    if (result == 1) {
      was_told_.append(room.data(), size);
      moved = true;
    }
  }
  if (SSL_get_error(client_.get(), result) == SSL_ERROR_SSL
      && client_error_.empty())
    client_error_ = net::openssl_error();
  for (int size = 0; (size = BIO_read(SSL_get_wbio(client_.get()), room.data(),
                                      static_cast<int>(room.size())))
                     > 0;)
    on_wire_.append(room.data(), static_cast<std::size_t>(size));
  if (!on_wire_.empty()) {
    const auto sent = ::send(sockets_[1], on_wire_.data(),
                             std::min(at_once, on_wire_.size()), MSG_NOSIGNAL);
    if (sent > 0) {
      on_wire_.erase(0, static_cast<std::size_t>(sent));
      moved = true;
    }
  }
  return moved;
}

bool tls_link::server_turn() {
  bool moved = false;
  std::array<std::uint8_t, 4'096> room{};
  server_->begin_reading(sockets_[1] < 0);
  while (!ended_ && server_error_ != EPROTO) {
    const auto got = server_->read(room);
    if (got > 0) {
      heard_.append(reinterpret_cast<const char*>(room.data()),
                    static_cast<std::size_t>(got));
      moved = true;
      continue;
    }
    ended_ = got == 0;
    server_error_ = got == 0 ? 0 : errno;
    break;
  }
  if (server_->wants_flush())
    moved = server_->flush() || moved;
  if (server_->established() && !to_answer_.empty()
      && !server_->wants_flush()) {
    // As connections do: in parts that do not end where records do.
    const auto half = to_answer_.size() / 3;
    std::array<iovec, 2> parts{
      iovec{to_answer_.data(), half},
      iovec{to_answer_.data() + half, to_answer_.size() - half}};
    const auto taken = server_->write(parts);
    if (taken > 0) {
      to_answer_.erase(0, static_cast<std::size_t>(taken));
      moved = true;
    }
  }
  return moved;
}

void tls_link::run(std::size_t at_once) {
  // One more turn than nothing happens: the last may have been for the other.
  for (int quiet = 0; quiet < 2;) {
    const bool moved = client_turn(at_once);
    quiet = server_turn() || moved ? 0 : quiet + 1;
  }
}

} // namespace troupe::test
