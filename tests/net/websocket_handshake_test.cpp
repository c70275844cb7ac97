// The request with which a WebSocket begins: the RFC's example, what listeners
// set, and each refusal.

#include "net/websocket_handshake.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>

using namespace troupe::net;
using namespace troupe::test;

namespace {

using lines = std::vector<std::string>;

/// A request in which nothing is wrong.
lines good() {
  return {"GET /mqtt HTTP/1.1",
          "Host: broker.example:8083",
          "Upgrade: websocket",
          "Connection: Upgrade",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Protocol: mqtt"};
}

/// The line of this header replaced, removed (empty) or added.
lines with(lines in, std::string_view header, const std::string& line) {
  const auto at = std::find_if(
    in.begin(), in.end(), [&](const auto& x) { return x.starts_with(header); });
  if (at == in.end())
    in.push_back(line);
  else if (line.empty())
    in.erase(at);
  else
    *at = line;
  return in;
}

std::string text_of(const lines& in) {
  std::string out;
  for (const auto& x : in)
    out += x + "\r\n";
  return out + "\r\n";
}

websocket_answer ask(std::string_view in,
                     const websocket_settings& settings = {}) {
  const auto copy = std::make_unique<std::uint8_t[]>(in.size());
  std::copy(in.begin(), in.end(), copy.get());
  return websocket_accept({copy.get(), in.size()}, settings);
}

websocket_answer ask(const lines& in, const websocket_settings& settings = {}) {
  return ask(text_of(in), settings);
}

/// A refusal is a whole HTTP response that says why and ends the connection.
void check_refused(const websocket_answer& got, int status,
                   const std::string& reason) {
  BOOST_TEST(got.status == status, got.status << ' ' << got.reason);
  BOOST_TEST(got.reason == reason);
  BOOST_TEST(!got.is_accepted());
  BOOST_TEST(
    got.response.starts_with("HTTP/1.1 " + std::to_string(status) + ' '));
  BOOST_TEST(got.response.find("\r\nConnection: close") != std::string::npos);
  BOOST_TEST(got.response.find("\r\nContent-Length: "
                               + std::to_string(reason.size() + 1) + "\r\n")
             != std::string::npos);
  BOOST_TEST(got.response.ends_with("\r\n\r\n" + reason + '\n'));
}

} // namespace

BOOST_AUTO_TEST_CASE(rfc6455_1_3_the_example_is_accepted) {
  const auto text = text_of(good());
  const auto got = ask(text + "\x82\x80");
  BOOST_TEST(got.is_accepted());
  BOOST_TEST(got.consumed == text.size());
  BOOST_TEST(got.subprotocol == "mqtt");
  BOOST_TEST(!got.is_deflated);
  BOOST_TEST(got.response
             == "HTTP/1.1 101 Switching Protocols\r\n"
                "Upgrade: websocket\r\n"
                "Connection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                "Sec-WebSocket-Protocol: mqtt\r\n"
                "\r\n");
}

BOOST_AUTO_TEST_CASE(headers_of_browsers_and_proxies_are_accepted) {
  const lines variants[] = {
    with(good(), "GET", "GET /mqtt?token=1/2 HTTP/1.1"),
    with(good(), "GET", "GET http://broker.example:8083/mqtt HTTP/1.1"),
    with(good(), "GET", "GET wss://broker.example/mqtt?x HTTP/1.1"),
    with(good(), "Upgrade", "upgrade: h2c, WebSocket"),
    with(good(), "Connection", "connection: keep-alive, upgrade"),
    with(good(), "Content-Length", "Content-Length: 0"),
    with(good(), "Cookie", "Cookie: a=" + std::string(4'000, 'x')),
    with(good(), "X-Forwarded-For", "X-Forwarded-For: 192.0.2.1"),
    with(good(), "Origin", "Origin: https://anything.example"),
  };
  for (const auto& x : variants) {
    const auto got = ask(x);
    BOOST_TEST(got.is_accepted(), got.reason);
  }
}

BOOST_AUTO_TEST_CASE(the_first_subprotocol_offered_that_is_allowed_is_chosen) {
  const auto offer = [](const std::string& names) {
    return with(good(), "Sec-WebSocket-Protocol",
                "Sec-WebSocket-Protocol: " + names);
  };
  BOOST_TEST(ask(offer("amqp, mqttv3.1,mqtt")).subprotocol == "mqttv3.1");
  BOOST_TEST(ask(offer("mqtt, mqttv3.1")).subprotocol == "mqtt");
  for (const auto* name : {"mqtt-v3", "mqtt-v3.1.1", "mqtt-v5"})
    BOOST_TEST(ask(offer(name)).subprotocol == name);
  // In several headers.
  auto twice = offer("amqp");
  twice.push_back("Sec-WebSocket-Protocol: mqtt-v5");
  BOOST_TEST(ask(twice).subprotocol == "mqtt-v5");
  // By setting.
  websocket_settings settings;
  settings.subprotocols = {"other"};
  BOOST_TEST(ask(offer("mqtt, other"), settings).subprotocol == "other");
  settings.fail_if_no_subprotocol = false;
  for (const auto& x :
       {offer("mqtt"), with(good(), "Sec-WebSocket-Protocol", "")}) {
    const auto got = ask(x, settings);
    BOOST_TEST(got.is_accepted());
    BOOST_TEST(got.subprotocol == "");
    BOOST_TEST(got.response.find("Protocol:") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(each_refusal_says_what_is_wrong) {
  const std::string not_key = "Sec-WebSocket-Key is not 16 bytes in base64";
  const std::string no_http = "this is no HTTP request";
  struct row {
    lines in;
    int status;
    std::string reason;
  };
  const auto plus = [](const std::string& line) {
    auto made = good();
    made.push_back(line);
    return made;
  };
  const row rows[] = {
    {with(good(), "GET", "POST /mqtt HTTP/1.1"), 405, "the method is not GET"},
    {with(good(), "GET", "HEAD /mqtt HTTP/1.1"), 405, "the method is not GET"},
    {with(good(), "GET", "GET / HTTP/1.1"), 404,
     "there is nothing at this path: MQTT is at /mqtt"},
    {with(good(), "GET", "GET /mqtt/ HTTP/1.1"), 404,
     "there is nothing at this path: MQTT is at /mqtt"},
    {with(good(), "GET", "GET /MQTT HTTP/1.1"), 404,
     "there is nothing at this path: MQTT is at /mqtt"},
    {with(good(), "GET", "GET http://mqtt HTTP/1.1"), 404,
     "there is nothing at this path: MQTT is at /mqtt"},
    {with(good(), "GET", "GET /mqtt HTTP/1.0"), 400,
     "WebSocket begins with HTTP/1.1"},
    {with(good(), "Host", ""), 400,
     "the Host header is missing or there twice"},
    {plus("Host: other"), 400, "the Host header is missing or there twice"},
    {with(good(), "Upgrade", ""), 426,
     "this is a WebSocket: the Upgrade header does not say so"},
    {with(good(), "Upgrade", "Upgrade: h2c"), 426,
     "this is a WebSocket: the Upgrade header does not say so"},
    {with(good(), "Connection", ""), 400,
     "the Connection header does not name Upgrade"},
    {with(good(), "Connection", "Connection: close"), 400,
     "the Connection header does not name Upgrade"},
    {with(good(), "Sec-WebSocket-Version", ""), 426,
     "Sec-WebSocket-Version is not 13"},
    {with(good(), "Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), 426,
     "Sec-WebSocket-Version is not 13"},
    {plus("Sec-WebSocket-Version: 13"), 426, "Sec-WebSocket-Version is not 13"},
    {with(good(), "Sec-WebSocket-Key", ""), 400, not_key},
    {with(good(), "Sec-WebSocket-Key", "Sec-WebSocket-Key: eA=="), 400,
     not_key},
    {with(good(), "Sec-WebSocket-Key",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q=="),
     400, not_key},
    {with(good(), "Sec-WebSocket-Key",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA"),
     400, not_key},
    {plus("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, not_key},
    {with(good(), "Sec-WebSocket-Protocol", ""), 400,
     "the Sec-WebSocket-Protocol header is missing: ask for mqtt"},
    {with(good(), "Sec-WebSocket-Protocol",
          "Sec-WebSocket-Protocol: MQTT, "
          "amqp"),
     400, "none of the subprotocols offered is spoken here: ask for mqtt"},
    {plus("Content-Length: 1"), 400, "a WebSocket handshake has no body"},
    {plus("Transfer-Encoding: chunked"), 400,
     "a WebSocket handshake has no body"},
    {with(good(), "GET", "GET /mqtt"), 400, no_http + ": bad target"},
    {with(good(), "GET", "GET /mqtt HTTQ/1.1"), 400, no_http + ": bad version"},
    {with(good(), "GET", "GET /mq\x01tt HTTP/1.1"), 400,
     no_http + ": bad target"},
    {plus("no header"), 400, no_http + ": bad field"},
    {plus("Content-Length: x"), 400, no_http + ": bad Content-Length"},
  };
  for (const auto& x : rows) {
    BOOST_TEST_INFO(text_of(x.in));
    check_refused(ask(x.in), x.status, x.reason);
  }
  BOOST_TEST(ask(with(good(), "GET", "PUT / HTTP/1.1"))
               .response.find("\r\nAllow: GET\r\n")
             != std::string::npos);
  const auto old =
    ask(with(good(), "Sec-WebSocket-Version", "Sec-WebSocket-Version: 7"));
  BOOST_TEST(old.response.find("\r\nSec-WebSocket-Version: 13\r\n")
             != std::string::npos);
  BOOST_TEST(old.response.find("\r\nUpgrade: websocket\r\n")
             != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_http_is_refused_with_its_first_bytes) {
  check_refused(ask("\x10"), 400, "this is no HTTP request");     // MQTT
  check_refused(ask("\x16\x03"), 400, "this is no HTTP request"); // TLS
  check_refused(ask("GET /mqtt HTTP/1.1\n"), 400,
                "this is no HTTP request: a line ends without CR");
  check_refused(ask("GET /mqtt HTTP/1.1\r\nHost: x\n"), 400,
                "this is no HTTP request: a line ends without CR");
}

BOOST_AUTO_TEST_CASE(a_request_of_more_than_8192_bytes_is_refused) {
  const auto cookie = [](std::size_t size) {
    return text_of(with(good(), "Cookie", "Cookie: " + std::string(size, 'x')));
  };
  const auto rest = cookie(0).size();
  BOOST_TEST(ask(cookie(8'192 - rest)).is_accepted());
  const auto* reason = "the request has more than 8192 bytes";
  check_refused(ask(cookie(8'193 - rest)), 431, reason);
  // Without waiting for its end.
  check_refused(ask("GET /" + std::string(8'187, 'x')), 431, reason);
  BOOST_TEST(ask("GET /" + std::string(8'186, 'x')).needs_more());
}

BOOST_AUTO_TEST_CASE(origins_are_checked_when_they_are_set) {
  const auto from = [](const std::string& origin) {
    return with(good(), "Origin", "Origin: " + origin);
  };
  websocket_settings settings;
  settings.origins = {"https://a.example", "https://b.example:444"};
  BOOST_TEST(ask(from("https://a.example"), settings).is_accepted());
  BOOST_TEST(ask(from("https://b.example:444"), settings).is_accepted());
  BOOST_TEST(ask(good(), settings).is_accepted()); // no browser
  for (const auto* other :
       {"http://a.example", "https://a.example:444", "https://a.example/",
        "https://A.example", "https://a.example.evil.example", "null"})
    check_refused(ask(from(other), settings), 403,
                  "pages of this origin may not connect here");
  auto twice = from("https://a.example");
  twice.push_back("Origin: https://a.example");
  check_refused(ask(twice, settings), 403,
                "pages of this origin may not connect here");
  settings.allow_missing_origin = false;
  check_refused(ask(good(), settings), 403, "the Origin header is missing");
  BOOST_TEST(ask(from("https://a.example"), settings).is_accepted());
}

BOOST_AUTO_TEST_CASE(compression_is_agreed_to_only_where_it_can_be_kept) {
  struct row {
    const char* offer;
    bool is_taken;
    const char* more = ""; ///< at the end of the answer
  };
  const row rows[] = {
    {"permessage-deflate", true},
    {"permessage-deflate; client_max_window_bits", true},
    {"permessage-deflate; client_max_window_bits=8", true},
    {"permessage-deflate; client_max_window_bits=\"15\"", true},
    {"permessage-deflate; server_no_context_takeover; "
     "client_no_context_takeover",
     true},
    {"permessage-deflate; server_max_window_bits=15", true,
     "; server_max_window_bits=15"},
    {"permessage-deflate; server_max_window_bits=10", false},
    // The second offer of the same.
    {"permessage-deflate; server_max_window_bits=10, permessage-deflate", true},
    {"x; a, permessage-deflate", true},
    {"x; a=\"1,permessage-deflate\"", false},
    {"permessage-deflate ;\tserver_max_window_bits=15 ", true,
     "; server_max_window_bits=15"},
    {"permessage-deflate; server_max_window_bits = 15", false},
    {"x-webkit-deflate-frame, permessage-deflate", true},
    {"x-webkit-deflate-frame", false},
    {"permessage-deflate; server_max_window_bits", false},
    {"permessage-deflate; client_max_window_bits=7", false},
    {"permessage-deflate; client_max_window_bits=16", false},
    {"permessage-deflate; client_max_window_bits=08", false},
    {"permessage-deflate; client_no_context_takeover=1", false},
    {"permessage-deflate; server_no_context_takeover; "
     "server_no_context_takeover",
     false},
    {"permessage-deflate; unknown", false},
  };
  for (const auto& x : rows) {
    const auto in = with(good(), "Sec-WebSocket-Extensions",
                         std::string{"Sec-WebSocket-Extensions: "} + x.offer);
    const auto off = ask(in);
    BOOST_TEST(off.is_accepted());
    BOOST_TEST(!off.is_deflated);
    BOOST_TEST(off.response.find("Extensions") == std::string::npos);
    websocket_settings settings;
    settings.compress = true;
    const auto got = ask(in, settings);
    BOOST_TEST(got.is_accepted());
    BOOST_TEST(got.is_deflated == x.is_taken, x.offer);
    const auto answer = std::string{"\r\nSec-WebSocket-Extensions: "
                                    "permessage-deflate; "
                                    "server_no_context_takeover; "
                                    "client_no_context_takeover"}
                        + x.more + "\r\n";
    BOOST_TEST((got.response.find(answer) != std::string::npos) == x.is_taken,
               x.offer);
  }
}

BOOST_AUTO_TEST_CASE(every_prefix_of_a_request_needs_more) {
  const auto whole = text_of(good());
  for (std::size_t n = 0; n != whole.size(); ++n) {
    const auto got = ask(whole.substr(0, n));
    BOOST_TEST_REQUIRE(got.needs_more(), n);
    BOOST_TEST(got.response == "");
  }
}

BOOST_AUTO_TEST_CASE(a_changed_byte_is_accepted_or_refused_with_a_reason) {
  const auto whole = text_of(good());
  for (std::size_t i = 0; i != whole.size(); ++i)
    for (int x = 1; x != 256; ++x) {
      auto changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ x);
      const auto got = ask(changed);
      if (got.needs_more()) // no end left
        BOOST_TEST(i + 4 >= whole.size());
      else if (!got.is_accepted())
        BOOST_TEST(got.reason != "");
      BOOST_TEST(got.consumed <= changed.size());
    }
}
