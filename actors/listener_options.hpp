#pragma once
// What a listener is told, and what it is to one reactor.

#include "actors/mqtt_options.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::net {
class tls_context;
struct websocket_settings;
} // namespace troupe::net

namespace troupe::actors {

enum class listener_kind : std::uint8_t { tcp, ssl, ws, wss, local };
inline constexpr std::array<std::string_view, 5> listener_kind_names{
  "tcp", "ssl", "ws", "wss", "unix"};

/// Which part of a client's certificate stands for what it calls itself.
enum class certificate_part : std::uint8_t {
  none,
  common_name,
  subject,
  fingerprint,
};

/// So many in a time, and so many at once after a pause.
struct rate_limit {
  std::uint64_t count = 0; ///< 0: no limit
  std::chrono::milliseconds per{1'000};
  std::uint64_t burst = 0; ///< beside `count`
  friend bool operator==(const rate_limit&, const rate_limit&) = default;
};

/// What holds for a listener's clients in place of `mqtt.*`.
struct listener_limits {
  std::optional<std::uint32_t> max_packet_size;
  std::optional<std::uint16_t> max_inflight;
  std::optional<std::uint16_t> receive_maximum;
  std::optional<std::uint8_t> max_qos_allowed;
  std::optional<bool> retain_available;
  std::optional<bool> wildcard_subscription;
  std::optional<bool> shared_subscription;
  std::optional<std::size_t> max_subscriptions;
};

struct listener_options {
  listener_kind kind = listener_kind::tcp;
  std::string name = "default";
  std::string bind = "127.0.0.1:1883"; ///< of `local`: a path
  /// Rights of the socket's file, of `local`.
  unsigned mode = 0660;
  std::size_t max_connections = 0; ///< 0: no limit
  rate_limit max_conn_rate;        ///< of all reactors together
  int backlog = 1'024;
  bool nodelay = true;
  std::chrono::milliseconds send_timeout{15'000};
  std::size_t output_high_watermark = 1'048'576;
  /// Each connection begins with a PROXY header of a balancer.
  bool proxy_protocol = false;
  std::chrono::milliseconds proxy_protocol_timeout{3'000};
  /// TLS and WebSocket handshakes.
  std::chrono::milliseconds handshake_timeout{15'000};
  std::shared_ptr<const net::tls_context> tls; ///< of `ssl` and `wss`
  std::shared_ptr<const net::websocket_settings> websocket; ///< of `ws`, `wss`
  certificate_part username_from = certificate_part::none;
  certificate_part clientid_from = certificate_part::none;
  std::array<bool, 3> versions{true, true, true}; ///< 3.1, 3.1.1, 5.0
  rate_limit messages_rate; ///< of PUBLISH packets of one client
  rate_limit bytes_rate;    ///< of what one client sends
  /// In front of every topic of its clients; `${clientid}` and `${username}`
  /// stand for what they call themselves.
  std::string mountpoint;
  bool authentication = true; ///< false: whoever comes is taken
  bool authorization = true;  ///< false: whatever is asked is allowed
  listener_limits limits;

  std::string_view kind_name() const noexcept {
    return listener_kind_names[static_cast<std::size_t>(kind)];
  }
  std::string id() const; ///< `ssl:default`
};

/// `mqtt`, with what a listener says otherwise.
mqtt_options with_limits(mqtt_options mqtt, const listener_limits& limits);

/// A listener to one reactor: of all connections that it took here. On that
/// reactor's thread; lives as long as the reactor.
class listener_scope {
public:
  listener_scope(const listener_options& options, const mqtt_options& node);

  const std::string& id() const noexcept { return id_; }
  const listener_options& options() const noexcept { return options_; }
  /// Whether no other machine reaches it.
  bool is_local() const noexcept { return local_; }
  /// What holds for its clients.
  const mqtt_options& mqtt() const noexcept { return mqtt_; }
  /// The same listener with other settings: for living connections, too.
  void change(const listener_options& options, const mqtt_options& node);

  /// Connections on all reactors.
  std::atomic<std::size_t>& connections() const noexcept {
    return *connections_;
  }
  /// Counts together with `other`, which is the same listener elsewhere.
  void share(const listener_scope& other) { connections_ = other.connections_; }

private:
  std::string id_;
  listener_options options_;
  mqtt_options mqtt_;
  bool local_ = false;
  std::shared_ptr<std::atomic<std::size_t>> connections_;
};

} // namespace troupe::actors
