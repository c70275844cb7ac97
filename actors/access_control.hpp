#pragma once
// What decides about clients on one node.

#include "auth/authentication_chain.hpp"
#include "auth/authorization_chain.hpp"
#include "auth/ban_list.hpp"
#include "auth/decision_cache.hpp"
#include "auth/method.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

namespace troupe::actors {

/// Replaced as a whole by a reload; each home has it as it is. What it points
/// to is thread-safe.
struct access_control {
  std::shared_ptr<const auth::authentication_chain> authentication =
    std::make_shared<const auth::authentication_chain>(
      auth::authentication_chain::list{});
  auth::authentication_chain::list authenticators; ///< of that chain
  std::vector<std::shared_ptr<auth::method>> methods;
  /// Whose accounts the methods recognise; may be null.
  std::shared_ptr<const auth::authenticator> method_accounts;
  /// Clients without a name are taken by every listener, and not only by those
  /// that no other machine reaches while there are no authenticators.
  bool allow_anonymous = false;
  /// How long authenticators may take for an answer.
  std::chrono::milliseconds authentication_timeout{15'000};

  /// Null: everything is allowed.
  std::shared_ptr<const auth::authorization_chain> authorization;
  bool authorizers_wait = false; ///< one of them may answer `later`
  auth::decision_cache::options cache;
  /// A publication that is not allowed ends the connection.
  bool disconnects_denied = false;

  /// Rises with every change of it: cached decisions are dropped then.
  std::uint64_t generation = 1;
};

} // namespace troupe::actors
