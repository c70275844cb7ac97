#pragma once
// The client's side of RFC 6455, as far as MQTT needs it.

#include "bench/load/out_buffer.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::bench {

/// Frame types, RFC 6455 section 5.2.
enum class ws_opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

/// Appends one final frame, masked as a client must (section 5.3).
/// @param mask  the masking key; should not be guessed by who makes `payload`.
void append_ws_frame(out_buffer& out, ws_opcode opcode, bytes_view payload,
                     std::uint32_t mask);

/// What the server must answer to a Sec-WebSocket-Key (section 4.2.2).
std::string ws_accept(const std::string& key);

/// One connection: the upgrade, then what the server's frames hold. Bytes in,
/// bytes out; no socket. Not thread-safe.
class ws_client {
public:
  /// @param nonce  16 random bytes, of which the key is made.
  explicit ws_client(const std::array<std::uint8_t, 16>& nonce);

  /// Appends the request of the upgrade, subprotocol "mqtt".
  void append_request(out_buffer& out, std::string_view host,
                      std::string_view path) const;

  /// Takes what came from the server, cut anywhere.
  /// @param bytes    what binary messages hold is moved to its beginning.
  /// @param answers  receives the frames that answer pings and a close.
  /// @returns how many bytes that is; std::nullopt if the server broke a rule
  ///          or refused: see `why()`.
  std::optional<std::size_t> receive(std::span<std::uint8_t> bytes,
                                     out_buffer& answers);

  bool upgraded() const { return upgraded_; }
  /// The server has sent a close frame.
  bool closed() const { return closed_; }
  /// The rule that was broken, or the close code.
  const std::string& why() const { return why_; }

private:
  static constexpr std::size_t header_max = 10; ///< of an unmasked frame

  /// @returns how many bytes of `bytes` belong to the answer's head.
  std::optional<std::size_t> take_head(bytes_view bytes);
  bool check_head();
  /// @returns false if the header, which is whole, breaks a rule.
  bool begin_frame();
  std::size_t header_size() const;
  bool take_header(bytes_view& rest);
  void end_control_frame(out_buffer& answers);
  bool fail(const char* why) {
    why_ = why;
    return false;
  }

  std::string key_;
  std::string head_; ///< of the answer to the upgrade, until it is whole
  std::string why_;
  std::array<std::uint8_t, header_max> header_{};
  std::uint8_t header_got_ = 0;
  ws_opcode opcode_ = ws_opcode::binary;
  bool upgraded_ = false;
  bool closed_ = false;
  bool in_frame_ = false;
  bool in_message_ = false; ///< a fragmented one
  std::uint64_t left_ = 0;  ///< of the frame's payload
  std::vector<std::uint8_t> control_;
};

} // namespace troupe::bench
