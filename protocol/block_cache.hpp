#pragma once
// Memory for messages without the allocator's slow path.

#include <cstddef>
#include <cstdint>

namespace troupe::protocol {

/// Blocks of a few sizes, kept in short lists per thread. A message lives for
/// a turn or two and the general allocator keeps lists of its own for small
/// blocks only, so those of about a kilobyte would pay for splitting and
/// joining each time. A block may be freed on another thread than it was made
/// on. Lists are bounded: a thread keeps a megabyte at most.
struct block_cache {
  static constexpr std::uint8_t not_cached = 0xFF;

  /// At least `size` bytes, aligned as by operator new.
  /// @param size_class  receives what `release` wants to know.
  static void* acquire(std::size_t size, std::uint8_t& size_class);
  static void release(void* block, std::uint8_t size_class) noexcept;
};

} // namespace troupe::protocol
