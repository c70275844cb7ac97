#pragma once
// permessage-deflate (RFC 7692) without context takeover: every message is
// compressed by itself, so nothing is kept between messages.

#include "net/websocket_frames.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace troupe::net {

/// Inflates the messages of one client, in pieces. About 45 KB while a message
/// is under way and until `rest`.
class websocket_inflater {
public:
  /// @param message_max  bytes that a message may have when it is inflated.
  explicit websocket_inflater(std::uint64_t message_max) noexcept;
  ~websocket_inflater();
  websocket_inflater(websocket_inflater&&) noexcept;
  websocket_inflater& operator=(websocket_inflater&&) noexcept;

  struct step {
    std::size_t consumed = 0; ///< bytes of `in` that are not needed any more
    std::size_t produced = 0; ///< bytes that are in `out` now
    /// All of `in` is inflated and there is no more to come of it. Otherwise
    /// call again, with the rest of `in` and room.
    bool is_done = false;
    /// Not `none`: `bad_payload`, or `too_big`. Close; call no more.
    websocket_close fail = websocket_close::none;
    const char* reason = ""; ///< a fixed text
  };

  /// @param in   payload of a compressed message.
  /// @param is_message_end  the message ends with it.
  /// @param out  room for what comes out, a byte at least; does not overlap.
  step inflate(std::span<const std::uint8_t> in, bool is_message_end,
               std::span<std::uint8_t> out);

  /// Gives memory back unless a message is under way: when there is nothing to
  /// read any more.
  void rest() noexcept;

private:
  struct stream;
  step refuse(websocket_close code, const char* reason);
  step inflate_some(std::span<const std::uint8_t> in, bool is_message_end,
                    std::span<std::uint8_t> out);

  std::uint64_t message_max_;
  std::uint64_t size_ = 0; ///< inflated of this message
  std::unique_ptr<stream> stream_;
  bool in_message_ = false;
};

/// Compresses messages, whole ones one after the other: one for all clients of
/// a thread is enough. About 270 KB from the first use.
class websocket_deflater {
public:
  /// @param level  1, fast, to 9, small.
  explicit websocket_deflater(int level = 6) noexcept;
  ~websocket_deflater();
  websocket_deflater(websocket_deflater&&) noexcept;
  websocket_deflater& operator=(websocket_deflater&&) noexcept;

  /// Adds a piece of a message, which need not lie at one place.
  /// @param to  what there is of its compressed bytes is appended.
  void add(std::span<const std::uint8_t> piece, std::vector<std::uint8_t>& to);
  /// Ends the message: what was appended is the payload of a frame with
  /// `is_compressed`.
  void finish(std::vector<std::uint8_t>& to);

private:
  struct stream;
  stream& started();

  int level_;
  std::unique_ptr<stream> stream_;
};

} // namespace troupe::net
