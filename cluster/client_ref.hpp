#pragma once
// Who a message is for, in eight bytes.

#include <cstdint>
#include <functional>

namespace troupe::cluster {

/// Names a client (its connection and session) of this node: the reactor it
/// lives on and its place there. The generation tells a place's present
/// tenant from its former ones, so a stale reference names nobody.
struct client_ref {
  std::uint32_t slot = 0;
  std::uint16_t generation = 0; ///< 0: nobody
  std::uint16_t reactor = 0;

  explicit operator bool() const noexcept { return generation != 0; }
  friend bool operator==(const client_ref&, const client_ref&) = default;
};

} // namespace troupe::cluster
