#pragma once
// What TLS connections of a listener share: certificates, rules, tickets.

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct ssl_ctx_st;

namespace troupe::net {

enum class tls_version : std::uint8_t { tls_1_2, tls_1_3 };

/// Files are PEM.
struct tls_options {
  std::string certificate_file; ///< the server's, then its issuers'
  std::string key_file;
  std::string key_password; ///< empty: the key is not encrypted
  /// More certificates, chosen by the server name a client asks for: each
  /// file `*.pem` of this directory has a chain and its key.
  std::string sni_directory;
  std::string ca_file;     ///< who may have signed clients' certificates
  std::string crl_file;    ///< lists of revoked ones; empty: none are looked at
  bool ask_client = false; ///< for a certificate
  bool require_client = false; ///< refuses clients without one
  int depth = 10;              ///< issuers between a client and a CA, at most
  tls_version lowest = tls_version::tls_1_2;
  tls_version highest = tls_version::tls_1_3;
  std::string ciphers; ///< of TLS 1.2, as openssl-ciphers(1); may be empty
  std::string cipher_suites;  ///< of TLS 1.3; may be empty
  std::string groups;         ///< for key exchange, e.g. `X25519:P-256`
  bool server_chooses = true; ///< the cipher, by its own order
  /// Lines `identity:key`, the key in hex; empty: no pre-shared keys.
  std::string psk_file;
  bool resumption = true; ///< by session tickets
  std::chrono::seconds ticket_lifetime{7'200};
  std::string ocsp_file; ///< a DER response to staple; may be empty
};

/// A file or a setting is wrong: the text names it and says what to do.
class tls_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Keys that session tickets are sealed with; they outlive a reload of
/// certificates, so that clients resume. Thread-safe.
class ticket_keys;

/// A certificate of a context, for alarms.
struct certificate_expiry {
  std::string file;
  std::string subject;
  std::chrono::system_clock::time_point not_after;
};

/// Immutable but for the stapled response; thread-safe.
class tls_context {
public:
  /// @param name  of the listener: sessions of one are not resumed on another.
  /// @param tickets  of the context that this one replaces; null: new ones.
  ///                 They are renewed if whom to trust has changed, so that
  ///                 nobody resumes who would be refused now.
  /// @throws tls_error
  tls_context(const tls_options& options, std::string_view name,
              const tls_context* replaces = nullptr);
  ~tls_context();
  tls_context(const tls_context&) = delete;
  tls_context& operator=(const tls_context&) = delete;

  ssl_ctx_st* native() const noexcept;
  const std::vector<certificate_expiry>& certificates() const noexcept;
  /// The question to an OCSP responder about the listener's own certificate.
  /// @throws tls_error  its file does not have the issuer behind it.
  std::vector<std::uint8_t> ocsp_request() const;
  /// Shows `response` (DER) with the listener's own certificate from now on,
  /// until the response is out of date.
  /// @throws tls_error  it is not one that may be shown: what was is kept.
  void staple(std::vector<std::uint8_t> response) const;

  struct state;

private:
  std::unique_ptr<state> state_;
};

} // namespace troupe::net
