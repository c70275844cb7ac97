#pragma once

#include "config/values.hpp"

#include <map>

/// @file
/// The sections of listeners: what all kinds have, and what only some have.
namespace troupe::config {

using namespace std::chrono_literals;

enum class listener_kind : std::uint8_t { tcp, ssl, ws, wss, local };
inline constexpr std::array<std::string_view, 5> listener_kinds{
  "tcp", "ssl", "ws", "wss", "unix"};

/// Which part of a client's certificate stands for what it calls itself.
enum class certificate_part : std::uint8_t { disabled, cn, dn, fingerprint };
template <>
inline constexpr std::array choices<certificate_part> =
  std::to_array<std::string_view>({"disabled", "cn", "dn", "fingerprint"});

enum class verify_mode : std::uint8_t { verify_none, verify_peer };
template <>
inline constexpr std::array choices<verify_mode> =
  std::to_array<std::string_view>({"verify_none", "verify_peer"});

enum class tls_version : std::uint8_t { tls_1_2, tls_1_3 };
template <>
inline constexpr std::array choices<tls_version> =
  std::to_array<std::string_view>({"tlsv1.2", "tlsv1.3"});

/// How many packets a frame to a client may have.
enum class piggyback : std::uint8_t { single, multiple };
template <>
inline constexpr std::array
  choices<piggyback> = std::to_array<std::string_view>({"single", "multiple"});

// GCC 12 does not take lists of strings as initialisers of members here.
inline text_list all_versions() { return {{"3.1", "3.1.1", "5.0"}}; }
inline text_list all_subprotocols() {
  return {{"mqtt", "mqttv3.1", "mqtt-v3", "mqtt-v3.1.1", "mqtt-v5"}};
}

/// Ports are EMQX's.
template <listener_kind K>
struct listener_bind {
  using type = address;
  static address initial() {
    constexpr std::array<std::uint16_t, 4> ports{1883, 8883, 8083, 8084};
    return {"127.0.0.1", ports.at(static_cast<std::size_t>(K))};
  }
};
template <>
struct listener_bind<listener_kind::local> {
  using type = std::string;
  static std::string initial() { return "mqtt.sock"; }
};

/// `[listeners.<kind>.<name>]`
template <listener_kind K>
struct listener {
  bool enable = true;
  typename listener_bind<K>::type bind = listener_bind<K>::initial();
  std::optional<std::uint64_t> max_connections;
  std::optional<rate> max_conn_rate;
  std::uint32_t max_conn_burst = 0;
  std::optional<rate> messages_rate;
  std::uint32_t messages_burst = 0;
  std::optional<byte_rate> bytes_rate;
  byte_size bytes_burst{0};
  std::optional<byte_size> max_packet_size;
  std::optional<std::uint16_t> max_inflight;
  std::optional<std::uint16_t> receive_maximum;
  std::optional<std::uint8_t> max_qos_allowed;
  std::optional<bool> retain_available;
  std::optional<bool> wildcard_subscription;
  std::optional<bool> shared_subscription;
  std::optional<std::uint32_t> max_subscriptions;
  text_list versions = all_versions();
  std::string mountpoint;
  bool enable_authn = true;
  bool enable_authz = true;
  bool proxy_protocol = false;
  milliseconds proxy_protocol_timeout = 3s;
  std::uint32_t backlog = 1'024;
  bool nodelay = true;
  std::optional<milliseconds> send_timeout = 15s;
  byte_size high_watermark = 1_MB;
};

/// `[listeners.ssl.<name>.ssl_options]`
struct ssl_options {
  std::string certfile;
  std::string keyfile;
  std::string password;
  std::string sni_dir;
  std::string cacertfile;
  std::string crlfile;
  verify_mode verify = verify_mode::verify_none;
  bool fail_if_no_peer_cert = false;
  std::uint8_t depth = 10;
  tls_version min_version = tls_version::tls_1_2;
  tls_version max_version = tls_version::tls_1_3;
  std::string ciphers;
  std::string ciphersuites;
  std::string groups;
  bool honor_cipher_order = true;
  std::string psk_file;
  bool session_tickets = true;
  milliseconds ticket_lifetime = 2h;
  milliseconds handshake_timeout = 15s;
  certificate_part peer_cert_as_username = certificate_part::disabled;
  certificate_part peer_cert_as_clientid = certificate_part::disabled;
  std::string ocsp_file;
  std::string ocsp_responder_url;
  milliseconds ocsp_refresh_interval = 5min;
  milliseconds ocsp_timeout = 15s;
};

/// `[listeners.ws.<name>.websocket]`
struct websocket {
  std::string path = "/mqtt";
  text_list subprotocols = all_subprotocols();
  bool fail_if_no_subprotocol = true;
  text_list allow_origins;
  bool allow_origin_absence = true;
  bool compress = false;
  piggyback mqtt_piggyback = piggyback::multiple;
};

/// `[listeners.unix.<name>.unix_options]`
struct unix_options {
  std::string mode = "0660";
};

/// One listener with all that its kind has; the rest stays as it is made.
template <listener_kind K>
struct listener_settings {
  listener<K> common;
  ssl_options ssl;
  config::websocket ws;
  unix_options local;
};

/// Listeners by kind, then by name.
struct listeners {
  template <listener_kind K>
  using of_kind = std::map<std::string, listener_settings<K>, std::less<>>;

  of_kind<listener_kind::tcp> tcp{{"default", {}}};
  of_kind<listener_kind::ssl> ssl;
  of_kind<listener_kind::ws> ws;
  of_kind<listener_kind::wss> wss;
  of_kind<listener_kind::local> local;
};

/// Calls `f(kind constant, map)` for each kind.
template <class Listeners, class F>
void for_each_kind(Listeners& of, F&& f) {
  f(std::integral_constant<listener_kind, listener_kind::tcp>{}, of.tcp);
  f(std::integral_constant<listener_kind, listener_kind::ssl>{}, of.ssl);
  f(std::integral_constant<listener_kind, listener_kind::ws>{}, of.ws);
  f(std::integral_constant<listener_kind, listener_kind::wss>{}, of.wss);
  f(std::integral_constant<listener_kind, listener_kind::local>{}, of.local);
}

/// `listeners.ssl.<name>`
inline std::string listener_section(listener_kind kind, std::string_view name) {
  return "listeners."
         + std::string{listener_kinds.at(static_cast<std::size_t>(kind))} + '.'
         + std::string{name};
}

/// `ssl:<name>`, as listeners are called while they run.
inline std::string listener_id(listener_kind kind, std::string_view name) {
  return std::string{listener_kinds.at(static_cast<std::size_t>(kind))} + ':'
         + std::string{name};
}

} // namespace troupe::config
