// MQTT over WebSocket (section 6), for both versions.

#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"
#include "tests/support/websocket.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace troupe::test;

namespace {

broker& with_websocket() {
  return broker_with({"listeners.ws.default.bind=127.0.0.1:0"});
}

/// A WebSocket to the broker: bytes of frames go out, data and close frames
/// come in.
class web_client {
public:
  explicit web_client(std::string_view subprotocols = "mqtt") {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(with_websocket().port_of("ws:default"));
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    sockaddr generic{};
    std::memcpy(&generic, &address, sizeof generic);
    BOOST_REQUIRE(::connect(socket_, &generic, sizeof generic) == 0);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    send("GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\n"
         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
         "Sec-WebSocket-Protocol: "
         + bytes{subprotocols} + "\r\n\r\n");
    while (head.find("\r\n\r\n") == bytes::npos && fill())
      head = input_;
    const auto end = head.find("\r\n\r\n");
    BOOST_REQUIRE(end != bytes::npos);
    input_ = head.substr(end + 4);
    head.resize(end + 2);
  }
  ~web_client() { ::close(socket_); }
  web_client(const web_client&) = delete;
  web_client& operator=(const web_client&) = delete;

  bytes head; ///< of the answer to the handshake

  void send(std::string_view what) {
    while (!what.empty()) {
      const auto n = ::send(socket_, what.data(), what.size(), MSG_NOSIGNAL);
      if (n <= 0)
        return; // the server has closed: what it said is read
      what.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// The next frame: its first byte and its payload; "" at the end.
  bytes frame() {
    for (;;) {
      std::size_t head_size = 2;
      if (input_.size() >= head_size) {
        const auto at = [&](std::size_t i) {
          return static_cast<unsigned char>(input_[i]);
        };
        std::size_t size = at(1);
        BOOST_REQUIRE(size < 126); // nothing here is longer
        if (input_.size() >= head_size + size) {
          auto got = input_.substr(0, 1) + input_.substr(2, size);
          input_.erase(0, head_size + size);
          return got;
        }
      }
      if (!fill())
        return {};
    }
  }
  /// MQTT bytes until there are `size`, from however many frames.
  bytes data(std::size_t size) {
    while (data_.size() < size) {
      const auto next = frame();
      BOOST_REQUIRE(!next.empty());
      BOOST_TEST(next.substr(0, 1) == raw({0x82})); // binary
      data_ += next.substr(1);
    }
    auto got = data_.substr(0, size);
    data_.erase(0, size);
    return got;
  }

private:
  bool fill() {
    pollfd what{socket_, POLLIN, 0};
    if (::poll(&what, 1, static_cast<int>(patience.count())) != 1)
      throw unexpected{"the server says nothing"};
    char buffer[4'096];
    const auto n = ::recv(socket_, buffer, sizeof buffer, 0);
    if (n <= 0)
      return false;
    input_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  int socket_ = -1;
  bytes input_;
  bytes data_;
};

bytes connect_of(version v) {
  connect_options o;
  o.client_id = unique("web");
  return connect(v, o);
}

/// CONNACK with code 0 has its size in its second byte.
void expect_connack(web_client& x) {
  const auto start = x.data(2);
  BOOST_TEST(start[0] == '\x20');
  x.data(static_cast<std::size_t>(start[1]));
}

void text_frames_end_the_connection(version v) {
  web_client x;
  x.send(websocket_frame(0x82, connect_of(v)));
  expect_connack(x);
  x.send(websocket_frame(0x81, pingreq()));
  const auto close = x.frame();
  BOOST_TEST(close.substr(0, 3) == raw({0x88}) + u16(1'003));
  BOOST_TEST(x.frame().empty());
}

void a_text_frame_instead_of_connect_ends_the_connection(version v) {
  web_client x;
  x.send(websocket_frame(0x81, connect_of(v)));
  BOOST_TEST(x.frame().substr(0, 3) == raw({0x88}) + u16(1'003));
  BOOST_TEST(x.frame().empty());
}

void packets_may_share_a_frame(version v) {
  web_client x;
  x.send(websocket_frame(0x82, connect_of(v) + pingreq() + pingreq()));
  expect_connack(x);
  BOOST_TEST(x.data(4) == raw({0xD0, 0x00, 0xD0, 0x00}));
}

void packets_may_span_frames(version v) {
  const auto all = connect_of(v) + pingreq();
  web_client x;
  for (const char one : all)
    x.send(websocket_frame(0x82, {&one, 1}));
  expect_connack(x);
  BOOST_TEST(x.data(2) == raw({0xD0, 0x00}));
  // Likewise in fragments of one message, an empty one among them.
  x.send(websocket_frame(0x02, pingreq().substr(0, 1))
         + websocket_frame(0x00, "")
         + websocket_frame(0x80, pingreq().substr(1)));
  BOOST_TEST(x.data(2) == raw({0xD0, 0x00}));
}

void the_answer_selects_mqtt() {
  web_client x{"mqtt"};
  BOOST_TEST(x.head.starts_with("HTTP/1.1 101 "));
  BOOST_TEST(x.head.find("Sec-WebSocket-Protocol: mqtt\r\n") != bytes::npos);
  web_client among{"chat, mqtt"};
  BOOST_TEST(among.head.find("Sec-WebSocket-Protocol: mqtt\r\n")
             != bytes::npos);
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt31_websocket_the_answer_selects_mqttv3_1) {
  web_client x{"mqttv3.1"};
  BOOST_TEST(x.head.find("Sec-WebSocket-Protocol: mqttv3.1\r\n")
             != bytes::npos);
  x.send(websocket_frame(0x82, connect_of(version::mqtt31)));
  expect_connack(x);
}

BOOST_AUTO_TEST_CASE(mqtt5_6_0_0_1_a_text_frame_ends_the_connection) {
  text_frames_end_the_connection(version::mqtt5);
}

BOOST_AUTO_TEST_CASE(mqtt311_6_0_0_1_a_text_frame_ends_the_connection) {
  text_frames_end_the_connection(version::mqtt311);
}

BOOST_AUTO_TEST_CASE(mqtt5_6_0_0_1_a_text_frame_is_no_connect) {
  a_text_frame_instead_of_connect_ends_the_connection(version::mqtt5);
}

BOOST_AUTO_TEST_CASE(mqtt311_6_0_0_1_a_text_frame_is_no_connect) {
  a_text_frame_instead_of_connect_ends_the_connection(version::mqtt311);
}

BOOST_AUTO_TEST_CASE(mqtt5_6_0_0_2_packets_may_share_a_frame) {
  packets_may_share_a_frame(version::mqtt5);
}

BOOST_AUTO_TEST_CASE(mqtt311_6_0_0_2_packets_may_share_a_frame) {
  packets_may_share_a_frame(version::mqtt311);
}

BOOST_AUTO_TEST_CASE(mqtt5_6_0_0_2_packets_may_span_frames) {
  packets_may_span_frames(version::mqtt5);
}

BOOST_AUTO_TEST_CASE(mqtt311_6_0_0_2_packets_may_span_frames) {
  packets_may_span_frames(version::mqtt311);
}

BOOST_AUTO_TEST_CASE(mqtt5_6_0_0_4_the_answer_selects_mqtt) {
  the_answer_selects_mqtt();
}

BOOST_AUTO_TEST_CASE(mqtt311_6_0_0_4_the_answer_selects_mqtt) {
  the_answer_selects_mqtt();
}
