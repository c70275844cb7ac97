#pragma once
// From the settings to what decides about clients.

#include "actors/access_control.hpp"
#include "actors/admission.hpp"
#include "config/load.hpp"
#include "config/sections.hpp"

#include <memory>

namespace troupe::auth {
class file_authenticator;
class hash_pool;
class user_source;
class user_table;
class acl;
class acl_authorizer;
} // namespace troupe::auth

namespace troupe::server {

/// Users, certificates and rules of the node: read from their files, and read
/// again at a reload. For one thread; what it gives out is thread-safe.
class access {
public:
  /// Starts the threads that compare passwords.
  explicit access(const config::settings& at_start);
  ~access();
  access(const access&) = delete;
  access& operator=(const access&) = delete;

  /// What the files and settings say, not in force yet.
  struct prepared {
    std::shared_ptr<const auth::user_table> users; ///< null: no file
    std::shared_ptr<const auth::acl> rules;        ///< likewise
    config::settings settings;
    std::vector<config::problem> warnings;
  };
  /// @throws std::runtime_error with every mistake of the files, a line each
  static prepared read(const config::settings& from);
  /// Takes effect for logins from now on.
  /// @returns what the node is to be given.
  std::shared_ptr<const actors::access_control> put_in_force(prepared what);

  /// Answers whom passwords are still compared for; before the node ends.
  void stop();

private:
  std::shared_ptr<auth::user_source> users_;
  std::shared_ptr<auth::hash_pool> pool_;
  std::shared_ptr<auth::file_authenticator> by_password_;
  std::shared_ptr<auth::acl_authorizer> by_rules_;
  std::shared_ptr<auth::method> scram_;
  std::shared_ptr<auth::method> test_method_;
  std::shared_ptr<auth::authenticator> by_certificate_;
  config::auth_certificate certificate_; ///< of `by_certificate_`
  std::uint64_t generation_ = 0;
};

actors::admission_options admission_of(const config::settings& from);

} // namespace troupe::server
