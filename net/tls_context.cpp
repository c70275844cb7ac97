#include "net/tls_context.hpp"

#include "net/ocsp.hpp"
#include "net/openssl.hpp"
#include "net/pem_files.hpp"
#include "net/psk_file.hpp"
#include "net/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <mutex>

namespace troupe::net {

namespace {

using clock = std::chrono::steady_clock;

int version_number(tls_version x) {
  return x == tls_version::tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

void demand(bool done, const char* setting, const std::string& value) {
  if (!done)
    throw tls_error(std::string{setting} + " = \"" + value
                    + "\" is not known to OpenSSL: " + openssl_error());
}

/// What tickets are encrypted with; looked up once, which costs as much as the
/// encryption.
const EVP_CIPHER* ticket_cipher() {
  static const EVP_CIPHER* const found =
    EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  return found;
}

/// Where a listener says nothing. AES with 128 bits comes first: the hash that
/// goes with it, of which a handshake needs dozens, is the faster one.
const std::string usual_cipher_suites =
  "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/// A digest of what decides whom to trust.
std::string digest_of(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> to{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), to.data(), &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(to.data()), size};
}

} // namespace

struct tls_context::state {
  tls_options options;
  ssl_ctx_ptr base;
  /// By lower-case name; a name may begin with `*.`.
  std::vector<std::pair<std::string, ssl_ctx_ptr>> by_name;
  std::vector<certificate_expiry> certificates;
  std::shared_ptr<ticket_keys> tickets;
  std::string trust; ///< digest of the CA's, CRL's and pre-shared keys' files
  psk_table psks;
  std::mutex response_mutex;
  std::vector<std::uint8_t> response; ///< guarded by response_mutex
  std::chrono::system_clock::time_point response_until; ///< likewise
  x509_ptr certificate; ///< the listener's own; null: none
  x509_ptr issuer;      ///< of it; null: not known

  ssl_ctx_ptr make(const std::string& name);
  void trust_clients(SSL_CTX* x);
  void load_names(const std::string& name);
  const SSL_CTX* find(std::string_view server_name) const;

  void demand_issuer() const;

  static int on_server_name(SSL* tls, int*, void* of);
  static int on_status(SSL* tls, void* of);
  static int on_ticket(SSL* tls, unsigned char* name, unsigned char* iv,
                       EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypt);
  static SSL_TICKET_RETURN on_resumed(SSL*, SSL_SESSION* session,
                                      const unsigned char*, std::size_t,
                                      SSL_TICKET_STATUS status, void*);
  static unsigned on_psk(SSL* tls, const char* identity, unsigned char* to,
                         unsigned room);
  static int on_psk_session(SSL* tls, const unsigned char* identity,
                            std::size_t size, SSL_SESSION** to);
};

namespace {

tls_context::state& state_of(SSL* tls) {
  return *static_cast<tls_context::state*>(
    SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls)));
}

} // namespace

int tls_context::state::on_server_name(SSL* tls, int*, void* of) {
  auto& its = *static_cast<state*>(of);
  const auto* name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
  if (name != nullptr)
    if (const auto* found = its.find(name))
      SSL_set_SSL_CTX(tls, const_cast<SSL_CTX*>(found));
  return SSL_TLSEXT_ERR_OK; // the listener's own certificate otherwise
}

const SSL_CTX* tls_context::state::find(std::string_view server_name) const {
  std::string lower{server_name};
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const auto dot = lower.find('.');
  const auto wild =
    dot == std::string::npos ? std::string{} : '*' + lower.substr(dot);
  for (const auto& [name, x] : by_name)
    if (name == lower)
      return x.get();
  for (const auto& [name, x] : by_name)
    if (name == wild)
      return x.get();
  return nullptr;
}

int tls_context::state::on_status(SSL* tls, void* of) {
  auto& its = *static_cast<state*>(of);
  if (SSL_get_SSL_CTX(tls) != its.base.get())
    return SSL_TLSEXT_ERR_NOACK; // it is shown another certificate
  const std::lock_guard lock(its.response_mutex);
  if (its.response.empty()
      || its.response_until < std::chrono::system_clock::now())
    return SSL_TLSEXT_ERR_NOACK;
  auto* copy = static_cast<unsigned char*>(OPENSSL_malloc(its.response.size()));
  if (copy == nullptr)
    return SSL_TLSEXT_ERR_NOACK;
  std::memcpy(copy, its.response.data(), its.response.size());
  SSL_set_tlsext_status_ocsp_resp(tls, copy,
                                  static_cast<long>(its.response.size()));
  return SSL_TLSEXT_ERR_OK;
}

int tls_context::state::on_ticket(SSL* tls, unsigned char* name,
                                  unsigned char* iv, EVP_CIPHER_CTX* cipher,
                                  EVP_MAC_CTX* mac, int encrypt) {
  auto& its = state_of(tls);
  const auto now = clock::now();
  const auto prepare = [&](const ticket_keys::key& with) {
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(
        OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(with.sign.data()),
        with.sign.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
    return EVP_CipherInit_ex(cipher, ticket_cipher(), nullptr,
                             with.encrypt.data(), iv, encrypt)
             == 1
           && EVP_MAC_CTX_set_params(mac, parameters) == 1;
  };
  if (encrypt != 0) {
    const auto with = its.tickets->current(now);
    std::copy(with.name.begin(), with.name.end(), name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(ticket_cipher())) != 1)
      return -1;
    return prepare(with) ? 1 : -1;
  }
  const auto found = its.tickets->find(name, now);
  if (!found)
    return 0; // a full handshake
  if (!prepare(found->with))
    return -1;
  // Of TLS 1.3 a ticket is good for one use, as clients have it (RFC 8446,
  // appendix C.4): without a new one they could resume only every other time.
  return found->renew || SSL_version(tls) == TLS1_3_VERSION ? 2 : 1;
}

/// A ticket is renewed by each resumption, so it could outlive the client's
/// certificate.
SSL_TICKET_RETURN
tls_context::state::on_resumed(SSL*, SSL_SESSION* session, const unsigned char*,
                               std::size_t, SSL_TICKET_STATUS status, void*) {
  switch (status) {
  case SSL_TICKET_SUCCESS:
  case SSL_TICKET_SUCCESS_RENEW:
    break;
  case SSL_TICKET_EMPTY:
  case SSL_TICKET_NO_DECRYPT:
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  default:
    return SSL_TICKET_RETURN_ABORT;
  }
  if (const auto* peer = SSL_SESSION_get0_peer(session);
      peer != nullptr && X509_cmp_current_time(X509_get0_notAfter(peer)) < 0)
    return SSL_TICKET_RETURN_IGNORE_RENEW; // a full handshake says why
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE
                                      : SSL_TICKET_RETURN_USE_RENEW;
}

unsigned tls_context::state::on_psk(SSL* tls, const char* identity,
                                    unsigned char* to, unsigned room) {
  const auto* key = state_of(tls).psks.find(identity);
  if (key == nullptr || key->size() > room)
    return 0;
  std::copy(key->begin(), key->end(), to);
  return static_cast<unsigned>(key->size());
}

int tls_context::state::on_psk_session(SSL* tls, const unsigned char* identity,
                                       std::size_t size, SSL_SESSION** to) {
  *to = nullptr;
  const auto* key =
    state_of(tls).psks.find({reinterpret_cast<const char*>(identity), size});
  if (key == nullptr)
    return 1; // maybe a ticket
  static constexpr unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
  const auto* cipher = SSL_CIPHER_find(tls, aes_128_gcm_sha256);
  std::unique_ptr<SSL_SESSION, openssl_free<SSL_SESSION_free>> made{
    SSL_SESSION_new()};
  if (!made || cipher == nullptr
      || SSL_SESSION_set1_master_key(made.get(), key->data(), key->size()) != 1
      || SSL_SESSION_set_cipher(made.get(), cipher) != 1
      || SSL_SESSION_set_protocol_version(made.get(), TLS1_3_VERSION) != 1)
    return 0;
  *to = made.release();
  return 1;
}

void tls_context::state::demand_issuer() const {
  if (!issuer)
    throw tls_error("OCSP needs the certificate of the issuer behind the "
                    "server's own in "
                    + (options.certificate_file.empty()
                         ? "certfile"
                         : options.certificate_file));
}

void tls_context::state::trust_clients(SSL_CTX* x) {
  if (!options.ca_file.empty()) {
    const auto text = contents_of(options.ca_file);
    if (SSL_CTX_load_verify_locations(x, options.ca_file.c_str(), nullptr) != 1)
      refuse(options.ca_file,
             "holds no certificates of authorities: " + openssl_error());
    SSL_CTX_set_client_CA_list(
      x, SSL_load_client_CA_file(options.ca_file.c_str()));
  }
  if (!options.crl_file.empty()) {
    const auto text = contents_of(options.crl_file);
    const auto from = bio_of(text);
    auto* store = SSL_CTX_get_cert_store(x);
    std::size_t lists = 0;
    while (auto* one =
             PEM_read_bio_X509_CRL(from.get(), nullptr, nullptr, nullptr)) {
      X509_STORE_add_crl(store, one);
      X509_CRL_free(one);
      ++lists;
    }
    demand_end(options.crl_file, lists + 1, "revocation list");
    if (lists == 0)
      refuse(options.crl_file, "holds no revocation list in PEM form; one "
                               "begins with -----BEGIN X509 CRL-----");
    X509_STORE_set_flags(store,
                         X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
  SSL_CTX_set_verify_depth(x, options.depth);
  // Whoever signs itself, or was made for a server only, is refused here.
  SSL_CTX_set_purpose(x, X509_PURPOSE_SSL_CLIENT);
  auto mode = SSL_VERIFY_NONE;
  if (options.ask_client || options.require_client)
    mode = SSL_VERIFY_PEER;
  if (options.require_client)
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(x, mode, nullptr);
}

ssl_ctx_ptr tls_context::state::make(const std::string& name) {
  ssl_ctx_ptr made{SSL_CTX_new(TLS_server_method())};
  if (!made)
    throw tls_error("no TLS context: " + openssl_error());
  auto* x = made.get();
  SSL_CTX_set_app_data(x, this);
  SSL_CTX_set_min_proto_version(x, version_number(options.lowest));
  SSL_CTX_set_max_proto_version(x, version_number(options.highest));
  std::uint64_t flags = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                        | SSL_OP_IGNORE_UNEXPECTED_EOF;
  if (options.server_chooses)
    flags |= SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
  if (!options.resumption)
    flags |= SSL_OP_NO_TICKET;
  SSL_CTX_set_options(x, flags);
  SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                        | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(x, 1);
  demand(options.ciphers.empty()
           || SSL_CTX_set_cipher_list(x, options.ciphers.c_str()) == 1,
         "ciphers", options.ciphers);
  const auto suites =
    options.cipher_suites.empty() ? usual_cipher_suites : options.cipher_suites;
  demand(SSL_CTX_set_ciphersuites(x, suites.c_str()) == 1, "ciphersuites",
         suites);
  demand(options.groups.empty()
           || SSL_CTX_set1_groups_list(x, options.groups.c_str()) == 1,
         "groups", options.groups);
  // Sessions are in tickets that clients keep, none here.
  SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(x, static_cast<long>(options.ticket_lifetime.count()));
  const auto id = digest_of(name + trust);
  SSL_CTX_set_session_id_context(
    x, reinterpret_cast<const unsigned char*>(id.data()),
    static_cast<unsigned>(std::min<std::size_t>(id.size(), 32)));
  SSL_CTX_set_num_tickets(x, options.resumption ? 1 : 0);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(x, on_ticket);
  SSL_CTX_set_session_ticket_cb(x, nullptr, on_resumed, nullptr);
  // The macros for these two have casts of C in them.
  SSL_CTX_callback_ctrl(x, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(on_server_name));
  SSL_CTX_set_tlsext_servername_arg(x, this);
  SSL_CTX_callback_ctrl(x, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB,
                        reinterpret_cast<void (*)()>(on_status));
  SSL_CTX_set_tlsext_status_arg(x, this);
  if (!psks.empty()) {
    SSL_CTX_set_psk_server_callback(x, on_psk);
    SSL_CTX_set_psk_find_session_callback(x, on_psk_session);
  }
  trust_clients(x);
  return made;
}

void tls_context::state::load_names(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> files;
  for (fs::directory_iterator at{options.sni_directory, error}, end;
       !error && at != end; at.increment(error))
    if (at->path().extension() == ".pem")
      files.push_back(at->path().string());
  if (error)
    refuse(options.sni_directory, "cannot be listed: " + error.message());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    const auto who = read_identity(file, file, options.key_password);
    const auto names = dns_names_of(who.certificate.get());
    if (names.empty())
      refuse(file, "its certificate names no server (DNS names in "
                   "subjectAltName), so no client can ask for it");
    for (auto one : names) {
      std::transform(one.begin(), one.end(), one.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      });
      auto made = make(name);
      use(made.get(), who, file);
      by_name.emplace_back(one, std::move(made));
    }
    certificates.push_back(expiry_of(file, who.certificate.get()));
  }
}

tls_context::tls_context(const tls_options& options, std::string_view name,
                         const tls_context* replaces)
  : state_(std::make_unique<state>()) {
  auto& x = *state_;
  x.options = options;
  if ((options.ask_client || options.require_client) && options.ca_file.empty())
    throw tls_error("clients are asked for certificates, so cacertfile has to "
                    "name a file with the authorities that sign them");
  std::string trusted = std::to_string(options.ask_client)
                        + std::to_string(options.require_client)
                        + std::to_string(options.depth) + ' ';
  for (const auto* file :
       {&options.ca_file, &options.crl_file, &options.psk_file})
    if (!file->empty())
      trusted += digest_of(contents_of(*file));
  x.trust = digest_of(trusted);
  x.tickets =
    replaces != nullptr && replaces->state_->trust == x.trust
      ? replaces->state_->tickets
      : std::make_shared<ticket_keys>(options.ticket_lifetime, clock::now());
  x.tickets->set_lifetime(options.ticket_lifetime);
  if (!options.psk_file.empty())
    x.psks = psk_table::parse(contents_of(options.psk_file), options.psk_file);
  x.base = x.make(std::string{name});
  if (!options.certificate_file.empty()) {
    auto who = read_identity(options.certificate_file, options.key_file,
                             options.key_password);
    use(x.base.get(), who, options.certificate_file);
    x.certificates.push_back(
      expiry_of(options.certificate_file, who.certificate.get()));
    x.certificate = std::move(who.certificate);
    if (!who.issuers.empty()
        && X509_check_issued(who.issuers.front().get(), x.certificate.get())
             == X509_V_OK)
      x.issuer = std::move(who.issuers.front());
  } else if (x.psks.empty()) {
    throw tls_error("there is neither a certificate (certfile, keyfile) nor a "
                    "file of pre-shared keys (psk_file)");
  }
  if (!options.sni_directory.empty())
    x.load_names(std::string{name});
  if (!options.ocsp_file.empty()) {
    const auto text = contents_of(options.ocsp_file);
    try {
      staple({text.begin(), text.end()});
    } catch (const tls_error& e) {
      refuse(options.ocsp_file, e.what());
    }
  }
}

tls_context::~tls_context() = default;

ssl_ctx_st* tls_context::native() const noexcept { return state_->base.get(); }

const std::vector<certificate_expiry>&
tls_context::certificates() const noexcept {
  return state_->certificates;
}

std::vector<std::uint8_t> tls_context::ocsp_request() const {
  state_->demand_issuer();
  return net::ocsp_request(state_->certificate.get(), state_->issuer.get());
}

void tls_context::staple(std::vector<std::uint8_t> response) const {
  state_->demand_issuer();
  const auto valid = check_ocsp_response(response, state_->certificate.get(),
                                         state_->issuer.get());
  const std::lock_guard lock(state_->response_mutex);
  state_->response = std::move(response);
  state_->response_until = valid.until;
}

} // namespace troupe::net
