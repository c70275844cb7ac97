#include "server/listeners.hpp"

#include "net/tls_context.hpp"
#include "net/websocket_handshake.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <stdexcept>

namespace troupe::server {

namespace {

std::string text_of(const config::address& x) {
  const bool v6 = x.host.find(':') != std::string::npos;
  const auto host = x.host.empty() ? "0.0.0.0" : x.host;
  return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(x.port);
}

actors::rate_limit rate_of(const std::optional<config::rate>& x,
                           std::uint64_t burst) {
  if (!x)
    return {};
  return {x->count, x->per, burst};
}

std::string path_below(const std::string& directory, const std::string& path) {
  return path.starts_with('/') ? path : directory + '/' + path;
}

net::tls_options tls_of(const config::ssl_options& x) {
  net::tls_options to;
  to.certificate_file = x.certfile;
  to.key_file = x.keyfile;
  to.key_password = x.password;
  to.sni_directory = x.sni_dir;
  to.ca_file = x.cacertfile;
  to.crl_file = x.crlfile;
  to.ask_client = x.verify == config::verify_mode::verify_peer;
  to.require_client = to.ask_client && x.fail_if_no_peer_cert;
  to.depth = x.depth;
  to.lowest = static_cast<net::tls_version>(x.min_version);
  to.highest = static_cast<net::tls_version>(x.max_version);
  to.ciphers = x.ciphers;
  to.cipher_suites = x.ciphersuites;
  to.groups = x.groups;
  to.server_chooses = x.honor_cipher_order;
  to.psk_file = x.psk_file;
  to.resumption = x.session_tickets;
  to.ticket_lifetime =
    std::chrono::duration_cast<std::chrono::seconds>(x.ticket_lifetime);
  to.ocsp_file = x.ocsp_file;
  return to;
}

/// @param front  of a Control Packet, its fixed header wholly.
std::size_t packet_size(std::span<const std::uint8_t> front) {
  std::size_t size = 0;
  std::size_t at = 1;
  for (unsigned shift = 0; at < front.size(); shift += 7) {
    const auto digit = front[at++];
    size |= std::size_t{digit & 127U} << shift;
    if (digit < 128)
      break;
  }
  return at + size;
}

std::shared_ptr<const net::websocket_settings>
websocket_of(const config::websocket& x) {
  net::websocket_settings to;
  to.path = x.path;
  to.subprotocols = x.subprotocols.texts;
  to.fail_if_no_subprotocol = x.fail_if_no_subprotocol;
  to.origins = x.allow_origins.texts;
  to.allow_missing_origin = x.allow_origin_absence;
  to.compress = x.compress;
  if (x.mqtt_piggyback == config::piggyback::single)
    to.message_size = packet_size;
  return std::make_shared<const net::websocket_settings>(std::move(to));
}

template <config::listener_kind K>
actors::listener_options options_of(const std::string& name,
                                    const config::listener<K>& x,
                                    const std::string& directory) {
  actors::listener_options to;
  to.kind = static_cast<actors::listener_kind>(K);
  to.name = name;
  if constexpr (K == config::listener_kind::local)
    to.bind = path_below(directory, x.bind);
  else
    to.bind = text_of(x.bind);
  to.max_connections = x.max_connections.value_or(0);
  to.max_conn_rate = rate_of(x.max_conn_rate, x.max_conn_burst);
  to.messages_rate = rate_of(x.messages_rate, x.messages_burst);
  if (x.bytes_rate)
    to.bytes_rate = {x.bytes_rate->bytes.count, x.bytes_rate->per,
                     x.bytes_burst.count};
  auto& limits = to.limits;
  if (x.max_packet_size)
    limits.max_packet_size =
      static_cast<std::uint32_t>(x.max_packet_size->count);
  limits.max_inflight = x.max_inflight;
  limits.receive_maximum = x.receive_maximum;
  limits.max_qos_allowed = x.max_qos_allowed;
  limits.retain_available = x.retain_available;
  limits.wildcard_subscription = x.wildcard_subscription;
  limits.shared_subscription = x.shared_subscription;
  if (x.max_subscriptions)
    limits.max_subscriptions = *x.max_subscriptions;
  const auto speaks = [&](std::string_view version) {
    return std::find(x.versions.texts.begin(), x.versions.texts.end(), version)
           != x.versions.texts.end();
  };
  to.versions = {speaks("3.1"), speaks("3.1.1"), speaks("5.0")};
  to.mountpoint = x.mountpoint;
  to.authentication = x.enable_authn;
  to.authorization = x.enable_authz;
  to.proxy_protocol = x.proxy_protocol;
  to.proxy_protocol_timeout = x.proxy_protocol_timeout;
  to.backlog = static_cast<int>(x.backlog);
  to.nodelay = x.nodelay;
  to.send_timeout = x.send_timeout.value_or(std::chrono::hours{24 * 365});
  to.output_high_watermark = x.high_watermark.count;
  return to;
}

} // namespace

std::vector<actors::listener_options>
listeners_of(const config::settings& from,
             const std::vector<actors::listener_options>& before) {
  std::vector<actors::listener_options> all;
  std::string problems;
  config::for_each_kind(from.listeners, [&](auto kind, const auto& of_kind) {
    for (const auto& [name, x] : of_kind) {
      if (!x.common.enable)
        continue;
      auto one = options_of<kind()>(name, x.common, from.node.data_dir);
      if constexpr (kind == config::listener_kind::ssl
                    || kind == config::listener_kind::wss) {
        one.handshake_timeout = x.ssl.handshake_timeout;
        one.username_from =
          static_cast<actors::certificate_part>(x.ssl.peer_cert_as_username);
        one.clientid_from =
          static_cast<actors::certificate_part>(x.ssl.peer_cert_as_clientid);
        const auto known =
          std::find_if(before.begin(), before.end(),
                       [&](const auto& b) { return b.id() == one.id(); });
        try {
          one.tls = std::make_shared<net::tls_context>(
            tls_of(x.ssl), one.id(),
            known == before.end() ? nullptr : known->tls.get());
          if (const auto& url = x.ssl.ocsp_responder_url; !url.empty()) {
            if (!http_place::parse(url))
              throw net::tls_error("ocsp.responder_url = \"" + url
                                   + "\" is not http://host[:port]/path");
            one.tls->ocsp_request(); // can it be asked at all?
          }
        } catch (const net::tls_error& e) {
          problems += (problems.empty() ? "" : "\n")
                      + config::listener_section(kind, name)
                      + ".ssl_options: " + e.what();
        }
      }
      if constexpr (kind == config::listener_kind::ws
                    || kind == config::listener_kind::wss)
        one.websocket = websocket_of(x.ws);
      if constexpr (kind == config::listener_kind::local)
        one.mode =
          static_cast<unsigned>(std::strtoul(x.local.mode.c_str(), nullptr, 8));
      all.push_back(std::move(one));
    }
  });
  if (!problems.empty())
    throw std::runtime_error(problems);
  return all;
}

std::vector<ocsp_stapler::job>
ocsp_jobs_of(const config::settings& from,
             const std::vector<actors::listener_options>& listeners) {
  std::vector<ocsp_stapler::job> all;
  config::for_each_kind(from.listeners, [&](auto kind, const auto& of_kind) {
    for (const auto& [name, x] : of_kind) {
      const auto place = http_place::parse(x.ssl.ocsp_responder_url);
      const auto id = config::listener_id(kind, name);
      const auto at = std::find_if(listeners.begin(), listeners.end(),
                                   [&](const auto& l) { return l.id() == id; });
      if (place && at != listeners.end() && at->tls)
        all.push_back({id, at->tls, *place, x.ssl.ocsp_refresh_interval,
                       x.ssl.ocsp_timeout});
    }
  });
  return all;
}

} // namespace troupe::server
