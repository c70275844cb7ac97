// WebSocket on sockets: pieces of any size, full buffers, closing, floods.

#include "net/websocket_deflate.hpp"
#include "tests/net/websocket_wire.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/websocket.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

#include <algorithm>
#include <random>

using namespace troupe::net;
using namespace troupe::test;
namespace data = boost::unit_test::data;

namespace {

const auto with_and_without_tls = data::make({false, true});

bytes random_bytes(std::mt19937& random, std::size_t size) {
  bytes made(size, '\0');
  for (auto& x : made)
    x = static_cast<char>(random());
  return made;
}

/// A connection's output: it is offered until all of it was taken.
struct writing {
  bytes all;
  std::size_t done = 0;

  /// @returns false once the socket is full.
  bool some(websocket_stream& to, std::mt19937& random) {
    if (to.wants_flush() && !to.flush())
      return false;
    std::vector<iovec> parts;
    for (auto at = done; at != all.size() && parts.size() < 256;) {
      const auto size =
        std::min<std::size_t>(all.size() - at, 1 + random() % 40'000);
      parts.push_back({all.data() + at, size});
      at += size;
    }
    if (parts.empty())
      return false;
    const auto n = to.write(parts);
    if (n < 0) {
      BOOST_REQUIRE(errno == EAGAIN);
      return false;
    }
    done += static_cast<std::size_t>(n);
    return true;
  }
};

bytes closing(unsigned code, std::string_view reason = "") {
  return u16(code) + bytes{reason};
}

} // namespace

BOOST_AUTO_TEST_SUITE(websocket_stream_suite)

BOOST_DATA_TEST_CASE(a_handshake_may_come_in_pieces_of_any_size,
                     with_and_without_tls, tls) {
  const auto whole =
    wire::request() + websocket_frame(0x82, "behind the request");
  for (std::size_t cut = 1; cut < whole.size(); cut += tls ? 13 : 1) {
    wire x{tls};
    x.send(whole.substr(0, cut));
    BOOST_TEST_REQUIRE(x.read_all() == -1);
    x.send(whole.substr(cut));
    BOOST_TEST_REQUIRE(x.read_all() == -1);
    BOOST_TEST(errno == EAGAIN);
    BOOST_TEST(x.server().established());
    BOOST_TEST(x.got == "behind the request");
    BOOST_TEST(x.receive().starts_with("HTTP/1.1 101 "));
  }
}

BOOST_DATA_TEST_CASE(data_is_the_same_however_it_is_cut, with_and_without_tls,
                     tls) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT(say_seed(seed)) {
    std::mt19937 random{seed};
    for (int round = 0; round < 50; ++round) {
      wire x{tls};
      x.open();
      bytes sent;
      bytes frames;
      for (int i = 0; i < 20; ++i) {
        const auto body = random_bytes(random, random() % 300);
        sent += body;
        frames += websocket_frame(0x82, body);
        if (random() % 4 == 0)
          frames += websocket_frame(0x89, "ping");
      }
      const auto room = 1 + random() % 600;
      for (std::size_t at = 0; at < frames.size();) {
        const auto size = 1 + random() % 500;
        x.send(std::string_view{frames}.substr(at, size));
        at += size;
        BOOST_TEST_REQUIRE(x.read_all(room) == -1);
        BOOST_TEST_REQUIRE(errno == EAGAIN);
      }
      BOOST_TEST((x.got == sent));
      server_frames answers;
      answers.take(x.receive());
      for (const auto& [opcode, body] : answers.control) {
        BOOST_TEST(opcode == 0x0AU);
        BOOST_TEST(body == "ping");
      }
    }
  }
}

BOOST_DATA_TEST_CASE(what_is_written_arrives_whatever_the_socket_takes,
                     with_and_without_tls, tls) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT(say_seed(seed)) {
    std::mt19937 random{seed};
    for (int round = 0; round < 20; ++round) {
      wire x{tls, {}, 4'608};
      x.open();
      writing out{random_bytes(random, random() % 400'000)};
      server_frames answers;
      std::size_t pings = 0;
      while (out.done != out.all.size() || x.server().wants_flush()) {
        while (out.some(x.server(), random)) {
        }
        if (random() % 8 == 0) { // answered between two frames
          x.send(websocket_frame(0x89, std::to_string(++pings)));
          BOOST_TEST_REQUIRE(x.read_all() == -1);
          BOOST_TEST_REQUIRE(errno == EAGAIN);
        }
        answers.take(x.receive(1 + random() % 20'000));
      }
      answers.take(x.receive());
      BOOST_TEST((answers.data == out.all));
      BOOST_TEST(answers.rest.empty());
      BOOST_TEST(answers.control.size() <= pings);
      if (pings != 0) {
        BOOST_TEST_REQUIRE(!answers.control.empty());
        BOOST_TEST(answers.control.back().second == std::to_string(pings));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_written_at_once_leaves_in_one_frame) {
  wire x{false};
  x.open();
  bytes one = "first ";
  bytes two = "second";
  const std::array<iovec, 3> parts{iovec{one.data(), one.size()},
                                   iovec{nullptr, 0},
                                   iovec{two.data(), two.size()}};
  BOOST_TEST(x.server().write(parts) == 12);
  BOOST_TEST((x.receive() == bytes{"\x82\x0C"} + "first second"));
}

BOOST_AUTO_TEST_CASE(frames_are_of_a_size_that_all_clients_take) {
  wire x{false};
  x.open();
  bytes large(150'000, 'x');
  const iovec part{large.data(), large.size()};
  BOOST_TEST(x.server().write({&part, 1}) == 150'000);
  server_frames answers;
  answers.take(x.receive());
  BOOST_TEST(answers.count == 3U);
  BOOST_TEST((answers.data == large));
}

BOOST_AUTO_TEST_CASE(each_message_may_have_a_frame_of_its_own) {
  // A message is its length in two bytes and that many more.
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT(say_seed(seed)) {
    std::mt19937 random{seed};
    websocket_settings settings;
    settings.message_size = [](std::span<const std::uint8_t> front) {
      return 2 + (std::size_t{front[0]} << 8U | front[1]);
    };
    for (const bool compress : {false, true}) {
      settings.compress = compress;
      wire x{false, settings, 4'608};
      x.open(compress ? "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                      : "");
      writing out;
      constexpr std::size_t count = 300;
      for (std::size_t i = 0; i != count; ++i) {
        const auto size = random() % (i % 50 == 0 ? 60'000 : 300);
        out.all += u16(static_cast<unsigned>(size)) + bytes(size, 'x');
      }
      server_frames answers;
      while (out.done != out.all.size() || x.server().wants_flush()) {
        while (out.some(x.server(), random)) {
        }
        answers.take(x.receive(1 + random() % 20'000));
      }
      answers.take(x.receive());
      BOOST_TEST(answers.count == count);
      BOOST_TEST(answers.compressed == compress);
      if (!compress)
        BOOST_TEST((answers.data == out.all));
    }
  }
}

BOOST_AUTO_TEST_CASE(after_a_short_read_the_socket_is_not_asked_again) {
  wire x{false};
  x.open();
  std::array<std::uint8_t, 256> buffer;
  x.server().begin_reading(false);
  x.send(websocket_frame(0x82, "one"));
  BOOST_TEST(x.server().read(buffer) == 3);
  x.send(websocket_frame(0x82, "two"));
  BOOST_TEST(x.server().read(buffer) == -1);
  BOOST_TEST(errno == EAGAIN);
  x.server().begin_reading(false);
  BOOST_TEST(x.server().read(buffer) == 3);
}

BOOST_AUTO_TEST_CASE(after_the_other_side_has_ended_it_is_read_to_its_end) {
  wire x{false};
  x.open();
  std::array<std::uint8_t, 256> buffer;
  x.send(websocket_frame(0x82, "last"));
  x.leave();
  x.server().begin_reading(true);
  BOOST_TEST(x.server().read(buffer) == 4);
  BOOST_TEST(x.server().read(buffer) == 0);
}

BOOST_DATA_TEST_CASE(a_close_of_the_client_is_answered_after_its_data,
                     with_and_without_tls, tls) {
  wire x{tls};
  x.open();
  x.send(websocket_frame(0x82, "last") + websocket_close_frame(1'001, "bye"));
  BOOST_TEST(x.read() == 4);
  BOOST_TEST(x.server().has_more());
  BOOST_TEST(x.read() == 0);
  server_frames answers;
  answers.take(x.receive());
  BOOST_TEST_REQUIRE(answers.control.size() == 1U);
  BOOST_TEST((answers.control[0] == std::pair{8U, closing(1'001)}));
  // Nothing may follow it.
  bytes more = "more";
  const iovec part{more.data(), more.size()};
  BOOST_TEST(x.server().write({&part, 1}) == -1);
  BOOST_TEST(errno == EPIPE);
  x.server().end(true);
  BOOST_TEST(x.read() == 0);
  BOOST_TEST(x.receive().empty());
}

BOOST_AUTO_TEST_CASE(a_close_without_a_code_is_answered_without_one) {
  wire x{false};
  x.open();
  x.send(websocket_frame(0x88, ""));
  BOOST_TEST(x.read() == 0);
  BOOST_TEST((x.receive() == raw({0x88, 0x00})));
}

BOOST_DATA_TEST_CASE(the_end_is_said_once, with_and_without_tls, tls) {
  wire x{tls};
  x.open();
  x.server().end(true);
  x.server().end(true);
  server_frames answers;
  answers.take(x.receive());
  BOOST_TEST_REQUIRE(answers.control.size() == 1U);
  BOOST_TEST((answers.control[0] == std::pair{8U, closing(1'000)}));
}

BOOST_AUTO_TEST_CASE(in_the_middle_of_a_frame_nothing_else_is_said) {
  wire x{false, {}, 4'608};
  x.open();
  bytes large(60'000, 'x');
  const iovec part{large.data(), large.size()};
  BOOST_TEST(x.server().write({&part, 1}) < 60'000);
  x.send(websocket_frame(0x89, "?"));
  BOOST_TEST(x.read() == -1);
  BOOST_TEST(!x.server().wants_flush());
  x.server().end(true);
  server_frames answers;
  answers.take(x.receive());
  BOOST_TEST(answers.control.empty());
}

BOOST_DATA_TEST_CASE(a_mistake_is_told_after_what_came_before_it,
                     with_and_without_tls, tls) {
  wire x{tls};
  x.open();
  x.send(websocket_frame(0x82, "good") + websocket_frame(0x81, "text")
         + websocket_frame(0x82, "too late"));
  BOOST_TEST(x.read() == 4);
  BOOST_TEST(x.got == "good");
  BOOST_TEST(x.read() == -1);
  BOOST_TEST(errno == EPROTO);
  BOOST_TEST(x.server().trouble() == "a text frame: MQTT is binary");
  server_frames answers;
  answers.take(x.receive());
  BOOST_TEST_REQUIRE(answers.control.size() == 1U);
  BOOST_TEST((answers.control[0]
              == std::pair{8U, closing(1'003, "a text frame: MQTT is "
                                              "binary")}));
  BOOST_TEST(x.read() == -1); // it stays so
  BOOST_TEST(errno == EPROTO);
  BOOST_TEST(x.got == "good");
}

BOOST_AUTO_TEST_CASE(more_frames_without_data_than_anybody_needs_are_refused) {
  for (const auto& frame :
       {websocket_frame(0x89, ""), websocket_frame(0x8A, "x"),
        websocket_frame(0x82, "")}) {
    wire x{false};
    x.open();
    for (std::uint32_t i = 0; i < websocket_idle_frames_max; ++i) {
      x.send(frame);
      BOOST_TEST_REQUIRE(x.read() == -1);
      BOOST_TEST_REQUIRE(errno == EAGAIN);
      x.receive();
    }
    x.send(frame);
    BOOST_TEST(x.read() == -1);
    BOOST_TEST(errno == EPROTO);
    server_frames answers;
    answers.take(x.receive());
    BOOST_TEST_REQUIRE(!answers.control.empty());
    BOOST_TEST(answers.control.back().second.substr(0, 2) == closing(1'008));
  }
}

BOOST_AUTO_TEST_CASE(pongs_do_not_pile_up_for_a_client_that_does_not_read) {
  wire x{false, {}, 4'608};
  x.open();
  int sent = 0;
  while (!x.server().wants_flush()) {
    BOOST_TEST_REQUIRE(sent < 900);
    x.send(websocket_frame(0x89, bytes(100, 'a') + std::to_string(++sent)));
    x.read();
  }
  for (int i = 0; i < 50; ++i) {
    x.send(websocket_frame(0x89, bytes(100, 'a') + std::to_string(++sent)));
    x.read();
  }
  server_frames answers;
  answers.take(x.receive());
  while (x.server().wants_flush()) {
    x.server().flush();
    answers.take(x.receive());
  }
  BOOST_TEST(answers.control.size() < static_cast<std::size_t>(sent) - 40);
  BOOST_TEST(answers.control.back().second
             == bytes(100, 'a') + std::to_string(sent));
}

BOOST_DATA_TEST_CASE(a_refusal_is_answered_before_the_end, with_and_without_tls,
                     tls) {
  websocket_settings settings;
  settings.path = "/elsewhere";
  wire x{tls, settings};
  x.send(wire::request());
  BOOST_TEST(x.read() == -1);
  BOOST_TEST(errno == EPROTO);
  BOOST_TEST(!x.server().established());
  BOOST_TEST(x.server().trouble().find("/elsewhere") != std::string_view::npos);
  x.server().end(false);
  BOOST_TEST(x.receive().starts_with("HTTP/1.1 404 "));
  BOOST_TEST(x.read() == -1);
  BOOST_TEST(errno == EPROTO);
}

BOOST_AUTO_TEST_CASE(a_request_without_end_is_refused) {
  wire x{false};
  x.send("GET /mqtt HTTP/1.1\r\nHost: b\r\n");
  ssize_t got = -1;
  for (int i = 0; i < 100 && errno != EPROTO; ++i) {
    x.send("X-Header: " + bytes(200, 'x') + "\r\n");
    got = x.read();
    BOOST_TEST_REQUIRE(got == -1);
  }
  BOOST_TEST(errno == EPROTO);
  BOOST_TEST(x.receive().starts_with("HTTP/1.1 431 "));
}

BOOST_AUTO_TEST_CASE(who_leaves_during_the_handshake_failed) {
  wire x{false};
  x.send("GET /mqtt HTT");
  x.leave();
  BOOST_TEST(x.read() == -1); // a short read: the end is told later
  x.server().begin_reading(true);
  BOOST_TEST(x.read() == -1);
  BOOST_TEST(errno == EPROTO);
  BOOST_TEST(x.server().trouble() == "the client left during the handshake");
}

BOOST_DATA_TEST_CASE(compressed_messages_go_both_ways, with_and_without_tls,
                     tls) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT(say_seed(seed)) {
    std::mt19937 random{seed};
    websocket_settings settings;
    settings.compress = true;
    wire x{tls, settings, 4'608};
    x.open("Sec-WebSocket-Extensions: permessage-deflate\r\n");
    // From the client: compressed and plain ones in turn, in pieces.
    bytes sent;
    bytes frames;
    websocket_deflater deflater;
    for (int i = 0; i < 30; ++i) {
      bytes body(random() % 90'000, static_cast<char>('a' + i % 26));
      if (i % 3 == 0)
        body = random_bytes(random, random() % 500);
      sent += body;
      if (i % 5 == 4) {
        frames += websocket_frame(0x82, body);
        continue;
      }
      std::vector<std::uint8_t> small;
      deflater.add(
        {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()},
        small);
      deflater.finish(small);
      frames += websocket_frame(
        0xC2, {reinterpret_cast<const char*>(small.data()), small.size()});
      frames += websocket_frame(0x89, "ping");
    }
    for (std::size_t at = 0; at < frames.size();) {
      const auto size = 1 + random() % 3'000;
      x.send(std::string_view{frames}.substr(at, size));
      at += size;
      BOOST_TEST_REQUIRE(x.read_all(1 + random() % 9'000) == -1);
      BOOST_TEST_REQUIRE(errno == EAGAIN);
      x.receive();
    }
    BOOST_TEST((x.got == sent));
    // To the client.
    writing out{bytes(200'000, 'x') + random_bytes(random, 100'000)};
    bytes raw_bytes;
    while (out.done != out.all.size() || x.server().wants_flush()) {
      while (out.some(x.server(), random)) {
      }
      raw_bytes += x.receive(5'000);
    }
    raw_bytes += x.receive();
    // Each frame is a message that is inflated by itself.
    bytes back;
    std::string_view left = raw_bytes;
    websocket_inflater inflater{1U << 30U};
    while (!left.empty()) {
      const auto at = [&](std::size_t i) {
        return static_cast<unsigned char>(left[i]);
      };
      std::size_t size = at(1);
      std::size_t head = 2;
      if (size >= 126) {
        head += size == 126 ? 2 : 8;
        size = 0;
        for (std::size_t i = 2; i != head; ++i)
          size = size << 8U | at(i);
      }
      const auto first = at(0);
      auto body = left.substr(head, size);
      left.remove_prefix(head + size);
      if (first == 0x8A)
        continue; // a pong that waited
      BOOST_TEST_REQUIRE(first == 0xC2);
      for (bool done = false; !done;) {
        std::array<std::uint8_t, 8'192> room;
        const auto step = inflater.inflate(
          {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()},
          true, room);
        BOOST_TEST_REQUIRE((step.fail == websocket_close::none));
        body.remove_prefix(step.consumed);
        back.append(reinterpret_cast<const char*>(room.data()), step.produced);
        done = step.is_done;
      }
    }
    BOOST_TEST((back == out.all));
    BOOST_TEST(raw_bytes.size() < 150'000U);
  }
}

BOOST_AUTO_TEST_CASE(compressed_data_without_content_has_an_end) {
  websocket_settings settings;
  settings.compress = true;
  wire x{false, settings};
  x.open("Sec-WebSocket-Extensions: permessage-deflate\r\n");
  bytes empty_blocks; // stored, of no bytes (RFC 1951, 3.2.4)
  for (int i = 0; i < 24'000; ++i)
    empty_blocks += bytes{"\0\0\0\xff\xff", 5};
  x.send(websocket_frame(0xC2, empty_blocks));
  BOOST_TEST(x.read_all() == -1);
  BOOST_TEST(errno == EPROTO);
  BOOST_TEST(x.got.empty());
  BOOST_TEST(x.server().trouble() == "compressed data without content");
}

BOOST_AUTO_TEST_CASE(an_idle_one_is_small) {
  BOOST_TEST(sizeof(websocket_stream) <= 208U);
}

BOOST_AUTO_TEST_SUITE_END()
