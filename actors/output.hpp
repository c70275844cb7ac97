#pragma once
// What waits to be written to a socket.

#include "actors/hop_histogram.hpp"
#include "protocol/byte_buffer.hpp"
#include "protocol/message.hpp"

#include <memory>
#include <span>
#include <sys/uio.h>
#include <vector>

namespace troupe::actors {

/// Packets in their order: bytes of its own, and between them runs of bytes
/// that are borrowed from messages. Not thread-safe.
class output {
public:
  /// Where packets are encoded to.
  protocol::byte_buffer& bytes() noexcept { return bytes_; }
  /// Appends `what`, which lies in `holder`'s payload or packet, without
  /// copying it. Longer than a turn it must not stay: see `keep`.
  void borrow(const protocol::message& holder, protocol::bytes_view what);

  std::size_t size() const noexcept { return bytes_.size() + borrowed_; }
  bool empty() const noexcept { return size() == 0; }
  /// When what is in it came; for whoever writes it.
  hop_times& times() noexcept { return times_; }
  std::size_t capacity() const noexcept { return bytes_.capacity(); }

  /// The first runs, for writev(2).
  /// @returns how many of `to` were filled in.
  std::size_t gather(std::span<iovec> to) const noexcept;
  /// Drops `count` bytes from the front.
  void consume(std::size_t count) noexcept;
  /// Copies what is borrowed: the socket takes no more for now.
  void keep();

private:
  struct run {
    protocol::message_ptr holder;
    protocol::bytes_view bytes;
    std::size_t own_before = 0; ///< of the bytes ever in `bytes_`
  };
  void clear() noexcept;

  protocol::byte_buffer bytes_;
  std::size_t own_consumed_ = 0; ///< since it was empty
  std::vector<run> runs_;
  std::size_t first_ = 0; ///< of `runs_`: the others are written
  std::size_t borrowed_ = 0;
  hop_times times_;
};

/// Outputs that no connection needs at the moment. The one given back last is
/// lent first: its memory is still in the processor's cache. A quiet
/// connection so owns none. Not thread-safe.
class output_pool {
public:
  std::unique_ptr<output> lend();
  /// @param from  empty.
  void take_back(std::unique_ptr<output> from);
  /// Frees what was not lent since the last call.
  void trim();

private:
  std::vector<std::unique_ptr<output>> spare_;
  std::size_t least_ = 0; ///< fewest spare ones since `trim`
};

} // namespace troupe::actors
