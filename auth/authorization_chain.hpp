#pragma once
// Several authorizers, asked one after the other.

#include "auth/authorizer.hpp"

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace troupe::auth {

/// The first link that says allow or deny decides; if none does, the options
/// do. Fails closed: a link that throws, that drops the question or that
/// answers late with `later` denies. Immutable, thread-safe; may go while
/// answers are under way.
class authorization_chain {
public:
  struct options {
    /// Said when no link decides: `allow` or `deny`.
    decision no_match = decision::deny;
  };

  struct verdict {
    decision what = decision::deny; ///< `allow`, `deny` or `later`
    /// For logs and metrics: the link that decided, "superuser", "no_match", or
    /// "fault" for a link that failed. Lives as long as the links.
    std::string_view by;
  };
  using answered = std::function<void(const verdict&)>;

  authorization_chain() = default; ///< without links: denies
  /// @param links  none is null.
  authorization_chain(std::vector<std::shared_ptr<authorizer>> links,
                      options how);

  /// @param superuser  of the client's account: is allowed everything.
  /// @param then       called if the answer is `later`, exactly once, on any
  ///                   thread, also before this has returned. Not called
  ///                   otherwise.
  verdict authorize(const identity& who, bool superuser, const request& what,
                    const answered& then) const;
  /// The rule of the link called `by`, as `authorizer::rule_of`.
  std::string rule_of(std::string_view by, const identity& who,
                      const request& what) const;

private:
  struct chain {
    std::vector<std::shared_ptr<authorizer>> links;
    options how;
  };
  class pending;
  class question;

  std::shared_ptr<const chain> chain_;
};

} // namespace troupe::auth
