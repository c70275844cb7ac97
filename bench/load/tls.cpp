#include "bench/load/tls.hpp"

#include "bench/load/socket.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>

namespace troupe::bench {

namespace {

/// The first of OpenSSL's reasons; empties its queue.
std::string reason() {
  const auto code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0)
    return "unknown error";
  if (ERR_SYSTEM_ERROR(code))
    return std::strerror(ERR_GET_REASON(code));
  const auto* text = ::ERR_reason_error_string(code);
  return text != nullptr ? text : "error " + std::to_string(code);
}

void need(bool done, const std::string& what) {
  if (!done)
    throw run_error{what + ": " + reason()};
}

/// Keeps the ticket with the client: sessions live as long as that. A ticket
/// may come after each handshake; the last one counts.
int keep_ticket(SSL* ssl, SSL_SESSION* session) {
  auto* ticket = static_cast<tls_ticket*>(SSL_get_app_data(ssl));
  if (ticket == nullptr || ::SSL_SESSION_is_resumable(session) == 0)
    return 0;
  ticket->reset(session);
  return 1; // the reference is ours
}

} // namespace

void tls_free::operator()(ssl_st* x) const {
  // Otherwise a connection that ends without the alert spoils its ticket.
  ::SSL_set_shutdown(x, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  ::SSL_free(x);
}
void tls_free::operator()(ssl_ctx_st* x) const { ::SSL_CTX_free(x); }
void tls_free::operator()(ssl_session_st* x) const { ::SSL_SESSION_free(x); }

tls_context::tls_context(const tls_options& o, std::string host)
  : handle_(::SSL_CTX_new(::TLS_client_method())),
    host_(std::move(host)),
    resumes_(o.resume) {
  auto* ctx = handle_.get();
  need(ctx != nullptr, "TLS");
  const auto version = o.version_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(ctx, version);
  SSL_CTX_set_max_proto_version(ctx, version);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                          | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Many brokers close without the alert for it, after a DISCONNECT.
  SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Several records with one system call.
  SSL_CTX_set_read_ahead(ctx, 1);
  if (resumes_) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT
                                          | SSL_SESS_CACHE_NO_INTERNAL);
    ::SSL_CTX_sess_set_new_cb(ctx, keep_ticket);
  }
  if (!o.ca.empty()) {
    need(::SSL_CTX_load_verify_file(ctx, o.ca.c_str()) == 1, "--ca " + o.ca);
    ::SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  }
  if (!o.certificate.empty()) {
    need(::SSL_CTX_use_certificate_chain_file(ctx, o.certificate.c_str()) == 1,
         "--cert " + o.certificate);
    need(::SSL_CTX_use_PrivateKey_file(ctx, o.key.c_str(), SSL_FILETYPE_PEM)
           == 1,
         "--key " + o.key);
  }
}

tls_stream::tls_stream(tls_context& context, int fd, tls_ticket& ticket)
  : handle_(::SSL_new(context.handle_.get())) {
  auto* ssl = handle_.get();
  need(ssl != nullptr && ::SSL_set_fd(ssl, fd) == 1, "TLS");
  const auto& host = context.host_;
  auto* verify = ::SSL_get0_param(ssl);
  if (::X509_VERIFY_PARAM_set1_ip_asc(verify, host.c_str()) != 1) {
    ::ERR_clear_error(); // so it is a name
    need(::SSL_set1_host(ssl, host.c_str()) == 1
           && ::SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
                         TLSEXT_NAMETYPE_host_name,
                         const_cast<char*>(host.c_str()))
                == 1,
         "--host " + host);
  }
  if (context.resumes_) {
    SSL_set_app_data(ssl, &ticket);
    if (ticket)
      need(::SSL_set_session(ssl, ticket.get()) == 1, "ticket");
  }
  ::SSL_set_connect_state(ssl);
}

io_state tls_stream::failure(int result) {
  switch (::SSL_get_error(handle_.get(), result)) {
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE:
    return io_state::again;
  case SSL_ERROR_ZERO_RETURN:
    return io_state::closed;
  case SSL_ERROR_SYSCALL:
    if (errno == 0)
      return io_state::closed;
    why_ = std::strerror(errno);
    ::ERR_clear_error();
    return io_state::failed;
  default:
    why_ = "TLS: " + reason();
    if (const auto code = ::SSL_get_verify_result(handle_.get());
        code != X509_V_OK)
      why_ += std::string{" ("} + ::X509_verify_cert_error_string(code) + ")";
    return io_state::failed;
  }
}

io_state tls_stream::handshake() {
  ::ERR_clear_error();
  errno = 0;
  const auto result = ::SSL_do_handshake(handle_.get());
  return result == 1 ? io_state::good : failure(result);
}

io_result tls_stream::read(std::span<std::uint8_t> to) {
  io_result out;
  ::ERR_clear_error();
  errno = 0;
  while (out.count < to.size()) {
    std::size_t got = 0; // a record at most
    const auto result = ::SSL_read_ex(handle_.get(), to.data() + out.count,
                                      to.size() - out.count, &got);
    if (result != 1) {
      out.state = failure(result);
      break;
    }
    out.count += got;
  }
  return out;
}

io_result tls_stream::write(bytes_view bytes) {
  io_result out;
  ::ERR_clear_error();
  errno = 0;
  while (out.count < bytes.size()) {
    std::size_t sent = 0;
    const auto result = ::SSL_write_ex(handle_.get(), bytes.data() + out.count,
                                       bytes.size() - out.count, &sent);
    if (result != 1) {
      out.state = failure(result);
      break;
    }
    out.count += sent;
  }
  return out;
}

void tls_stream::shut_down() {
  if (::SSL_is_init_finished(handle_.get()) != 0)
    ::SSL_shutdown(handle_.get());
  ::ERR_clear_error();
}

bool tls_stream::resumed() const {
  return ::SSL_session_reused(handle_.get()) == 1;
}

} // namespace troupe::bench
