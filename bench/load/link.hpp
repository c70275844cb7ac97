#pragma once
// What lies between a client's MQTT and its socket: TLS, WebSocket or both.

#include "bench/load/tls.hpp"
#include "bench/load/ws_client.hpp"

#include <optional>
#include <random>

namespace troupe::bench {

/// By which door the clients come in.
struct link_options {
  tls_options tls;
  bool websocket = false;
  std::string path = "/mqtt"; ///< of the upgrade

  /// Whether there is anything but TCP.
  bool any() const { return tls.on || websocket; }
};

/// What the links of a thread have in common.
class link_layers {
public:
  /// @throws run_error
  link_layers(const link_options& o, const std::string& host, unsigned port);

private:
  friend class link;
  std::optional<tls_context> tls_;
  bool websocket_;
  std::string path_;
  std::string host_; ///< with the port, for the upgrade
  std::mt19937 random_{std::random_device{}()};
  out_buffer frames_; ///< empty between two calls
};

/// Of one connection. Belongs to the thread of its event loop.
class link {
public:
  /// @param ticket  of the client; see tls_stream.
  link(link_layers& layers, int fd, tls_ticket& ticket);

  /// TLS handshake and upgrade, as far as it goes without waiting.
  /// @returns good when MQTT may begin.
  io_state open();
  /// MQTT from the broker, until `to` is full or the socket is empty.
  io_result read(std::span<std::uint8_t> to);
  /// MQTT to the broker. What it has taken may still wait for the socket.
  io_state write(out_buffer& from);
  /// Something that was taken, or an answer of its own, has not left.
  bool pending() const { return !raw_.empty(); }
  void shut_down();

  bool opened() const { return opened_; }
  bool resumed() const { return tls_ && tls_->resumed(); }
  bool secure() const { return tls_.has_value(); }
  /// Why it failed or ended.
  const std::string& why() const { return why_; }

private:
  io_result read_raw(std::span<std::uint8_t> to);
  io_result write_raw(bytes_view bytes);
  /// Writes what has been framed.
  io_state flush();
  io_state upgrade();

  link_layers& layers_;
  int fd_;
  std::optional<tls_stream> tls_;
  std::optional<ws_client> websocket_;
  out_buffer raw_; ///< frames that the socket has not taken
  std::string why_;
  bool secured_ = false; ///< the TLS handshake is over
  bool asked_ = false;   ///< the upgrade is asked for
  bool opened_ = false;
};

} // namespace troupe::bench
