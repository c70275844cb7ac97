#pragma once
// Whether a client is who it says: one link of the chain that is asked.

#include "auth/identity.hpp"
#include "protocol/types.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::auth {

/// What a client showed in its CONNECT.
struct credentials {
  client_facts who;
  std::optional<std::string> password; ///< any bytes
};

/// Who was recognised.
struct account {
  std::string user_name; ///< empty: the one that the client gave, if any
  bool superuser = false;
  /// Changes whenever what the account was recognised by changes; with 0
  /// nothing can change. A living connection whose account has another
  /// version, or is gone, is ended (`authenticator::version_of`).
  std::uint64_t version = 0;
};

struct authentication_answer {
  enum class outcome : std::uint8_t {
    ignore, ///< not mine to say: the next one is asked
    allow,
    deny,
  };
  outcome what = outcome::deny;
  account who; ///< of `allow`
  protocol::reason_code reason = protocol::reason_code::not_authorized;
  std::string_view cause = "not authorized"; ///< a fixed text, for the log
};

/// Thread-safe; asked on reactors, so it never waits there.
class authenticator {
public:
  using answered = std::function<void(authentication_answer)>;

  virtual ~authenticator() = default;
  /// In logs and metrics: `file`, `certificate`.
  virtual std::string_view name() const noexcept = 0;
  /// @param then  called exactly once, before this returns or later, on any
  ///              thread.
  virtual void authenticate(std::shared_ptr<const credentials> what,
                            answered then) = 0;
  /// What `account::version` would be now; none: there is no such account any
  /// more. Only asked about accounts that this one recognised.
  virtual std::optional<std::uint64_t>
  version_of(std::string_view user_name) const = 0;
};

} // namespace troupe::auth
