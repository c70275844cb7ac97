#include "net/websocket_handshake.hpp"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace troupe::net {

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using request = http::request<http::empty_body>;

/// @param headers  lines, each with its CR LF.
websocket_answer refuse(int status, std::string_view phrase, std::string reason,
                        std::string_view headers = {}) {
  websocket_answer made;
  made.status = status;
  made.response = "HTTP/1.1 " + std::to_string(status) + ' ';
  made.response.append(phrase).append("\r\n").append(headers);
  if (headers.find("Connection:") == std::string_view::npos)
    made.response += "Connection: close\r\n";
  made.response += "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Length: "
                   + std::to_string(reason.size() + 1) + "\r\n\r\n" + reason
                   + '\n';
  made.reason = std::move(reason);
  return made;
}

websocket_answer bad_request(std::string reason) {
  return refuse(400, "Bad Request", std::move(reason));
}

websocket_answer upgrade_required(std::string reason) {
  // RFC 9110 15.5.22: with the protocol that is wanted, a hop-by-hop header.
  return refuse(426, "Upgrade Required", std::move(reason),
                "Upgrade: websocket\r\nConnection: close, Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\n");
}

/// Where the header ends.
struct header_end {
  std::size_t size = 0;    ///< with its empty line, 0: not there
  bool is_damaged = false; ///< a line ends without CR
};

header_end find_header_end(std::string_view in) {
  std::size_t line = 0;
  for (;;) {
    const auto at = in.find('\n', line);
    if (at == std::string_view::npos)
      return {};
    if (at == 0 || in[at - 1] != '\r')
      return {.is_damaged = true};
    if (at == line + 1)
      return {.size = at + 1};
    line = at + 1;
  }
}

/// Whether one of the fields of this name lists the token.
bool lists(const request& in, http::field name, beast::string_view token) {
  const auto [first, last] = in.equal_range(name);
  return std::any_of(first, last, [&](const auto& field) {
    return http::token_list{field.value()}.exists(token);
  });
}

/// 4.1: 16 bytes in base64.
bool is_key(std::string_view text) {
  constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return text.size() == 24 && text.ends_with("==")
         && text.substr(0, 22).find_first_not_of(digits)
              == std::string_view::npos;
}

/// Sec-WebSocket-Accept (4.2.2): SHA-1 of key and GUID, in base64.
std::string accept_value(std::string_view key) {
  std::string text{key};
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(),
             nullptr);
  std::array<unsigned char, EVP_MAX_MD_SIZE * 2> encoded{};
  const auto written =
    EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
  return {encoded.begin(), encoded.begin() + written};
}

/// The target without query, and without scheme and host if it has them.
std::string_view path_of(std::string_view target) {
  for (const std::string_view scheme :
       {"http://", "https://", "ws://", "wss://"})
    if (target.starts_with(scheme)) {
      target.remove_prefix(scheme.size());
      target.remove_prefix(std::min(target.find('/'), target.size()));
      break;
    }
  return target.substr(0, target.find('?'));
}

/// The first that the client names and that is allowed; empty: none.
std::string choose_subprotocol(const request& in,
                               const std::vector<std::string>& allowed) {
  const auto [first, last] =
    in.equal_range(http::field::sec_websocket_protocol);
  for (auto field = first; field != last; ++field)
    for (const std::string_view name : http::token_list{field->value()})
      if (std::find(allowed.begin(), allowed.end(), name) != allowed.end())
        return std::string{name};
  return {};
}

/// 8 to 15 (RFC 7692 7.1.2).
std::optional<int> window_bits(std::string_view text) {
  if (text.size() == 1 && text[0] >= '8' && text[0] <= '9')
    return text[0] - '0';
  if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5')
    return 10 + text[1] - '0';
  return std::nullopt;
}

/// Takes the text up to the next separator outside of quotes off the front,
/// without spaces around it. (Beast's `ext_list` gives an offer without
/// parameters those of the offer before it.)
std::string_view next_part(std::string_view& in, char separator) {
  bool in_quotes = false;
  std::size_t size = 0;
  for (; size != in.size() && (in_quotes || in[size] != separator); ++size)
    in_quotes ^= in[size] == '"';
  auto part = in.substr(0, size);
  in.remove_prefix(std::min(in.size(), size + 1));
  const auto first = std::min(part.find_first_not_of(" \t"), part.size());
  part.remove_prefix(first);
  return part.substr(0, part.find_last_not_of(" \t") + 1);
}

/// The answer to an offer with these parameters; empty: declined.
std::string agree_to(std::string_view parameters) {
  std::string answer = "permessage-deflate; server_no_context_takeover; "
                       "client_no_context_takeover";
  std::vector<std::string_view> seen;
  while (!parameters.empty()) {
    auto value = next_part(parameters, ';');
    const auto name = next_part(value, '=');
    if (value.size() > 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    if (std::find(seen.begin(), seen.end(), name) != seen.end())
      return {};
    seen.push_back(name);
    if (name == "server_no_context_takeover"
        || name == "client_no_context_takeover") {
      if (!value.empty())
        return {};
    } else if (name == "client_max_window_bits") {
      if (!value.empty() && !window_bits(value)) // any window can be read
        return {};
    } else if (name == "server_max_window_bits") {
      if (window_bits(value) != 15) // one deflater serves all clients
        return {};
      answer += "; server_max_window_bits=15";
    } else {
      return {};
    }
  }
  return answer;
}

std::string choose_compression(const request& in) {
  const auto [first, last] =
    in.equal_range(http::field::sec_websocket_extensions);
  for (auto field = first; field != last; ++field) {
    std::string_view offers = field->value();
    while (!offers.empty()) {
      auto offer = next_part(offers, ',');
      if (next_part(offer, ';') == "permessage-deflate")
        if (auto answer = agree_to(offer); !answer.empty())
          return answer;
    }
  }
  return {};
}

/// @returns a refusal if this is no opening handshake (4.2.1).
std::optional<websocket_answer> check_upgrade(const request& in) {
  if (in.version() < 11)
    return bad_request("WebSocket begins with HTTP/1.1");
  if (in.count(http::field::host) != 1)
    return bad_request("the Host header is missing or there twice");
  if (!lists(in, http::field::upgrade, "websocket"))
    return upgrade_required(
      "this is a WebSocket: the Upgrade header does not say so");
  if (!lists(in, http::field::connection, "upgrade"))
    return bad_request("the Connection header does not name Upgrade");
  if (in[http::field::sec_websocket_version] != "13"
      || in.count(http::field::sec_websocket_version) != 1)
    return upgrade_required("Sec-WebSocket-Version is not 13");
  if (in.count(http::field::sec_websocket_key) != 1
      || !is_key(in[http::field::sec_websocket_key]))
    return bad_request("Sec-WebSocket-Key is not 16 bytes in base64");
  return std::nullopt;
}

std::optional<websocket_answer>
check_origin(const request& in, const websocket_settings& settings) {
  if (settings.origins.empty())
    return std::nullopt;
  const auto count = in.count(http::field::origin);
  if (count == 0 && settings.allow_missing_origin)
    return std::nullopt;
  const auto& allowed = settings.origins;
  if (count == 1
      && std::find(allowed.begin(), allowed.end(),
                   std::string_view{in[http::field::origin]})
           != allowed.end())
    return std::nullopt;
  return refuse(403, "Forbidden",
                count == 0 ? "the Origin header is missing"
                           : "pages of this origin may not connect here");
}

websocket_answer answer(const request& in, const websocket_settings& settings) {
  if (in.method() != http::verb::get)
    return refuse(405, "Method Not Allowed", "the method is not GET",
                  "Allow: GET\r\n");
  if (path_of(in.target()) != settings.path)
    return refuse(404, "Not Found",
                  "there is nothing at this path: MQTT is at " + settings.path);
  if (auto refused = check_upgrade(in))
    return std::move(*refused);
  if (auto refused = check_origin(in, settings))
    return std::move(*refused);
  websocket_answer made;
  made.subprotocol = choose_subprotocol(in, settings.subprotocols);
  if (made.subprotocol.empty() && settings.fail_if_no_subprotocol)
    return bad_request(
      in.count(http::field::sec_websocket_protocol) == 0
        ? "the Sec-WebSocket-Protocol header is missing: ask for mqtt"
        : "none of the subprotocols offered is spoken here: ask for mqtt");
  made.status = 101;
  made.response = "HTTP/1.1 101 Switching Protocols\r\n"
                  "Upgrade: websocket\r\n"
                  "Connection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: "
                  + accept_value(in[http::field::sec_websocket_key]) + "\r\n";
  if (!made.subprotocol.empty())
    made.response += "Sec-WebSocket-Protocol: " + made.subprotocol + "\r\n";
  if (settings.compress)
    if (const auto agreed = choose_compression(in); !agreed.empty()) {
      made.is_deflated = true;
      made.response += "Sec-WebSocket-Extensions: " + agreed + "\r\n";
    }
  made.response += "\r\n";
  return made;
}

} // namespace

websocket_answer websocket_accept(std::span<const std::uint8_t> in,
                                  const websocket_settings& settings) {
  const std::string_view text{reinterpret_cast<const char*>(in.data()),
                              in.size()};
  if (text.empty())
    return {};
  if (text[0] < 'A' || text[0] > 'Z') // MQTT or TLS, most of the time
    return bad_request("this is no HTTP request");
  const auto end = find_header_end(text.substr(0, websocket_request_max));
  if (end.is_damaged)
    return bad_request("this is no HTTP request: a line ends without CR");
  if (end.size == 0)
    return text.size() < websocket_request_max
             ? websocket_answer{}
             : refuse(431, "Request Header Fields Too Large",
                      "the request has more than 8192 bytes");
  http::request_parser<http::empty_body> parser;
  parser.header_limit(websocket_request_max);
  beast::error_code error;
  parser.put(boost::asio::buffer(text.data(), end.size), error);
  if (error && error != http::error::need_more)
    return bad_request("this is no HTTP request: " + error.message());
  if (!parser.is_header_done())
    return bad_request("this is no HTTP request: its header is damaged");
  if (parser.chunked() || parser.content_length().value_or(0) != 0)
    return bad_request("a WebSocket handshake has no body");
  auto made = answer(parser.get(), settings);
  made.consumed = end.size;
  return made;
}

} // namespace troupe::net
