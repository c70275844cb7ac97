#pragma once

#include "config/field.hpp"
#include "config/sections.hpp"

/// @file
/// The settings of listeners.
namespace troupe::config {

template <listener_kind K>
inline constexpr std::string_view about<listener<K>> =
  K == listener_kind::tcp
    ? "MQTT over TCP, without encryption. Each listener has a name of "
      "lower-case letters, digits, - and _. The listener `default` is there "
      "unless `enable = false` takes it away; of the other kinds there is "
      "none until one is named."
  : K == listener_kind::ssl ? "MQTT over TLS."
  : K == listener_kind::ws  ? "MQTT over WebSocket, without encryption."
  : K == listener_kind::wss
    ? "MQTT over WebSocket over TLS."
    : "MQTT over a Unix socket, for programs of this machine.";

template <listener_kind K>
inline constexpr auto fields<listener<K>> = std::tuple{
  field{&listener<K>::enable, "enable", reload::hot,
        "Whether the listener is opened. Closing it ends its connections."},
  field{&listener<K>::bind, "bind", reload::hot,
        K == listener_kind::local
          ? "Path of the socket, below node.data_dir unless it begins with a "
            "slash."
          : "Where to listen. Without a host: on all addresses of the "
            "machine. Port 0: a free port, which is logged. An address that "
            "other machines reach needs users (auth) or allow_anonymous = "
            "true. Connections that are there stay."},
  field{&listener<K>::max_connections,
        "max_connections",
        {1, 1'000'000'000, "connections"},
        reload::hot,
        "Most connections at once; further ones are closed at once."},
  field{&listener<K>::max_conn_rate, "max_conn_rate", reload::hot,
        "Most new connections in a time; further ones wait in the backlog."},
  field{&listener<K>::max_conn_burst,
        "max_conn_burst",
        {0, 1'000'000'000, "connections"},
        reload::hot,
        "Beyond max_conn_rate, after a quiet time."},
  field{&listener<K>::messages_rate, "messages_rate", reload::hot,
        "Most PUBLISH packets of one client in a time; then it is not read "
        "from until it may send again."},
  field{&listener<K>::messages_burst,
        "messages_burst",
        {0, 1'000'000'000, "packets"},
        reload::hot,
        "Beyond messages_rate, after a quiet time."},
  field{&listener<K>::bytes_rate, "bytes_rate", reload::hot,
        "Most bytes that one client sends in a time; then it is not read "
        "from until it may send again."},
  field{&listener<K>::bytes_burst,
        "bytes_burst",
        {byte_size{0}, 65'536_MB},
        reload::hot,
        "Beyond bytes_rate, after a quiet time."},
  field{&listener<K>::max_packet_size,
        "max_packet_size",
        {1_KB, 256_MB},
        reload::hot,
        "In place of mqtt.max_packet_size.",
        "inherit"},
  field{&listener<K>::max_inflight,
        "max_inflight",
        {1, 65'535, "messages"},
        reload::hot,
        "In place of mqtt.max_inflight; of clients that connect from now on.",
        "inherit"},
  field{&listener<K>::receive_maximum,
        "receive_maximum",
        {1, 65'535, "messages"},
        reload::hot,
        "In place of mqtt.receive_maximum; of clients that connect from now "
        "on.",
        "inherit"},
  field{&listener<K>::max_qos_allowed,
        "max_qos_allowed",
        {0, 2},
        reload::hot,
        "In place of mqtt.max_qos_allowed.",
        "inherit"},
  field{&listener<K>::retain_available, "retain_available", reload::hot,
        "In place of mqtt.retain_available.", "inherit"},
  field{&listener<K>::wildcard_subscription, "wildcard_subscription",
        reload::hot, "In place of mqtt.wildcard_subscription.", "inherit"},
  field{&listener<K>::shared_subscription, "shared_subscription", reload::hot,
        "In place of mqtt.shared_subscription.", "inherit"},
  field{&listener<K>::max_subscriptions,
        "max_subscriptions",
        {1, 1'000'000'000, "subscriptions"},
        reload::hot,
        "In place of mqtt.max_subscriptions.",
        "inherit"},
  field{&listener<K>::versions, "versions", reload::hot,
        "Versions of MQTT that are taken: of 3.1, 3.1.1 and 5.0. Others are "
        "refused with 0x84 (Unsupported Protocol Version)."},
  field{&listener<K>::mountpoint,
        "mountpoint",
        {0, 1'024, "bytes"},
        reload::hot,
        "Put in front of every topic and filter of its clients, and taken "
        "away from what is delivered to them. ${clientid} and ${username} "
        "stand for what a client calls itself. Of clients that connect from "
        "now on."},
  field{&listener<K>::enable_authn, "enable_authn", reload::hot,
        "Whether clients have to show who they are. If not, whoever comes is "
        "taken."},
  field{&listener<K>::enable_authz, "enable_authz", reload::hot,
        "Whether the access rules (acl) hold for its clients."},
  field{&listener<K>::proxy_protocol, "proxy_protocol", reload::hot,
        "Whether each connection begins with a header of the PROXY protocol, "
        "version 1 or 2, of a balancer before the broker. Then connections "
        "without one are closed, so only the balancer may reach the address."},
  field{&listener<K>::proxy_protocol_timeout,
        "proxy_protocol_timeout",
        {100ms, 1h},
        reload::hot,
        "How long such a header is waited for."},
  field{&listener<K>::backlog,
        "tcp_options.backlog",
        {1, 65'535, "connections"},
        reload::hot,
        "Connections that the system keeps until they are accepted."},
  field{&listener<K>::nodelay, "tcp_options.nodelay", reload::hot,
        "Whether small packets leave at once (TCP_NODELAY). For clients that "
        "connect from then on."},
  field{&listener<K>::send_timeout,
        "tcp_options.send_timeout",
        {100ms, 1h},
        reload::hot,
        "How long a client may take nothing of the output that waits for "
        "it, before its connection is closed."},
  field{&listener<K>::high_watermark,
        "tcp_options.high_watermark",
        {4_KB, 1'024_MB},
        reload::hot,
        "Output that may wait in a connection; beyond it messages stay in "
        "the session's queue."}};

template <>
inline constexpr std::string_view about<ssl_options> =
  "Certificates, keys and rules of TLS. Files are PEM; relative paths begin "
  "where the broker was started. All of it is read again by a reload; "
  "connections that are there stay.";

template <>
inline constexpr auto fields<ssl_options> = std::tuple{
  field{&ssl_options::certfile,
        "certfile",
        {0, 4'096, "bytes"},
        reload::hot,
        "The server's certificate, then those of its issuers."},
  field{&ssl_options::keyfile,
        "keyfile",
        {0, 4'096, "bytes"},
        reload::hot,
        "The private key of certfile."},
  secret(field{&ssl_options::password,
               "password",
               {0, 1'024, "bytes"},
               reload::hot,
               "Of the key, if it is encrypted. It is shown to nobody."}),
  field{&ssl_options::sni_dir,
        "sni_dir",
        {0, 4'096, "bytes"},
        reload::hot,
        "Directory of more certificates: each .pem file has a chain and its "
        "key, and is chosen when a client asks for one of its DNS names "
        "(Server Name Indication)."},
  field{&ssl_options::cacertfile,
        "cacertfile",
        {0, 4'096, "bytes"},
        reload::hot,
        "Certificates of the authorities that sign clients' certificates."},
  field{&ssl_options::crlfile,
        "crlfile",
        {0, 4'096, "bytes"},
        reload::hot,
        "Revocation lists. With a file, there has to be a list of every "
        "issuer in a client's chain."},
  field{&ssl_options::verify, "verify", reload::hot,
        "verify_peer: clients are asked for a certificate, and one that is "
        "shown has to be good."},
  field{&ssl_options::fail_if_no_peer_cert, "fail_if_no_peer_cert", reload::hot,
        "Whether clients without a certificate are refused; with "
        "verify_peer."},
  field{&ssl_options::depth,
        "depth",
        {0, 100, "issuers"},
        reload::hot,
        "Most issuers between a client's certificate and an authority."},
  field{&ssl_options::min_version, "min_version", reload::hot,
        "The oldest version of TLS that is spoken."},
  field{&ssl_options::max_version, "max_version", reload::hot,
        "The newest version of TLS that is spoken."},
  field{&ssl_options::ciphers,
        "ciphers",
        {0, 4'096, "bytes"},
        reload::hot,
        "Ciphers of TLS 1.2, as openssl-ciphers(1) has them. Empty: "
        "OpenSSL's choice."},
  field{&ssl_options::ciphersuites,
        "ciphersuites",
        {0, 4'096, "bytes"},
        reload::hot,
        "Ciphers of TLS 1.3, with colons between them. Empty: OpenSSL's "
        "choice."},
  field{&ssl_options::groups,
        "groups",
        {0, 4'096, "bytes"},
        reload::hot,
        "Groups for the exchange of keys, such as X25519:P-256. Empty: "
        "OpenSSL's choice."},
  field{&ssl_options::honor_cipher_order, "honor_cipher_order", reload::hot,
        "Whether the broker's order of ciphers decides, not the client's."},
  field{&ssl_options::psk_file,
        "psk_file",
        {0, 4'096, "bytes"},
        reload::hot,
        "Pre-shared keys: lines identity:key, the key in hex. A client that "
        "shows none needs the certificate."},
  field{&ssl_options::session_tickets, "session_tickets", reload::hot,
        "Whether clients may resume a session, which saves them and the broker "
        "the certificates. Tickets end when cacertfile, crlfile or psk_file "
        "change."},
  field{&ssl_options::ticket_lifetime,
        "ticket_lifetime",
        {1min, 168h},
        reload::hot,
        "How long a session may be resumed."},
  field{&ssl_options::handshake_timeout,
        "handshake_timeout",
        {100ms, 1h},
        reload::hot,
        "How long a client may take for its handshakes."},
  field{&ssl_options::peer_cert_as_username, "peer_cert_as_username",
        reload::hot,
        "What part of a client's certificate is its user name: the common "
        "name, the whole subject, or the SHA-256 of the certificate."},
  field{&ssl_options::peer_cert_as_clientid, "peer_cert_as_clientid",
        reload::hot, "Likewise its client identifier."},
  field{&ssl_options::ocsp_file,
        "ocsp.file",
        {0, 4'096, "bytes"},
        reload::hot,
        "An OCSP response (DER) that is stapled to the certificate."},
  field{&ssl_options::ocsp_responder_url,
        "ocsp.responder_url",
        {0, 4'096, "bytes"},
        reload::hot,
        "Where such a response is fetched from, http://...; the issuer's "
        "certificate has to be the second in certfile."},
  field{&ssl_options::ocsp_refresh_interval,
        "ocsp.refresh_interval",
        {1s, 168h},
        reload::hot,
        "How often it is fetched."},
  field{&ssl_options::ocsp_timeout,
        "ocsp.refresh_http_timeout",
        {100ms, 10min},
        reload::hot,
        "How long the responder may take."}};

template <>
inline constexpr std::string_view about<websocket> =
  "The HTTP side of a WebSocket listener.";

template <>
inline constexpr auto fields<websocket> = std::tuple{
  field{&websocket::path,
        "mqtt_path",
        {1, 1'024, "bytes"},
        reload::hot,
        "The path that clients ask for; others are answered with 404."},
  field{&websocket::subprotocols, "supported_subprotocols", reload::hot,
        "Subprotocols that are spoken: the first of the client's that is "
        "among them is chosen."},
  field{&websocket::fail_if_no_subprotocol, "fail_if_no_subprotocol",
        reload::hot,
        "Whether clients without one of them are refused [MQTT-6.0.0-3]."},
  field{&websocket::allow_origins, "check_origins", reload::hot,
        "Origins, such as https://desk.example, whose pages may connect. "
        "Empty: all."},
  field{&websocket::allow_origin_absence, "allow_origin_absence", reload::hot,
        "Whether clients that name no origin, which browsers always do, are "
        "taken although check_origins is set."},
  field{&websocket::compress, "compress", reload::hot,
        "Whether messages are compressed if the client wants it "
        "(permessage-deflate). It costs time and memory."},
  field{&websocket::mqtt_piggyback, "mqtt_piggyback", reload::hot,
        "Whether a frame may have several packets, or each packet has one of "
        "its own: some clients, such as Paho's for C, need single. What "
        "clients send may be cut in any way. Of clients that connect from "
        "now on."}};

template <>
inline constexpr std::string_view about<unix_options> =
  "The file of a Unix socket.";

template <>
inline constexpr auto fields<unix_options> =
  std::tuple{field{&unix_options::mode,
                   "mode",
                   {3, 4, "digits"},
                   reload::hot,
                   "Who may connect: the rights of the file, in octal."}};

} // namespace troupe::config
