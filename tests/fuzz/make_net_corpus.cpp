// Writes the seeds of the fuzzers of what comes before MQTT below the folder
// given: PROXY headers, WebSocket frames and requests.

#include "net/websocket_deflate.hpp"
#include "tests/support/proxy_header.hpp"
#include "tests/support/websocket.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace {

using namespace troupe::test;

void write(const std::filesystem::path& path, const bytes& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out{path, std::ios::binary};
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}

void write_proxy(const std::filesystem::path& folder) {
  const auto v4 =
    proxy_addresses(raw({192, 0, 2, 1}), raw({198, 51, 100, 2}), 56'324, 1'883);
  const auto v6 = proxy_addresses(bytes(16, '\x20'), bytes(16, '\x30'), 1, 2);
  const auto tls =
    proxy_ssl(7, 0, proxy_tlv(0x21, "TLSv1.3") + proxy_tlv(0x22, "name"));
  write(folder / "v1_tcp4", proxy_v1("TCP4", "192.0.2.1", "10.0.0.1", 1, 2));
  write(folder / "v1_tcp6", proxy_v1("TCP6", "2001:db8::7", "::1", 1, 2));
  write(folder / "v1_unknown", "PROXY UNKNOWN\r\n");
  write(folder / "v2_local", proxy_v2(0x20, 0x00, ""));
  write(folder / "v2_tcp4", proxy_v2(0x21, 0x11, v4) + "\x10\x0C");
  write(folder / "v2_tcp6",
        proxy_v2(0x21, 0x21, v6 + proxy_tlv(0x02, "mqtt.example")));
  write(folder / "v2_unix", proxy_v2(0x21, 0x31, bytes(216, 'u') + tls));
  write(folder / "v2_checked", proxy_v2_checked(0x21, 0x11, v4 + tls));
}

/// See `fuzz_websocket.cpp`: reads and compression, then frames.
void write_frames(const std::filesystem::path& folder) {
  const auto hello = raw({0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00});
  write(folder / "binary", u8(0) + websocket_frame(0x82, "\x10\x0C"));
  write(folder / "length_16", u8(100) + websocket_frame(0x82, bytes(300, 'x')));
  write(folder / "length_64",
        u8(0) + websocket_frame(0x82, bytes(65'536, 'x')));
  write(folder / "fragments",
        u8(6) + websocket_frame(0x02, "Hel") + websocket_frame(0x89, "ping")
          + websocket_frame(0x00, "") + websocket_frame(0x8A, "")
          + websocket_frame(0x80, "lo"));
  write(folder / "close", u8(2) + websocket_close_frame(1'000, "\xE2\x82\xAC"));
  write(folder / "close_empty", u8(0) + websocket_frame(0x88, ""));
  write(folder / "text", u8(0) + websocket_frame(0x81, "text"));
  write(folder / "deflated",
        u8(1) + websocket_frame(0xC2, hello) + websocket_frame(0x82, "plain")
          + websocket_frame(0x42, hello.substr(0, 3))
          + websocket_frame(0x89, "") + websocket_frame(0x80, hello.substr(3)));
  write(folder / "deflated_stored",
        u8(1)
          + websocket_frame(
            0xC2, raw({0, 5, 0, 0xFA, 0xFF, 'H', 'e', 'l', 'l', 'o', 0})));
}

/// See `fuzz_websocket_inflate.cpp`: two sizes, then a compressed message.
void write_compressed(const std::filesystem::path& folder) {
  const auto sizes = u8(2) + u8(20);
  const auto hello = raw({0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00});
  write(folder / "fixed", sizes + hello);
  write(folder / "last_block", sizes + "\xF3" + hello.substr(1) + u8(0));
  write(folder / "stored",
        sizes + raw({0, 5, 0, 0xFA, 0xFF, 'H', 'e', 'l', 'l', 'o', 0}));
  write(folder / "two_blocks", sizes + raw({0xF2, 0x48, 5, 0, 0, 0, 0xFF, 0xFF})
                                 + "\xCA" + hello.substr(3));
  // Codes of its own, and distances beyond the room: the bench's readings.
  std::vector<std::uint8_t> table;
  troupe::net::websocket_deflater deflater;
  for (unsigned i = 0; i != 60; ++i) {
    const auto text = "{\"outlet\":" + std::to_string(i * 7'919) + "}";
    deflater.add(
      {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, table);
  }
  deflater.finish(table);
  write(folder / "table", sizes + bytes{table.begin(), table.end()});
}

/// See `fuzz_websocket_handshake.cpp`: settings, then a request.
void write_requests(const std::filesystem::path& folder) {
  const bytes begin = "GET /mqtt?x HTTP/1.1\r\nHost: a.example\r\n"
                      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                      "Sec-WebSocket-Version: 13\r\n";
  const bytes protocol = "Sec-WebSocket-Protocol: amqp, mqtt\r\n";
  write(folder / "plain", u8(0) + begin + protocol + "\r\n\x82");
  write(folder / "no_protocol", u8(1) + begin + "\r\n");
  write(folder / "origin",
        u8(12) + begin + protocol + "Origin: https://a.example\r\n\r\n");
  write(folder / "deflate",
        u8(0) + begin + protocol
          + "Sec-WebSocket-Extensions: permessage-deflate; "
            "server_max_window_bits=10, permessage-deflate; "
            "client_max_window_bits=\"15\"\r\n\r\n");
  write(folder / "post",
        u8(0) + "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
  write(folder / "old", u8(0) + "GET http://a/mqtt HTTP/1.0\r\n\r\n");
  write(folder / "mqtt", u8(0) + "\x10\x0C");
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("make_net_corpus <folder>\n", stderr);
    return 1;
  }
  const std::filesystem::path folder = argv[1];
  write_proxy(folder / "fuzz_proxy");
  write_frames(folder / "fuzz_websocket");
  write_compressed(folder / "fuzz_websocket_inflate");
  write_requests(folder / "fuzz_websocket_handshake");
  return 0;
}
