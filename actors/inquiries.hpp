#pragma once
// Who asks shards without being a client: an operator.

#include "actors/batch.hpp"

#include <functional>
#include <unordered_map>

namespace troupe::actors {

/// Gives out references that shards answer to as they do to clients. Of one
/// home, on its thread.
class inquiries {
public:
  /// @returns false: it wants no more.
  using answered = std::function<bool(client_event&)>;

  /// @param reactor  of the home.
  client_ref add(std::size_t reactor, answered f);
  void remove(client_ref who) { open_.erase(who.slot); }
  /// Hands an answer on. What nobody waits for any more is dropped.
  void handle(client_ref who, client_event& what);
  std::size_t size() const noexcept { return open_.size(); }

  /// Whether `who` was given out by `add`: no client has such a place.
  static bool is_one(client_ref who) noexcept { return who.slot >= first; }

private:
  static constexpr std::uint32_t first = 0x8000'0000;
  std::uint32_t last_ = 0;
  std::unordered_map<std::uint32_t, answered> open_;
};

} // namespace troupe::actors
