#include "net/certificate_authority.hpp"

#include "net/openssl.hpp"

#include <boost/asio/ip/address.hpp>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

namespace troupe::net {

namespace {

using crl_ptr = std::unique_ptr<X509_CRL, openssl_free<X509_CRL_free>>;
using integer_ptr =
  std::unique_ptr<ASN1_INTEGER, openssl_free<ASN1_INTEGER_free>>;
using time_ptr = std::unique_ptr<ASN1_TIME, openssl_free<ASN1_TIME_free>>;
using extension_ptr =
  std::unique_ptr<X509_EXTENSION, openssl_free<X509_EXTENSION_free>>;
using revoked_ptr =
  std::unique_ptr<X509_REVOKED, openssl_free<X509_REVOKED_free>>;
using time_point = certificate_authority::time_point;

void demand(bool done, std::string_view what) {
  if (!done)
    throw certificate_error(std::string{what} + ": " + openssl_error());
}

bio_ptr bio_of(const std::string& text) {
  return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

template <class Write>
std::string pem_of(Write write) {
  const bio_ptr to{BIO_new(BIO_s_mem())};
  demand(to && write(to.get()) == 1, "PEM cannot be written");
  char* at = nullptr;
  const auto size = BIO_get_mem_data(to.get(), &at);
  return {at, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* x) {
  return pem_of([x](BIO* to) { return PEM_write_bio_X509(to, x); });
}

std::string pem_of(EVP_PKEY* x) {
  return pem_of([x](BIO* to) {
    return PEM_write_bio_PKCS8PrivateKey(to, x, nullptr, nullptr, 0, nullptr,
                                         nullptr);
  });
}

key_ptr make_key() {
  key_ptr made{EVP_EC_gen("P-256")};
  demand(made != nullptr, "no key can be made");
  return made;
}

time_ptr asn1(time_point x) {
  time_ptr made{
    ASN1_TIME_set(nullptr, std::chrono::system_clock::to_time_t(x))};
  demand(made != nullptr, "a time cannot be written");
  return made;
}

/// Nobody can guess it, and it is not negative (RFC 5280, 4.1.2.2).
void set_serial(X509* x) {
  std::array<unsigned char, 16> bytes{};
  demand(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1,
         "no random bytes");
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3FU) | 0x40U);
  std::unique_ptr<BIGNUM, openssl_free<BN_free>> number{
    BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)};
  demand(number
           && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x))
                != nullptr,
         "no serial number");
}

void extend(X509* x, X509* issuer, int what, const char* value) {
  X509V3_CTX how;
  X509V3_set_ctx(&how, issuer, x, nullptr, nullptr, 0);
  const extension_ptr made{X509V3_EXT_conf_nid(nullptr, &how, what, value)};
  demand(made && X509_add_ext(x, made.get(), -1) == 1,
         std::string{OBJ_nid2ln(what)} + " = " + value);
}

/// What all certificates have; not signed.
x509_ptr blank(const std::string& name, EVP_PKEY* key,
               const certificate_authority::validity& when) {
  x509_ptr made{X509_new()};
  auto* x = made.get();
  demand(x != nullptr && X509_set_version(x, X509_VERSION_3) == 1
           && X509_set1_notBefore(x, asn1(when.from).get()) == 1
           && X509_set1_notAfter(x, asn1(when.to).get()) == 1
           && X509_set_pubkey(x, key) == 1,
         "no certificate can be made");
  set_serial(x);
  demand(X509_NAME_add_entry_by_NID(
           X509_get_subject_name(x), NID_commonName, MBSTRING_UTF8,
           reinterpret_cast<const unsigned char*>(name.data()),
           static_cast<int>(name.size()), -1, 0)
           == 1,
         '"' + name + "\" cannot be a Common Name (1 to 64 characters)");
  return made;
}

} // namespace

struct certificate_authority::state {
  x509_ptr certificate;
  key_ptr key;
  crl_ptr list;

  certificate_pair issue(const std::string& name, const validity& when,
                         const char* usage, const std::string& names) {
    const auto own_key = make_key();
    const auto made = blank(name, own_key.get(), when);
    auto* x = made.get();
    auto* issuer = certificate.get();
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    extend(x, issuer, NID_basic_constraints, "critical,CA:FALSE");
    extend(x, issuer, NID_key_usage, "critical,digitalSignature");
    extend(x, issuer, NID_ext_key_usage, usage);
    extend(x, issuer, NID_subject_key_identifier, "hash");
    extend(x, issuer, NID_authority_key_identifier, "keyid");
    if (!names.empty())
      extend(x, issuer, NID_subject_alt_name, names.c_str());
    demand(X509_sign(x, key.get(), EVP_sha256()) > 0, "cannot be signed");
    return {pem_of(x), pem_of(own_key.get())};
  }
};

certificate_authority::certificate_authority(std::unique_ptr<state> its)
  : state_(std::move(its)) {}
certificate_authority::~certificate_authority() = default;
certificate_authority::certificate_authority(certificate_authority&&) noexcept =
  default;
certificate_authority&
certificate_authority::operator=(certificate_authority&&) noexcept = default;

certificate_authority certificate_authority::make(const std::string& name,
                                                  const validity& when) {
  auto made = std::make_unique<state>();
  made->key = make_key();
  made->certificate = blank(name, made->key.get(), when);
  auto* x = made->certificate.get();
  X509_set_issuer_name(x, X509_get_subject_name(x));
  extend(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  extend(x, x, NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(x, x, NID_subject_key_identifier, "hash");
  demand(X509_sign(x, made->key.get(), EVP_sha256()) > 0, "cannot be signed");
  made->list.reset(X509_CRL_new());
  demand(made->list != nullptr, "no list of revoked certificates");
  return certificate_authority{std::move(made)};
}

certificate_authority certificate_authority::read(const certificate_pair& own,
                                                  const std::string& revoked) {
  auto made = std::make_unique<state>();
  made->certificate.reset(PEM_read_bio_X509(bio_of(own.certificate).get(),
                                            nullptr, nullptr, nullptr));
  demand(made->certificate != nullptr, "its certificate is no PEM");
  made->key.reset(
    PEM_read_bio_PrivateKey(bio_of(own.key).get(), nullptr, nullptr, nullptr));
  demand(made->key != nullptr, "its key is no PEM");
  demand(X509_check_private_key(made->certificate.get(), made->key.get()) == 1,
         "its key is another certificate's");
  made->list.reset(
    PEM_read_bio_X509_CRL(bio_of(revoked).get(), nullptr, nullptr, nullptr));
  demand(made->list && X509_CRL_verify(made->list.get(), made->key.get()) == 1,
         "its list of revoked certificates is no PEM, or another authority's");
  return certificate_authority{std::move(made)};
}

certificate_pair
certificate_authority::issue_server(const std::vector<std::string>& names,
                                    const validity& when) {
  std::string all;
  for (const auto& one : names) {
    if (!is_server_name(one))
      throw certificate_error(
        '"' + one + "\" is neither a name of a host nor an address");
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(one, error);
    all += all.empty() ? "" : ",";
    all += error ? "DNS:" + one : "IP:" + address.to_string();
  }
  if (names.empty())
    throw certificate_error("a server's certificate needs a name");
  return state_->issue(names.front(), when, "serverAuth", all);
}

certificate_pair certificate_authority::issue_client(const std::string& name,
                                                     const validity& when) {
  return state_->issue(name, when, "clientAuth", {});
}

bool certificate_authority::revoke(const std::string& certificate,
                                   time_point now) {
  const x509_ptr x{
    PEM_read_bio_X509(bio_of(certificate).get(), nullptr, nullptr, nullptr)};
  demand(x != nullptr, "is no certificate in PEM form");
  demand(X509_verify(x.get(), state_->key.get()) == 1,
         "was not signed by this authority");
  X509_REVOKED* known = nullptr;
  if (X509_CRL_get0_by_cert(state_->list.get(), &known, x.get()) == 1)
    return false;
  revoked_ptr one{X509_REVOKED_new()};
  demand(one
           && X509_REVOKED_set_serialNumber(one.get(),
                                            X509_get_serialNumber(x.get()))
                == 1
           && X509_REVOKED_set_revocationDate(one.get(), asn1(now).get()) == 1
           && X509_CRL_add0_revoked(state_->list.get(), one.get()) == 1,
         "cannot be revoked");
  static_cast<void>(one.release()); // the list's now
  return true;
}

certificate_pair certificate_authority::own() const {
  return {pem_of(state_->certificate.get()), pem_of(state_->key.get())};
}

std::string certificate_authority::revoked(time_point now) {
  auto* list = state_->list.get();
  auto* issuer = state_->certificate.get();
  const integer_ptr before{static_cast<ASN1_INTEGER*>(
    X509_CRL_get_ext_d2i(list, NID_crl_number, nullptr, nullptr))};
  const integer_ptr number{ASN1_INTEGER_new()};
  demand(number
           && ASN1_INTEGER_set(number.get(),
                               before ? ASN1_INTEGER_get(before.get()) + 1 : 1)
                == 1,
         "no number for the list");
  // What was signed before is signed anew.
  while (X509_CRL_get_ext_count(list) > 0)
    X509_EXTENSION_free(X509_CRL_delete_ext(list, 0));
  X509V3_CTX how;
  X509V3_set_ctx(&how, issuer, nullptr, nullptr, list, 0);
  const extension_ptr by{
    X509V3_EXT_conf_nid(nullptr, &how, NID_authority_key_identifier, "keyid")};
  demand(by && X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1
           && X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer)) == 1
           && X509_CRL_set1_lastUpdate(list, asn1(now).get()) == 1
           && X509_CRL_set1_nextUpdate(list, X509_get0_notAfter(issuer)) == 1
           && X509_CRL_add_ext(list, by.get(), -1) == 1
           && X509_CRL_add1_ext_i2d(list, NID_crl_number, number.get(), 0, 0)
                == 1
           && X509_CRL_sort(list) == 1
           && X509_CRL_sign(list, state_->key.get(), EVP_sha256()) > 0,
         "the list of revoked certificates cannot be signed");
  return pem_of([list](BIO* to) { return PEM_write_bio_X509_CRL(to, list); });
}

time_point certificate_authority::good_until() const {
  std::tm at{};
  demand(ASN1_TIME_to_tm(X509_get0_notAfter(state_->certificate.get()), &at)
           == 1,
         "the end of the authority cannot be read");
  return std::chrono::system_clock::from_time_t(::timegm(&at));
}

bool is_server_name(std::string_view text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(text, error);
  if (!error)
    return text.find('%') == text.npos; // a zone is of one machine
  constexpr std::size_t longest = 64;   // it is a Common Name as well
  constexpr std::size_t longest_label = 63;
  if (text.starts_with("*."))
    text.remove_prefix(2);
  if (text.empty() || text.size() > longest - 2)
    return false;
  while (true) {
    const auto label = text.substr(0, text.find('.'));
    const auto good = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
             || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    if (label.empty() || label.size() > longest_label || label.front() == '-'
        || label.back() == '-'
        || !std::all_of(label.begin(), label.end(), good))
      return false;
    if (label.size() == text.size())
      return true;
    text.remove_prefix(label.size() + 1);
  }
}

} // namespace troupe::net
