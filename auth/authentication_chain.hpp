#pragma once
// All authenticators, one after the other.

#include "auth/authenticator.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace troupe::auth {

/// The last word about a client.
struct chain_answer {
  authentication_answer said;
  /// Who recognised it, for `version_of`; null: nobody did, it is anonymous.
  std::shared_ptr<const authenticator> by;

  bool allowed() const noexcept {
    return said.what == authentication_answer::outcome::allow;
  }
};

/// The first that does not ignore a client decides. If all do, it is anonymous,
/// which is allowed only where the caller says so and only
/// - to clients that gave neither user name nor password, or
/// - to all if there is no authenticator: nothing could have known a name.
/// An authenticator that throws, or that drops its `then` without an answer,
/// denies. That one never answers is the caller's to time out, since it has
/// the clock: the answer that comes later is then his to ignore.
/// Immutable, so shared by all threads; a run outlives the chain it began on.
class authentication_chain {
public:
  using list = std::vector<std::shared_ptr<authenticator>>;
  using answered = std::function<void(chain_answer)>;

  explicit authentication_chain(list all)
    : all_(std::make_shared<const list>(std::move(all))) {}

  /// @param allow_anonymous  depends on where the client came in.
  /// @param then  called exactly once, before this returns or later, on any
  ///              thread. Its `said.what` is never `ignore`.
  void authenticate(std::shared_ptr<const credentials> what,
                    bool allow_anonymous, answered then) const;
  bool empty() const noexcept { return all_->empty(); }

private:
  std::shared_ptr<const list> all_;
};

} // namespace troupe::auth
