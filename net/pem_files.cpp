#include "net/pem_files.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>

namespace troupe::net {

void refuse(const std::string& file, const std::string& what) {
  throw tls_error(file + ": " + what);
}

std::string contents_of(const std::string& file) {
  std::ifstream from(file, std::ios::binary);
  if (!from)
    refuse(file, "cannot be read: " + std::string{std::strerror(errno)});
  try {
    return {std::istreambuf_iterator<char>{from}, {}};
  } catch (const std::ios_base::failure&) { // of a directory, or a broken disk
    refuse(file, "cannot be read: " + std::string{std::strerror(errno)});
  }
}

bio_ptr bio_of(const std::string& text) {
  return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

void demand_end(const std::string& file, std::size_t number,
                const std::string& what) {
  const bool ended =
    ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const auto why = openssl_error();
  if (!ended)
    refuse(file, what + " number " + std::to_string(number)
                   + " in it is damaged: " + why);
}

namespace {

int give_password(char* to, int room, int, void* password) {
  const auto& from = *static_cast<const std::string*>(password);
  const auto size =
    std::min<std::size_t>(static_cast<std::size_t>(room), from.size());
  std::copy_n(from.begin(), size, to);
  return static_cast<int>(size);
}

} // namespace

server_identity read_identity(const std::string& chain_file,
                              const std::string& key_file,
                              const std::string& password) {
  server_identity made;
  const auto chain = contents_of(chain_file);
  const auto from = bio_of(chain);
  made.certificate.reset(
    PEM_read_bio_X509_AUX(from.get(), nullptr, nullptr, nullptr));
  if (!made.certificate)
    refuse(chain_file, "holds no certificate in PEM form (" + openssl_error()
                         + "); one begins with -----BEGIN CERTIFICATE-----");
  for (;;) {
    x509_ptr next{PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)};
    if (!next)
      break;
    made.issuers.push_back(std::move(next));
  }
  demand_end(chain_file, made.issuers.size() + 2, "certificate");
  const auto key_text = contents_of(key_file);
  made.key.reset(PEM_read_bio_PrivateKey(bio_of(key_text).get(), nullptr,
                                         give_password,
                                         const_cast<std::string*>(&password)));
  if (!made.key)
    refuse(key_file,
           "holds no private key that can be read (" + openssl_error()
             + "); is it PEM, and is the password right if it is encrypted?");
  if (X509_check_private_key(made.certificate.get(), made.key.get()) != 1)
    refuse(key_file, "is not the key of the certificate in " + chain_file);
  ERR_clear_error();
  return made;
}

void use(SSL_CTX* to, const server_identity& who, const std::string& file) {
  STACK_OF(X509)* chain = sk_X509_new_null();
  for (const auto& x : who.issuers)
    sk_X509_push(chain, x.get());
  const auto done = SSL_CTX_use_cert_and_key(to, who.certificate.get(),
                                             who.key.get(), chain, 1);
  sk_X509_free(chain);
  if (done != 1)
    refuse(file, "cannot be used: " + openssl_error());
}

certificate_expiry expiry_of(const std::string& file, const X509* x) {
  certificate_expiry made{file, subject_of(*x), {}};
  std::tm at{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &at) == 1)
    made.not_after = std::chrono::system_clock::from_time_t(::timegm(&at));
  return made;
}

std::vector<std::string> dns_names_of(const X509* x) {
  std::vector<std::string> made;
  auto* names = static_cast<GENERAL_NAMES*>(
    X509_get_ext_d2i(x, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS)
      continue;
    const auto* text = ASN1_STRING_get0_data(name->d.dNSName);
    made.emplace_back(
      reinterpret_cast<const char*>(text),
      static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  return made;
}

} // namespace troupe::net
