#pragma once
// What an authority says of a certificate (RFC 6960), as bytes.

#include "net/openssl.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace troupe::net {

/// The question whether `certificate` is good, DER, for HTTP POST.
/// @throws tls_error
std::vector<std::uint8_t> ocsp_request(const X509* certificate,
                                       const X509* issuer);

/// Until when a response may be shown.
struct ocsp_validity {
  /// Without a time in it, a day from now.
  std::chrono::system_clock::time_point until;
};

/// Checks who signed a response (the issuer, or whom it made a signer of
/// responses), that it is about this certificate and says that it is good, and
/// that it is neither of the future nor out of date.
/// @throws tls_error saying what is wrong
ocsp_validity check_ocsp_response(std::span<const std::uint8_t> response,
                                  const X509* certificate, X509* issuer);

} // namespace troupe::net
