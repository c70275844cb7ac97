#pragma once
// Owners of OpenSSL's objects, and its errors as text.

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace troupe::net {

template <auto Free>
struct openssl_free {
  template <class T>
  void operator()(T* x) const noexcept {
    Free(x);
  }
};

using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, openssl_free<SSL_CTX_free>>;
using x509_ptr = std::unique_ptr<X509, openssl_free<X509_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, openssl_free<EVP_PKEY_free>>;
using bio_ptr = std::unique_ptr<BIO, openssl_free<BIO_free_all>>;

/// The newest error of this thread, and forgets all; never empty.
inline std::string openssl_error() {
  const auto code = ERR_peek_last_error();
  ERR_clear_error();
  const auto* text = ERR_reason_error_string(code);
  return text != nullptr ? text : "unknown error";
}

/// Whose certificate it is, as RFC 2253 writes it.
inline std::string subject_of(const X509& x) {
  const bio_ptr to{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(to.get(), X509_get_subject_name(&x), 0,
                     XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* at = nullptr;
  const auto size = BIO_get_mem_data(to.get(), &at);
  return {at, static_cast<std::size_t>(size)};
}

} // namespace troupe::net
