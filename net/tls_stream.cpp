#include "net/tls_stream.hpp"

#include "net/openssl.hpp"

#include <openssl/bio.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <sys/socket.h>
#include <utility>

namespace troupe::net {

namespace {

/// What one record carries (RFC 8446, section 5.1).
constexpr std::size_t record_size = 16'384;
/// Encrypted at most by one call: more would leave the processor's cache.
constexpr std::size_t most_made = 256 * 1'024;
/// Bytes that may come without a single one for us: key updates, empty
/// records, alerts. Whoever sends more of them is only at work for us.
constexpr std::size_t most_fruitless = 64 * 1'024;
/// Bytes of a handshake: a chain of certificates is its largest part.
constexpr std::size_t most_of_handshake = 256 * 1'024;

/// Errors of others on this thread would be taken for ours.
void forget_errors() noexcept {
  if (ERR_peek_error() != 0)
    ERR_clear_error();
}

/// What OpenSSL made on this thread and no socket has got yet. Empty between
/// two calls of streams.
std::vector<std::uint8_t>& made_here() {
  thread_local std::vector<std::uint8_t> made;
  return made;
}

} // namespace

/// A socket as OpenSSL sees it: reads are recv(2), writes are collected.
struct tls_stream_io {
  static tls_stream& of(BIO* x) {
    return *static_cast<tls_stream*>(BIO_get_data(x));
  }

  static int read(BIO* x, char* to, int room) {
    auto& its = of(x);
    BIO_clear_retry_flags(x);
    // OpenSSL goes on until there is data for us or nothing more to read: here
    // is the only place to stop who sends neither.
    if (its.fruitless_
        > (its.established_ ? most_fruitless : most_of_handshake)) {
      its.flooded_ = true;
      return -1;
    }
    if (its.drained_) {
      BIO_set_retry_read(x);
      return -1;
    }
    const auto wanted = static_cast<std::size_t>(room);
    ssize_t got = 0;
    do
      got = ::recv(its.fd_, to, wanted, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
      if (errno == EAGAIN) {
        its.drained_ = true;
        BIO_set_retry_read(x);
      } else {
        its.error_ = errno;
      }
      return -1;
    }
    const auto size = static_cast<std::size_t>(got);
    its.drained_ = size < wanted && got != 0 && !its.to_the_end_;
    its.traffic_.received += size;
    its.fruitless_ += size;
    return static_cast<int>(got);
  }

  static int write(BIO* x, const char* from, int size) {
    BIO_clear_retry_flags(x);
    auto& to = made_here();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
    to.insert(to.end(), bytes, bytes + size); // of the same type: one copy
    return size;
  }

  static long control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      auto* x = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                             "troupe socket");
      BIO_meth_set_read(x, read);
      BIO_meth_set_write(x, write);
      BIO_meth_set_ctrl(x, control);
      return x;
    }();
    return made;
  }
};

/// Told of each certificate that is not good; says whose it is, as the error
/// alone does not tell one device from another.
struct tls_verification {
  static int check(int good, X509_STORE_CTX* chain) {
    if (good == 1)
      return good;
    auto* tls = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto& its = tls_stream_io::of(SSL_get_rbio(tls));
    std::string text =
      X509_verify_cert_error_string(X509_STORE_CTX_get_error(chain));
    text += X509_STORE_CTX_get_error_depth(chain) == 0
              ? ": the certificate of "
              : ": an authority of the certificate of ";
    text += subject_of(*X509_STORE_CTX_get0_cert(chain));
    its.unverified_ = std::make_unique<std::string>(std::move(text));
    return good;
  }
};

tls_stream::tls_stream(int fd, std::shared_ptr<const tls_context> context)
  : fd_(fd),
    context_(std::move(context)),
    tls_(SSL_new(context_->native())) {
  auto* io = BIO_new(tls_stream_io::method());
  if (tls_ == nullptr || io == nullptr) {
    SSL_free(tls_);
    BIO_free(io);
    throw std::bad_alloc{};
  }
  BIO_set_data(io, this);
  BIO_set_init(io, 1);
  SSL_set_bio(tls_, io, io);
  SSL_set_accept_state(tls_);
  SSL_set_verify(tls_, SSL_get_verify_mode(tls_), tls_verification::check);
}

tls_stream::~tls_stream() { SSL_free(tls_); }

void tls_stream::begin_reading(bool to_the_end) noexcept {
  drained_ = false;
  to_the_end_ = to_the_end;
}

ssize_t tls_stream::read(std::span<std::uint8_t> to) {
  if (broken_) {
    errno = EPROTO;
    return -1;
  }
  if (!established_ && !handshake())
    return -1;
  if (drained_ && SSL_has_pending(tls_) == 0) {
    errno = EAGAIN; // OpenSSL would take longer to say so
    return -1;
  }
  forget_errors();
  std::size_t got = 0;
  const auto result = SSL_read_ex(tls_, to.data(), to.size(), &got);
  if (!made_here().empty() && !send_made() && errno != EAGAIN)
    return -1; // an answer to a key update
  if (result == 1) {
    fruitless_ = 0;
    return static_cast<ssize_t>(got);
  }
  return fail(result);
}

bool tls_stream::handshake() {
  forget_errors();
  const auto result = SSL_do_handshake(tls_);
  if (result == 1) {
    established_ = true;
    fruitless_ = 0;
    trouble_ = {};
    return send_made() || errno == EAGAIN;
  }
  const auto answer = fail(result);
  const auto error = errno;
  if (!send_made() && errno != EAGAIN)
    return false;
  if (answer == 0) {
    broken_ = true;
    trouble_ = "the client left during the handshake";
    errno = EPROTO;
    return false;
  }
  errno = error;
  return false;
}

/// What a call of OpenSSL that did not succeed means.
ssize_t tls_stream::fail(int result) {
  if (flooded_) {
    broken_ = true;
    trouble_ = established_ ? "the client sends TLS records without data"
                            : "the client's handshake has no end";
    ERR_clear_error();
    errno = EPROTO;
    return -1;
  }
  switch (SSL_get_error(tls_, result)) {
  case SSL_ERROR_WANT_READ:
    errno = EAGAIN;
    return -1;
  case SSL_ERROR_ZERO_RETURN:
    return 0;
  case SSL_ERROR_SYSCALL:
    broken_ = true;
    trouble_ = "the socket broke";
    if (error_ == 0)
      return 0;
    errno = error_;
    return -1;
  default:
    break;
  }
  broken_ = true;
  if (unverified_) {
    trouble_ = *unverified_;
  } else {
    const auto* text = ERR_reason_error_string(ERR_peek_error());
    trouble_ = text != nullptr ? text : "TLS failed";
  }
  ERR_clear_error();
  errno = EPROTO;
  return -1;
}

bool tls_stream::has_more() const noexcept {
  return !broken_ && SSL_has_pending(tls_) == 1;
}

ssize_t tls_stream::write(std::span<const iovec> parts) {
  if (!unsent_.empty() && !flush())
    return -1;
  if (broken_ || !established_) {
    errno = broken_ ? EPROTO : EAGAIN;
    return -1;
  }
  forget_errors();
  thread_local std::array<std::uint8_t, record_size> gathered;
  ssize_t taken = 0;
  std::size_t part = 0;
  std::size_t position = 0; // in that part
  while (part < parts.size() && made_here().size() < most_made) {
    const auto* from = static_cast<const std::uint8_t*>(parts[part].iov_base);
    std::span<const std::uint8_t> record{from + position,
                                         parts[part].iov_len - position};
    if (record.size() < record_size && part + 1 < parts.size()) {
      std::size_t size = 0; // several short ones make one record
      while (part < parts.size() && size < record_size) {
        const auto* at = static_cast<const std::uint8_t*>(parts[part].iov_base);
        const auto fits =
          std::min(record_size - size, parts[part].iov_len - position);
        std::memcpy(gathered.data() + size, at + position, fits);
        size += fits;
        position += fits;
        if (position == parts[part].iov_len) {
          ++part;
          position = 0;
        }
      }
      record = {gathered.data(), size};
    } else {
      record = record.first(std::min(record.size(), record_size));
      position += record.size();
      if (position == parts[part].iov_len) {
        ++part;
        position = 0;
      }
    }
    std::size_t done = 0;
    if (record.empty())
      continue;
    if (const auto result =
          SSL_write_ex(tls_, record.data(), record.size(), &done);
        result != 1) {
      made_here().clear();
      fail(result);
      return -1;
    }
    taken += static_cast<ssize_t>(done);
  }
  if (!send_made() && errno != EAGAIN)
    return -1;
  return taken;
}

bool tls_stream::send_made() {
  auto& made = made_here();
  std::span<const std::uint8_t> left{made};
  int error = 0;
  while (!left.empty() && unsent_.empty()) {
    const auto sent = ::send(fd_, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR)
        continue;
      error = errno;
      break;
    }
    traffic_.sent += static_cast<std::uint64_t>(sent);
    left = left.subspan(static_cast<std::size_t>(sent));
  }
  if (error == 0 || error == EAGAIN) {
    if (!left.empty())
      error = EAGAIN;
    unsent_.insert(unsent_.end(), left.begin(), left.end());
  }
  made.clear();
  errno = error;
  return error == 0;
}

bool tls_stream::flush() {
  std::size_t done = 0;
  while (done < unsent_.size()) {
    const auto sent =
      ::send(fd_, unsent_.data() + done, unsent_.size() - done, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR)
        continue;
      const auto error = errno;
      unsent_.erase(unsent_.begin(),
                    unsent_.begin() + static_cast<std::ptrdiff_t>(done));
      errno = error;
      return false;
    }
    traffic_.sent += static_cast<std::uint64_t>(sent);
    done += static_cast<std::size_t>(sent);
  }
  unsent_ = {};
  return true;
}

void tls_stream::end(bool orderly) noexcept {
  forget_errors();
  if (orderly && established_ && !broken_)
    SSL_shutdown(tls_);
  send_made();
  ERR_clear_error();
}

transport::traffic tls_stream::take_traffic() noexcept {
  return std::exchange(traffic_, {});
}

// ---- who it is -------------------------------------------------------------

bool tls_stream::resumed() const noexcept {
  return SSL_session_reused(tls_) == 1;
}

std::optional<peer_certificate> tls_stream::certificate() const {
  const x509_ptr x{SSL_get1_peer_certificate(tls_)};
  if (!x || SSL_get_verify_result(tls_) != X509_V_OK)
    return std::nullopt;
  peer_certificate made;
  const auto* name = X509_get_subject_name(x.get());
  made.subject = subject_of(*x);
  int last = -1;
  for (int i = -1;
       (i = X509_NAME_get_index_by_NID(name, NID_commonName, i)) >= 0;)
    last = i;
  if (last >= 0) {
    unsigned char* utf8 = nullptr;
    const auto length = ASN1_STRING_to_UTF8(
      &utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    if (length > 0)
      made.common_name.assign(reinterpret_cast<char*>(utf8),
                              static_cast<std::size_t>(length));
    OPENSSL_free(utf8);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_size = 0;
  X509_digest(x.get(), EVP_sha256(), digest.data(), &digest_size);
  static constexpr std::string_view hex = "0123456789abcdef";
  for (unsigned i = 0; i < digest_size; ++i) {
    made.fingerprint += hex[digest[i] >> 4U];
    made.fingerprint += hex[digest[i] & 15U];
  }
  return made;
}

std::string tls_stream::psk_identity() const {
  if (const auto* x = SSL_get_psk_identity(tls_); x != nullptr)
    return x;
  return {};
}

std::string_view tls_stream::version() const noexcept {
  return SSL_get_version(tls_);
}

std::string_view tls_stream::cipher() const noexcept {
  return SSL_get_cipher_name(tls_);
}

} // namespace troupe::net
