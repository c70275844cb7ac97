#pragma once
// TLS straight on a socket.

#include "net/tls_context.hpp"
#include "net/transport.hpp"

#include <memory>
#include <optional>
#include <vector>

struct ssl_st;

namespace troupe::net {

/// The server's end of one TLS connection (RFC 8446, 5246). Holds no buffers
/// while nothing is under way: OpenSSL's are released, and what it encrypts
/// lies in memory of the thread until the socket has taken it.
class tls_stream final : public transport {
public:
  /// @param fd       non-blocking; stays the caller's.
  /// @param context  kept while this lives.
  /// @throws std::bad_alloc
  tls_stream(int fd, std::shared_ptr<const tls_context> context);
  ~tls_stream() override;

  void begin_reading(bool to_the_end) noexcept override;
  ssize_t read(std::span<std::uint8_t> to) override;
  bool has_more() const noexcept override;
  ssize_t write(std::span<const iovec> parts) override;
  bool wants_flush() const noexcept override { return !unsent_.empty(); }
  bool flush() override;
  bool established() const noexcept override { return established_; }
  const tls_stream* tls() const noexcept override { return this; }
  void end(bool orderly) noexcept override;
  std::string_view trouble() const noexcept override { return trouble_; }
  traffic take_traffic() noexcept override;

  // ---- once established ----------------------------------------------------

  bool resumed() const noexcept;
  /// Of a client whose certificate was asked for and verified.
  std::optional<peer_certificate> certificate() const;
  /// The identity of its pre-shared key; empty without.
  std::string psk_identity() const;
  std::string_view version() const noexcept; ///< `TLSv1.3`
  std::string_view cipher() const noexcept;

private:
  friend struct tls_stream_io;
  friend struct tls_verification;
  bool handshake();
  /// Sends what OpenSSL made. @returns false with errno.
  bool send_made();
  ssize_t fail(int result);

  int fd_;
  bool established_ = false;
  bool drained_ = false; ///< the last recv(2) left nothing
  bool to_the_end_ = false;
  bool broken_ = false;
  bool flooded_ = false; ///< with what is no data
  int error_ = 0;        ///< of the socket
  std::string_view trouble_;
  /// Who was not believed, and why; `trouble_` shows it.
  std::unique_ptr<std::string> unverified_;
  std::shared_ptr<const tls_context> context_;
  ssl_st* tls_ = nullptr;
  std::vector<std::uint8_t> unsent_; ///< what the socket did not take
  traffic traffic_;
  /// Bytes that came without any for us: records that only cost time.
  std::size_t fruitless_ = 0;
};

} // namespace troupe::net
