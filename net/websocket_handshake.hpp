#pragma once
// The HTTP request with which a WebSocket begins (RFC 6455 section 4.2), and
// the answer to it: bytes in, bytes out.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace troupe::net {

/// A request may have so many bytes, more is refused with 431.
constexpr std::size_t websocket_request_max = 8'192;

/// What a listener accepts.
struct websocket_settings {
  std::string path = "/mqtt"; ///< compared without the query
  /// Names that stand for MQTT [MQTT-6.0.0-3, -4], the historic ones of clients
  /// among them. Exact.
  std::vector<std::string> subprotocols{"mqtt", "mqttv3.1", "mqtt-v3",
                                        "mqtt-v3.1.1", "mqtt-v5"};
  /// Refuses who offers none of them.
  bool fail_if_no_subprotocol = true;
  /// Pages that may connect, as "https://example.org"; empty: all. Exact: a
  /// browser writes scheme and host in lower case.
  std::vector<std::string> origins;
  /// With `origins`: clients that are no browsers send none.
  bool allow_missing_origin = true;
  /// Agrees to permessage-deflate, without context takeover on either side.
  bool compress = false;
  /// How long the first message of these bytes is, which are at most its first
  /// five. If given, a frame has one message each: for clients that take
  /// frames for packets, against [MQTT-6.0.0-2]. Null: a frame has all that
  /// waits.
  std::size_t (*message_size)(std::span<const std::uint8_t> front) = nullptr;
};

/// The answer to a request.
struct websocket_answer {
  /// HTTP status: 101 accepted, 400 and more refused, 0 not there wholly.
  int status = 0;
  /// To be sent. If refused, the connection is to be ended after it.
  std::string response;
  /// If refused, what is wrong: the body of the response, for the log.
  std::string reason;
  /// Bytes of the request: frames follow.
  std::size_t consumed = 0;
  std::string subprotocol;  ///< the one chosen, empty: none
  bool is_deflated = false; ///< permessage-deflate was agreed to

  bool needs_more() const noexcept { return status == 0; }
  bool is_accepted() const noexcept { return status == 101; }
};

/// Answers the request at the front of all that a connection sent. Keeps no
/// state: call again with more at the end while `needs_more`. What is no HTTP
/// is refused with its first byte or line.
websocket_answer websocket_accept(std::span<const std::uint8_t> in,
                                  const websocket_settings& settings);

} // namespace troupe::net
