#pragma once
// Who is connected: at most one owner for each Client Identifier.

#include "cluster/command.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace troupe::cluster {

/// Decides the order of claims and releases for the Client Identifiers of one
/// shard, before anything of them is applied to the shard's state. Belongs to
/// the shard's leader and is lost with it: owners are connections, which are
/// gone then, too. Plain rules, not thread-safe.
class session_registry {
public:
  /// Carried out by the actor of the shard.
  class actions {
  public:
    /// Nobody else owns the session: `x` may be applied.
    virtual void admit(claim_command&& x) = 0;
    /// The claim of `who` lost against a later one.
    virtual void superseded(client_ref who) = 0;
    /// The live owner has to release the session.
    virtual void evict(client_ref owner, bool discard) = 0;

  protected:
    ~actions() = default;
  };

  explicit session_registry(actions& to) : actions_(to) {}

  /// A CONNECT. It is admitted at once, or when the owner has released.
  void claim(claim_command&& x);
  /// `client_id` was granted to whose claim was admitted last. @returns false
  /// if that owner has to go again, for a later claim that waits.
  bool granted(std::string_view client_id);
  /// The claim that was admitted last cannot be granted.
  void refused(std::string_view client_id);
  /// @returns whether `who` owns `client_id`: then its release may be applied,
  /// and `released` called after that.
  bool release(std::string_view client_id, client_ref who);
  void released(std::string_view client_id);

  bool owned(std::string_view client_id) const {
    return owners_.find(client_id) != owners_.end();
  }
  std::size_t size() const noexcept { return owners_.size(); }

private:
  enum class phase : std::uint8_t { claiming, live, releasing };
  struct owner {
    client_ref who;
    phase now = phase::claiming;
    bool evicted = false;
    std::optional<claim_command> waiting;
  };
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view x) const noexcept {
      return std::hash<std::string_view>{}(x);
    }
  };
  void evict(owner& x);

  actions& actions_;
  std::unordered_map<std::string, owner, hash, std::equal_to<>> owners_;
};

} // namespace troupe::cluster
