#pragma once
// Users from the certificates of TLS clients.

#include "auth/authenticator.hpp"
#include "auth/file_authenticator.hpp"

#include <memory>

namespace troupe::auth {

/// What of a certificate is the user name.
enum class certificate_name : std::uint8_t {
  common_name,
  subject,
  fingerprint
};

struct certificate_authenticator_options {
  certificate_name from = certificate_name::common_name;
  /// Only who is in the file of users is recognised, whatever the hash there.
  bool user_must_exist = false;
  /// With `user_must_exist`: what others are.
  unknown_user unknown = unknown_user::deny;
};

/// Recognises who has a certificate, which TLS has verified by then. Its name
/// replaces the one in CONNECT, and a password there is not looked at. Says
/// nothing about clients without a certificate, or whose certificate lacks
/// what the name is taken from.
class certificate_authenticator final : public authenticator {
public:
  /// @param users  who is a superuser; may be null without `user_must_exist`.
  certificate_authenticator(const certificate_authenticator_options& options,
                            std::shared_ptr<user_source> users);

  std::string_view name() const noexcept override { return "certificate"; }
  void authenticate(std::shared_ptr<const credentials> what,
                    answered then) override;
  std::optional<std::uint64_t>
  version_of(std::string_view user_name) const override;

private:
  certificate_authenticator_options options_;
  std::shared_ptr<user_source> users_;
};

} // namespace troupe::auth
