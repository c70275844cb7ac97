#pragma once
// Frames of RFC 6455 as a server reads and writes them: bytes in, bytes out, no
// socket. Sections are those of the RFC.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace troupe::net {

/// Status codes of close frames (7.4.1), those that are used here.
enum class websocket_close : std::uint16_t {
  none = 0, ///< nothing is to be closed
  normal = 1'000,
  going_away = 1'001,
  protocol_error = 1'002,
  unsupported_data = 1'003,
  no_status = 1'005, ///< never sent: the other side gave none
  bad_payload = 1'007,
  policy_violation = 1'008,
  too_big = 1'009,
};

/// Where payload bytes are unmasked: `to` may be `from` or lie before it, in
/// the same buffer, so that they move to the front while they are unmasked.
/// @param mask  the four bytes as they stand in memory, that of the first
///              payload byte first.
void websocket_unmask(std::uint8_t* to, const std::uint8_t* from,
                      std::size_t size, std::uint32_t mask) noexcept;

/// What came out of a piece of input.
struct websocket_step {
  /// Bytes of the input that were looked at. All of them, but where the
  /// connection is to be closed, or where a message ends and compression is
  /// negotiated: call `decode` again with the others then.
  std::size_t consumed = 0;
  /// Payload bytes of data frames, which are at the front of the input now.
  /// What came before a mistake is among them.
  std::size_t payload = 0;
  /// They are those of a compressed message (RFC 7692): inflate them.
  bool is_compressed = false;
  /// With them a message ends. Only with compression.
  bool is_message_end = false;

  /// Not `none`: the client broke a rule. Send a close frame with this code
  /// and `reason`, then end the connection; nothing is decoded any more.
  websocket_close fail = websocket_close::none;
  const char* reason = ""; ///< a fixed text, for the close frame and the log

  /// Control frames in it: what is counted against floods.
  std::uint32_t control_frames = 0;
  std::uint32_t empty_frames = 0; ///< data frames without payload, likewise
  /// A ping came: answer with a pong that has `ping`. Of several the last one
  /// is answered (5.5.3).
  bool is_pinged = false;
  std::string_view ping{}; ///< borrowed from the reader until `decode`

  /// Not `none`: the client closes. Answer with a close frame of the same code
  /// (without one for `no_status`), then end the connection. What comes behind
  /// it is dropped.
  std::uint16_t closed = 0;
  std::string_view close_reason{}; ///< borrowed from the reader until `decode`
};

/// Reads the frames of one client. MQTT Control Packets may begin and end
/// anywhere in them [MQTT-6.0.0-2], so payload is a stream of bytes here, and
/// frames and messages are not told apart.
///
/// Nothing is copied but what a read ends in the middle of: a frame's header
/// or a control frame. Memory of its own (252 bytes) only after control frames.
class websocket_reader {
public:
  /// @param frame_max    bytes of payload that a data frame may have; more is
  ///                     refused with `too_big` as soon as its header is read.
  /// @param is_deflated  permessage-deflate was negotiated.
  explicit websocket_reader(std::uint64_t frame_max,
                            bool is_deflated = false) noexcept
    : frame_max_(frame_max),
      is_deflated_(is_deflated) {}

  /// Decodes what was read from the socket, in place: moves the payload of data
  /// frames to the front of `bytes` and unmasks it on the way. What lies behind
  /// the payload is undefined afterwards.
  websocket_step decode(std::span<std::uint8_t> bytes);

  /// Whether the last frame was read wholly and no message is unfinished.
  bool is_between_messages() const noexcept {
    return header_size_ == 0 && left_ == 0 && !in_message_ && !in_control_;
  }

private:
  struct control_store {
    std::array<char, 125> now;  ///< the frame that is being read, or the close
    std::array<char, 125> ping; ///< the last one, until it is answered
    std::uint8_t now_size;
  };

  /// Reads the header at the front of `in`, or as much of it as there is.
  /// @returns its size, or 0 if it is not there wholly.
  std::size_t take_header(std::span<const std::uint8_t> in,
                          websocket_step& step);
  bool check_start(std::uint8_t first, std::uint8_t second,
                   websocket_step& step);
  bool check_length(std::uint64_t length, websocket_step& step);
  std::size_t take_control(std::span<const std::uint8_t> in,
                           websocket_step& step);
  void finish_control(websocket_step& step);
  void finish_close(std::string_view body, websocket_step& step);

  std::uint64_t frame_max_;
  std::uint64_t left_ = 0; ///< payload bytes of this frame still to come
  std::unique_ptr<control_store> control_;
  std::uint32_t mask_ = 0;                ///< of the next payload byte first
  std::array<std::uint8_t, 14> header_{}; ///< as much as there was of one
  std::uint8_t header_size_ = 0;
  std::uint8_t opcode_ = 0; ///< of this frame
  bool is_final_ : 1 = false;
  bool in_message_ : 1 = false; ///< a data message goes on in another frame
  bool in_control_ : 1 = false; ///< this frame is a control frame
  bool is_compressed_ : 1 = false;
  bool is_deflated_ : 1;
  bool is_done_ : 1 = false; ///< closed or failed
};

/// The header of a frame that a server sends: binary, not masked.
struct websocket_header {
  std::array<std::uint8_t, 10> bytes{};
  std::uint8_t size = 0;

  std::span<const std::uint8_t> view() const noexcept {
    return std::span{bytes}.first(size);
  }
};

/// @param payload        bytes that follow it.
/// @param is_compressed  they are a whole compressed message.
websocket_header encode_websocket_header(std::uint64_t payload,
                                         bool is_compressed = false) noexcept;

/// A whole control frame that a server sends.
struct websocket_control {
  std::array<std::uint8_t, 127> bytes{};
  std::uint8_t size = 0;

  std::span<const std::uint8_t> view() const noexcept {
    return std::span{bytes}.first(size);
  }
};

/// @param payload  at most 125 bytes: what is beyond is left out.
websocket_control encode_websocket_ping(std::string_view payload) noexcept;
websocket_control encode_websocket_pong(std::string_view payload) noexcept;
/// @param code    `no_status` or 0 for a frame without code and reason.
/// @param reason  UTF-8 of at most 123 bytes: what is beyond is left out.
websocket_control encode_websocket_close(std::uint16_t code,
                                         std::string_view reason = "") noexcept;
inline websocket_control
encode_websocket_close(websocket_close code,
                       std::string_view reason = "") noexcept {
  return encode_websocket_close(static_cast<std::uint16_t>(code), reason);
}

/// Where a connection is in the frame that it writes. A frame is begun for all
/// that waits, and written as its header and then its payload, which the caller
/// gathers from wherever it lies; no other frame may come between.
///
///     if (writer.is_between_frames()) writer.begin(queued_bytes);
///     // iovecs: writer.header(), then the first writer.owed() queued bytes
///     queue.drop(writer.wrote(bytes_that_the_socket_took));
class websocket_writer {
public:
  /// Begins a frame. Only between frames.
  void begin(std::uint64_t payload, bool is_compressed = false) noexcept;

  bool is_between_frames() const noexcept {
    return header_at_ == header_.size && owed_ == 0;
  }
  /// What is to be written of the header.
  std::span<const std::uint8_t> header() const noexcept {
    return header_.view().subspan(header_at_);
  }
  /// Payload bytes of the frame that are to be written.
  std::uint64_t owed() const noexcept { return owed_; }

  /// Takes note that the socket took `n` bytes of header and payload.
  /// @returns how many of them were payload.
  std::size_t wrote(std::size_t n) noexcept;

private:
  std::uint64_t owed_ = 0;
  websocket_header header_;
  std::uint8_t header_at_ = 0;
};

} // namespace troupe::net
