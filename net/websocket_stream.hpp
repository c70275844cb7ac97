#pragma once
// WebSocket on a socket, or on TLS.

#include "net/transport.hpp"
#include "net/websocket_frames.hpp"
#include "net/websocket_handshake.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace troupe::net {

/// Frames without data (control frames, and data frames that are empty) that a
/// client may send in a time; who sends more is closed with 1008.
constexpr std::uint32_t websocket_idle_frames_max = 1'000;
constexpr std::chrono::seconds websocket_idle_frames_per{10};
/// Payload of the frames that are written: what clients take without being
/// told otherwise. As many as are wanted leave with one call.
constexpr std::size_t websocket_frame_size = 65'535;

/// The server's end of one WebSocket (RFC 6455): first the request of HTTP and
/// its answer, then frames, whose payload is a stream of bytes here. Reads
/// into the caller's buffer and unmasks there; writes the caller's parts with a
/// header before them, in one call of the socket.
///
/// Costs 200 bytes while idle, beside what lies below it.
class websocket_stream final : public transport {
public:
  /// @param fd        non-blocking; stays the caller's.
  /// @param settings  kept until the handshake is over.
  /// @param lower     what lies between it and the socket; null: nothing.
  websocket_stream(int fd, std::shared_ptr<const websocket_settings> settings,
                   std::unique_ptr<transport> lower = nullptr);
  ~websocket_stream() override;

  void begin_reading(bool to_the_end) noexcept override;
  ssize_t read(std::span<std::uint8_t> to) override;
  bool has_more() const noexcept override;
  ssize_t write(std::span<const iovec> parts) override;
  bool wants_flush() const noexcept override;
  bool flush() override;
  const tls_stream* tls() const noexcept override {
    return lower_ ? lower_->tls() : nullptr;
  }
  bool established() const noexcept override { return !opening_; }
  void end(bool orderly) noexcept override;
  std::string_view trouble() const noexcept override {
    return trouble_.empty() && lower_ ? lower_->trouble() : trouble_;
  }
  traffic take_traffic() noexcept override;

private:
  struct opening;
  struct compression;

  ssize_t receive(std::span<std::uint8_t> to);
  ssize_t send(std::span<const iovec> parts);
  /// @returns bytes behind the request, which are at the front of `to`; -1
  ///          with errno if it was not accepted (yet).
  ssize_t handshake(std::span<std::uint8_t> to);
  ssize_t fail(std::string_view why) noexcept;
  /// Bytes of the frame that begins there, of `left` that there are.
  std::size_t frame_of(std::span<const iovec> parts, std::size_t position,
                       std::size_t left) const noexcept;
  /// What frames say beside their data.
  void take_step(const websocket_step& step);
  void note_idle(std::uint32_t frames);
  ssize_t read_plain(std::span<std::uint8_t> to, std::size_t ready);
  ssize_t read_compressed(std::span<std::uint8_t> to, std::size_t ready);
  /// After a close frame or a mistake of the client.
  ssize_t finish();
  ssize_t write_frames(std::span<const iovec> parts);
  ssize_t write_compressed(std::span<const iovec> parts);
  void send_close(std::uint16_t code, std::string_view reason);
  /// Lets the client read what it was told: of a socket that is closed with
  /// unread bytes, the other side may lose what came last.
  void drop_unread() noexcept;

  int fd_;
  bool drained_ = false; ///< the last recv(2) left nothing
  bool to_the_end_ = false;
  bool is_ending_ = false;  ///< closed or failed: nothing is decoded any more
  bool close_sent_ = false; ///< nothing is written any more
  /// Code of the client's close frame; 0: none.
  std::uint16_t closed_ = 0;
  websocket_close fail_ = websocket_close::none;
  std::uint32_t idle_frames_ = 0;           ///< since `idle_since_`
  std::uint32_t idle_since_ = 0;            ///< seconds of the steady clock
  std::unique_ptr<transport> lower_;        ///< null: the socket
  std::unique_ptr<opening> opening_;        ///< null once established
  std::unique_ptr<compression> deflate_;    ///< null: not agreed to
  std::unique_ptr<websocket_control> pong_; ///< null: none waits
  websocket_reader reader_;
  websocket_writer writer_;
  std::vector<std::uint8_t> unsent_; ///< whole frames, before further ones
  std::size_t (*message_size_)(std::span<const std::uint8_t>);
  std::string_view trouble_;
  traffic traffic_; ///< of the socket, without `lower_`
};

} // namespace troupe::net
