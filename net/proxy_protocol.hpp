#pragma once
// The header with which a balancer says whom it speaks for: HAProxy's PROXY
// protocol, versions 1 (a line of text) and 2 (binary), as the receiver.
// Numbers of sections are those of HAProxy's proxy-protocol.txt.

#include "net/tcp.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

namespace troupe::net {

/// Version 2, what follows its 16 fixed bytes: more is refused, so that a
/// stranger cannot make us wait for 64 KiB.
constexpr std::size_t proxy_length_max = 4'096;
/// No header is longer, of either version, in bytes.
constexpr std::size_t proxy_header_max = 16 + proxy_length_max;

/// The header has not arrived wholly.
struct proxy_incomplete {
  /// Bytes that it has for certain, more than there are: whoever reads up to
  /// so many takes nothing of what follows the header (a TLS library reads
  /// from the socket itself), and needs a read or two for version 2.
  std::size_t size_min;
};

/// No header, or none that is accepted: the connection is to be closed without
/// an answer (section 2: there must be no guessing).
struct proxy_error {
  const char* what; ///< a fixed text for the log
};

/// What the balancer tells of the client's TLS (PP2_TYPE_SSL, section 2.2.5).
struct proxy_tls {
  bool over_tls = false;               ///< the client came over TLS
  bool certificate_now = false;        ///< it showed one in this connection
  bool certificate_in_session = false; ///< or earlier in the TLS session
  /// What checking the certificate came to. 0: it was presented and is good.
  std::uint32_t verify_result = 0;
  std::string version; ///< "TLSv1.3"
  /// Of the certificate's subject, UTF-8 without U+0000; empty: not told. Says
  /// who the client is only with `certificate_is_good`.
  std::string common_name;

  /// Whether the client proved with a certificate who it is.
  bool certificate_is_good() const noexcept {
    return over_tls && (certificate_now || certificate_in_session)
           && verify_result == 0;
  }
};

/// A whole header.
struct proxy_header {
  std::size_t size = 0; ///< bytes of it: what follows is the client's
  /// The balancer speaks for itself (a health check), or for somebody without
  /// an address of ours: the socket's own addresses stay. Otherwise `source`
  /// and `destination` are there.
  bool is_local = false;
  std::optional<endpoint> source;      ///< the client
  std::optional<endpoint> destination; ///< what the client had dialled
  std::optional<proxy_tls> tls;
  std::string authority; ///< the host name that the client asked for (SNI)
};

using proxy_result = std::variant<proxy_incomplete, proxy_error, proxy_header>;

/// Reads the header at the front of what a connection sent. Refuses as soon as
/// the bytes show that they are none. Borrows `in` for the call only.
proxy_result proxy_parse(std::span<const std::uint8_t> in);

} // namespace troupe::net
