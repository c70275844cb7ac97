#pragma once
// What a TLS context reads from PEM files. Internal to net/.

#include "net/openssl.hpp"
#include "net/tls_context.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace troupe::net {

/// @throws tls_error  always: what is wrong with `file`.
[[noreturn]] void refuse(const std::string& file, const std::string& what);

/// The bytes of `file`.
/// @throws tls_error  it cannot be read.
std::string contents_of(const std::string& file);

/// Reads from `text`, which has to outlive it.
bio_ptr bio_of(const std::string& text);

/// After OpenSSL found no further object in a PEM file.
/// @param number  of the object that it did not find, from 1.
/// @param what  kind of object, for the error's text.
/// @throws tls_error  there was one, and it is damaged.
void demand_end(const std::string& file, std::size_t number,
                const std::string& what);

/// A chain with its key: a listener has one of its own, and one for each
/// server name.
struct server_identity {
  x509_ptr certificate;
  std::vector<x509_ptr> issuers; ///< the certificate's own first
  key_ptr key;
};

/// @param chain_file  a certificate, then its issuers'.
/// @param password  of the key, where it is encrypted.
/// @throws tls_error  a file cannot be read, is not PEM, or the key is another
///                    certificate's.
server_identity read_identity(const std::string& chain_file,
                              const std::string& key_file,
                              const std::string& password);

/// `to` shows `who` to its clients.
/// @param file  where it is from, for the error's text.
/// @throws tls_error  OpenSSL refuses it, e.g. for a key that is too short.
void use(SSL_CTX* to, const server_identity& who, const std::string& file);

certificate_expiry expiry_of(const std::string& file, const X509* x);

/// The DNS names that a certificate is for (RFC 6125: of its subjectAltName).
std::vector<std::string> dns_names_of(const X509* x);

} // namespace troupe::net
