#pragma once
// Where packets lie after they were read, and who still needs them there.

#include "protocol/types.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace troupe::protocol {

/// Bytes that a socket was read into. Messages may borrow their payloads from
/// it; what was lent stays as it is until it has come back.
class read_block {
public:
  read_block(const read_block&) = delete;
  read_block& operator=(const read_block&) = delete;

  bool contains(bytes_view what) const noexcept {
    return what.data() >= bytes_.get()
           && what.data() + what.size() <= bytes_.get() + size_;
  }
  /// Once for each borrower; by the thread that reads.
  void lend() noexcept { ++lent_; }
  /// By each borrower once, on any thread.
  void give_back() noexcept {
    if (returned_.fetch_add(1, std::memory_order_acq_rel) + 1 == 0)
      delete this; // the pool has gone, and this was the last borrower
  }

private:
  friend class read_blocks;
  explicit read_block(std::size_t size)
    : bytes_(new std::uint8_t[size]),
      size_(size) {}
  ~read_block() = default;

  bool all_returned() const noexcept {
    return returned_.load(std::memory_order_acquire) == lent_;
  }
  void leave_to_borrowers() noexcept {
    if (returned_.fetch_sub(lent_, std::memory_order_acq_rel) == lent_)
      delete this;
  }

  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_;
  std::int64_t lent_ = 0;
  /// Borrowers that are done; below zero only once the pool has gone. Apart
  /// from `lent_`, which another core writes.
  alignas(64) std::atomic<std::int64_t> returned_{0};
};

/// The blocks of one reading thread. As long as nobody borrows, all sockets
/// are read into the same bytes, which so stay in the processor's cache.
class read_blocks {
public:
  /// @param room  bytes that one read takes at most.
  explicit read_blocks(std::size_t room);
  ~read_blocks();
  read_blocks(const read_blocks&) = delete;
  read_blocks& operator=(const read_blocks&) = delete;

  std::size_t room() const noexcept { return room_; }
  /// Room for `before + room()` bytes, where `before` is what an unfinished
  /// packet already has, `most_before` at most.
  std::uint8_t* next(std::size_t before);
  /// The block of the last `next`.
  read_block& current() noexcept { return *current_; }
  /// False while so much is lent that what comes should be copied: one small
  /// message keeps a whole read.
  bool may_lend() const noexcept { return away_.size() < most_away; }
  /// `count` bytes from the last `next` on were read; keeps them if somebody
  /// borrowed.
  void used(std::size_t count) noexcept;
  /// Frees blocks that were not needed since the last call.
  void trim();

  static constexpr std::size_t most_before = 16 * 1'024;
  static constexpr std::size_t most_away = 32;

private:
  void exchange_current();

  std::size_t room_;
  read_block* current_;
  std::size_t position_ = 0;      ///< in `current_`: behind what is lent
  std::int64_t lent_before_ = 0;  ///< of `current_` at the last `next`
  std::vector<read_block*> away_; ///< lent, or spare
  bool exchanged_ = false;        ///< since `trim`
};

} // namespace troupe::protocol
