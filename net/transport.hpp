#pragma once
// What may lie between a socket and the packets in it.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <sys/uio.h>

namespace troupe::net {

class tls_stream;

/// What a TLS client's certificate says.
struct peer_certificate {
  std::string subject;     ///< RFC 2253, e.g. `CN=atm-7,O=Bank`
  std::string common_name; ///< the last CN of the subject; may be empty
  std::string fingerprint; ///< SHA-256 of the certificate, lower-case hex
};

/// Bytes of a client through TLS or WebSocket, over a non-blocking socket that
/// somebody else owns and watches. A plain socket has none. For one thread.
///
/// Calls answer as recv(2) and sendmsg(2) do: bytes, 0 at the end of what the
/// other side sends, or -1 with errno. EAGAIN means that the socket has to be
/// waited for; EPROTO that the other side broke a rule, which `trouble` names.
class transport {
public:
  virtual ~transport() = default;
  transport() = default;
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;

  /// The socket told that it can be read.
  /// @param to_the_end  the other side has ended: nothing more will be told,
  ///                    so a short read does not mean that nothing is left.
  virtual void begin_reading(bool to_the_end) noexcept = 0;
  /// Also goes on with a handshake. To be called until it answers EAGAIN, or
  /// later again although the socket tells nothing (`has_more`).
  virtual ssize_t read(std::span<std::uint8_t> to) = 0;
  /// Whether bytes wait here that `read` did not give yet.
  virtual bool has_more() const noexcept = 0;
  /// Takes some bytes of the front of `parts`. What it took it keeps: `flush`.
  virtual ssize_t write(std::span<const iovec> parts) = 0;
  /// Whether output that was taken, or is its own, waits for the socket.
  virtual bool wants_flush() const noexcept = 0;
  /// @returns false with errno; EAGAIN: the socket takes no more.
  virtual bool flush() = 0;
  /// The TLS in it; null if there is none.
  virtual const tls_stream* tls() const noexcept { return nullptr; }
  /// Whether no handshake is under way any more.
  virtual bool established() const noexcept = 0;
  /// Tells the other side that nothing more comes, as far as the socket takes
  /// it at once.
  /// @param orderly  false: after an error of the other side.
  virtual void end(bool orderly) noexcept = 0;
  /// After EPROTO: what is wrong; valid as long as this lives.
  virtual std::string_view trouble() const noexcept = 0;
  /// Bytes that came of and went to the socket since the last call, for
  /// counters.
  struct traffic {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
  };
  virtual traffic take_traffic() noexcept = 0;
};

} // namespace troupe::net
