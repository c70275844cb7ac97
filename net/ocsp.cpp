#include "net/ocsp.hpp"

#include "net/tls_context.hpp"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <ctime>

namespace troupe::net {

namespace {

using request_ptr =
  std::unique_ptr<OCSP_REQUEST, openssl_free<OCSP_REQUEST_free>>;
using response_ptr =
  std::unique_ptr<OCSP_RESPONSE, openssl_free<OCSP_RESPONSE_free>>;
using basic_ptr =
  std::unique_ptr<OCSP_BASICRESP, openssl_free<OCSP_BASICRESP_free>>;
using id_ptr = std::unique_ptr<OCSP_CERTID, openssl_free<OCSP_CERTID_free>>;
using store_ptr = std::unique_ptr<X509_STORE, openssl_free<X509_STORE_free>>;

/// Clocks that differ so much are no trouble.
constexpr long skew_seconds = 300;

/// SHA-1 names the issuer here and protects nothing: every responder knows it.
id_ptr id_of(const X509* certificate, const X509* issuer) {
  return id_ptr{OCSP_cert_to_id(nullptr, certificate, issuer)};
}

[[noreturn]] void refuse(const std::string& what) { throw tls_error(what); }

struct one_certificate {
  STACK_OF(X509) * stack;
  explicit one_certificate(X509* x) : stack(sk_X509_new_null()) {
    if (stack == nullptr || sk_X509_push(stack, x) == 0)
      throw std::bad_alloc{};
  }
  ~one_certificate() { sk_X509_free(stack); }
  one_certificate(const one_certificate&) = delete;
  one_certificate& operator=(const one_certificate&) = delete;
};

} // namespace

std::vector<std::uint8_t> ocsp_request(const X509* certificate,
                                       const X509* issuer) {
  const request_ptr made{OCSP_REQUEST_new()};
  auto id = id_of(certificate, issuer);
  if (!made || !id || OCSP_request_add0_id(made.get(), id.get()) == nullptr)
    refuse("no OCSP request can be made: " + openssl_error());
  static_cast<void>(id.release()); // the request's now
  unsigned char* at = nullptr;
  const auto size = i2d_OCSP_REQUEST(made.get(), &at);
  if (size <= 0)
    refuse("no OCSP request can be made: " + openssl_error());
  std::vector<std::uint8_t> bytes{at, at + size};
  OPENSSL_free(at);
  return bytes;
}

ocsp_validity check_ocsp_response(std::span<const std::uint8_t> response,
                                  const X509* certificate, X509* issuer) {
  const auto* at = response.data();
  const response_ptr parsed{
    d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(response.size()))};
  if (!parsed) {
    ERR_clear_error();
    refuse("is no OCSP response in DER form");
  }
  if (const auto status = OCSP_response_status(parsed.get());
      status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    refuse(std::string{"the responder refuses: "}
           + OCSP_response_status_str(status));
  const basic_ptr basic{OCSP_response_get1_basic(parsed.get())};
  const store_ptr trusted{X509_STORE_new()};
  if (!basic || !trusted
      || X509_STORE_add_cert(trusted.get(), issuer) != 1
      // The issuer need not be a root.
      || X509_STORE_set_flags(trusted.get(), X509_V_FLAG_PARTIAL_CHAIN) != 1)
    refuse("the OCSP response cannot be read: " + openssl_error());
  const one_certificate known{issuer};
  if (OCSP_basic_verify(basic.get(), known.stack, trusted.get(), 0) != 1)
    refuse("the OCSP response is not signed by the issuer of the certificate, "
           "nor by whom it allowed to: "
           + openssl_error());
  int status = 0;
  int reason = 0;
  ASN1_GENERALIZEDTIME* revoked = nullptr;
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* to = nullptr;
  if (OCSP_resp_find_status(basic.get(), id_of(certificate, issuer).get(),
                            &status, &reason, &revoked, &from, &to)
      != 1)
    refuse("the OCSP response is about another certificate");
  if (status != V_OCSP_CERTSTATUS_GOOD)
    refuse(std::string{"the OCSP response says that the certificate is "}
           + OCSP_cert_status_str(status));
  if (OCSP_check_validity(from, to, skew_seconds, -1) != 1)
    refuse("the OCSP response is out of date, or of the future: "
           + openssl_error());
  using clock = std::chrono::system_clock;
  std::tm end{};
  if (to == nullptr || ASN1_TIME_to_tm(to, &end) != 1)
    return {clock::now() + std::chrono::hours{24}};
  return {clock::from_time_t(::timegm(&end))};
}

} // namespace troupe::net
