#pragma once
// Certificates for a quick start and for tests, as PEM.

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::net {

/// What OpenSSL could not read or make; the text says what to do.
class certificate_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// A certificate and its key (ECDSA P-256), as PEM.
struct certificate_pair {
  std::string certificate;
  std::string key;
};

/// A small authority that signs certificates of servers and clients and
/// revokes them. Its key is not protected, so it is for trying things out and
/// for tests. No files, no clock; for one thread.
class certificate_authority {
public:
  using time_point = std::chrono::system_clock::time_point;
  struct validity {
    time_point from;
    time_point to;
  };
  /// A new one, with an empty list of revoked certificates.
  /// @param name  Common Name of its certificate.
  /// @throws certificate_error
  static certificate_authority make(const std::string& name,
                                    const validity& when);
  /// One that was made before.
  /// @throws certificate_error  naming which of them is no PEM, or does not
  /// belong to
  ///                      the other.
  static certificate_authority read(const certificate_pair& own,
                                    const std::string& revoked);

  ~certificate_authority();
  certificate_authority(certificate_authority&&) noexcept;
  certificate_authority& operator=(certificate_authority&&) noexcept;

  /// @param names  host names (also `*.example.org`) and addresses, at least
  ///               one; the first is the Common Name as well.
  /// @throws certificate_error  naming a name that is none.
  certificate_pair issue_server(const std::vector<std::string>& names,
                                const validity& when);
  /// @param name  the Common Name, 1 to 64 characters of UTF-8.
  certificate_pair issue_client(const std::string& name, const validity& when);
  /// @returns false if it was revoked before.
  /// @throws certificate_error  it is no certificate, or another authority's.
  bool revoke(const std::string& certificate, time_point now);

  certificate_pair own() const;
  /// The list of revoked certificates, signed at `now`; as long as the
  /// authority itself is good, nobody has to sign another.
  std::string revoked(time_point now);
  time_point good_until() const;

private:
  struct state;
  explicit certificate_authority(std::unique_ptr<state> its);
  std::unique_ptr<state> state_;
};

/// Whether it is a name of a host (RFC 1123; the first label may be `*`) or an
/// address.
bool is_server_name(std::string_view text);

} // namespace troupe::net
