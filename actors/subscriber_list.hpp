#pragma once
// The sessions of one reactor that hold one filter.

#include "protocol/control_packet.hpp"

#include <cstdint>

namespace troupe::actors {

class session;

/// Subscription Options in six bits, as they go into a list.
using packed_options = std::uint8_t;
packed_options pack(const protocol::subscription_options& options) noexcept;
protocol::subscription_options unpack(packed_options options) noexcept;

/// A list in eight bytes: nobody, one session without a Subscription
/// Identifier (by far the most frequent), or a block on the heap. Belongs to
/// one reactor, which alone reads and writes it.
class subscriber_list {
public:
  struct entry {
    session* who;
    std::uint32_t identifier; ///< 0: none
    packed_options options;
  };

  subscriber_list() = default;
  subscriber_list(const subscriber_list&) = delete;
  subscriber_list& operator=(const subscriber_list&) = delete;
  ~subscriber_list();

  bool empty() const noexcept { return bits_ == 0; }
  std::uint32_t size() const noexcept;

  /// Appends; `who` is not in it yet. @returns its position.
  std::uint32_t add(session* who, packed_options options,
                    std::uint32_t identifier);
  /// Changes options and identifier of the entry at `position`.
  void change(std::uint32_t position, packed_options options,
              std::uint32_t identifier);
  /// Removes the entry at `position`; the last one takes its place.
  /// @returns the session that moved to `position`, or null.
  session* remove(std::uint32_t position);
  entry at(std::uint32_t position) const noexcept;

  /// Calls `f(const entry&)` for each; `f` must not change the list.
  template <class F>
  void for_each(F&& f) const {
    if (bits_ == 0)
      return;
    if ((bits_ & single) != 0) {
      f(at(0));
      return;
    }
    const auto& list = *reinterpret_cast<const block*>(bits_);
    for (std::uint32_t i = 0; i < list.count; ++i)
      f(list.entries()[i]);
  }

private:
  static constexpr std::uint64_t single = 1;
  struct block {
    std::uint32_t count;
    std::uint32_t capacity;
    entry* entries() noexcept { return reinterpret_cast<entry*>(this + 1); }
    const entry* entries() const noexcept {
      return reinterpret_cast<const entry*>(this + 1);
    }
  };
  block& to_block(std::uint32_t room);

  std::uint64_t bits_ = 0;
};

} // namespace troupe::actors
