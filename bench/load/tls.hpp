#pragma once
// TLS on the generator's own sockets.

#include "bench/load/out_buffer.hpp"

#include <cstdint>
#include <memory>
#include <string>

// OpenSSL's own, so that its headers stay out of this one.
struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace troupe::bench {

struct tls_free {
  void operator()(ssl_st* x) const;
  void operator()(ssl_ctx_st* x) const;
  void operator()(ssl_session_st* x) const;
};

/// The last ticket that a client got; empty if none.
using tls_ticket = std::unique_ptr<ssl_session_st, tls_free>;

/// What the command line says.
struct tls_options {
  bool on = false;
  bool version_1_2 = false; ///< else 1.3 and nothing below it
  bool resume = false;      ///< with the last ticket of the same client
  std::string ca;           ///< file; empty believes any broker
  std::string certificate;  ///< file, of the client; empty has none
  std::string key;          ///< file
};

enum class io_state : std::uint8_t {
  good,   ///< all that was asked for
  again,  ///< the socket has, or takes, no more for now
  closed, ///< by the other end, in order
  failed,
};

struct io_result {
  std::size_t count = 0; ///< bytes, also when the state is not good
  io_state state = io_state::good;
};

/// Options and certificates of all connections of a thread.
class tls_context {
public:
  /// @param host  what the broker's certificate must name if there is a CA: an
  ///              address or a name.
  /// @throws run_error  naming the file that cannot be used.
  tls_context(const tls_options& o, std::string host);

  bool resumes() const { return resumes_; }

private:
  friend class tls_stream;
  std::unique_ptr<ssl_ctx_st, tls_free> handle_;
  std::string host_;
  bool resumes_;
};

/// A client's end of one connection, right on a non-blocking socket. Holds no
/// record buffers while idle. Belongs to one thread.
class tls_stream {
public:
  /// @param ticket  of this client; read when `context` resumes, and replaced
  ///                when the broker sends a new one. Outlives the stream.
  /// @throws run_error
  tls_stream(tls_context& context, int fd, tls_ticket& ticket);

  /// Goes on with the handshake.
  io_state handshake();
  io_result read(std::span<std::uint8_t> to);
  /// What was not taken must be offered again, with more behind it or not.
  io_result write(bytes_view bytes);
  /// Says that nothing more will be sent, as far as the socket takes that.
  void shut_down();

  /// Whether the handshake was a short one.
  bool resumed() const;
  /// Why the last call failed.
  const std::string& why() const { return why_; }

private:
  io_state failure(int result);

  std::unique_ptr<ssl_st, tls_free> handle_;
  std::string why_;
};

} // namespace troupe::bench
