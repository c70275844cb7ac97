#pragma once
// Whether a client may do what it asks: one link of the chain that is asked.

#include "auth/identity.hpp"
#include "protocol/types.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace troupe::auth {

enum class action : std::uint8_t { publish, subscribe };

/// One publication or one subscription.
struct request {
  action what = action::publish;
  std::string_view topic; ///< a Topic Name, or a Topic Filter without $share/
  protocol::qos qos = protocol::qos::at_most_once;
  bool retain = false; ///< of a publication
};

enum class decision : std::uint8_t {
  ignore, ///< no rule of mine says anything: the next one is asked
  allow,
  deny,
  later, ///< `then` is going to be called
};

/// Thread-safe; asked on reactors, so it never waits there.
class authorizer {
public:
  using answered = std::function<void(decision)>;

  virtual ~authorizer() = default;
  virtual std::string_view name() const noexcept = 0;
  /// Whether it never answers `later`. Then `then` may be empty, and nobody
  /// copies the request in case that it is needed later.
  virtual bool answers_at_once() const noexcept { return false; }
  /// @param then  if the answer is `later`: called once with another one, on
  ///              any thread, also before this has returned. `who` and `what`
  ///              are gone by then. Not called otherwise. Dropping it without
  ///              a call denies.
  virtual decision authorize(const identity& who, const request& what,
                             const answered& then) = 0;
  /// Which rule of this one decides, for people, e.g. `acl.toml:12:1`; empty
  /// if it cannot say. For traces: may take its time, but does not wait.
  virtual std::string rule_of(const identity&, const request&) const {
    return {};
  }
};

} // namespace troupe::auth
