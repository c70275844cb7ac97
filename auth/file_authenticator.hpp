#pragma once
// Users and passwords from a file.

#include "auth/authenticator.hpp"
#include "auth/hash_pool.hpp"
#include "auth/user_table.hpp"
#include "auth/verified_cache.hpp"

#include <memory>

namespace troupe::auth {

/// What a name that is in no line means.
enum class unknown_user : std::uint8_t {
  ignore, ///< the next authenticator may know it
  deny,
};

struct file_authenticator_options {
  unknown_user unknown = unknown_user::ignore;
  verified_cache_options cache;
  /// What an unknown user costs as long as the file has no hash to go by.
  hash_cost decoy;
};

/// Says nothing about clients without a user name, and denies a wrong password
/// whatever comes after. A user who is not there costs as much time as most of
/// those who are. Answers at once what it remembers, what needs no hash and
/// what the pool has no room for; else on a thread of the pool.
class file_authenticator final : public authenticator {
public:
  /// @param pool  outlives this; is stopped before the answers' receivers go.
  file_authenticator(const file_authenticator_options& options,
                     std::shared_ptr<user_source> users,
                     std::shared_ptr<hash_pool> pool);

  std::string_view name() const noexcept override { return "file"; }
  void authenticate(std::shared_ptr<const credentials> what,
                    answered then) override;
  std::optional<std::uint64_t>
  version_of(std::string_view user_name) const override;

private:
  struct checker;
  std::shared_ptr<checker> checker_; ///< shared with jobs on the pool
  std::shared_ptr<hash_pool> pool_;
};

} // namespace troupe::auth
