// Frames of clients: the examples of RFC 6455, what is refused and with which
// code, and that it does not matter where a read ends.

#include "net/websocket_frames.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/websocket.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <numeric>

using namespace troupe::net;
using namespace troupe::test;

namespace {

using namespace std::string_view_literals;

/// All that a reader says of an input, put together.
struct heard {
  bytes payload;
  bytes last_ping;
  std::size_t pinged = 0; ///< steps with a ping
  std::size_t control_frames = 0;
  unsigned fail = 0;
  std::string reason;
  unsigned closed = 0;
  bytes close_reason;
};

/// One read. On a copy of the exact size, so that the address sanitizer sees
/// each step beyond it.
void feed(websocket_reader& reader, std::string_view in, heard& into) {
  const auto copy = std::make_unique<std::uint8_t[]>(in.size());
  std::copy(in.begin(), in.end(), copy.get());
  const auto step = reader.decode({copy.get(), in.size()});
  BOOST_TEST_REQUIRE(step.consumed == in.size());
  BOOST_TEST_REQUIRE(step.payload <= in.size());
  into.payload.append(reinterpret_cast<const char*>(copy.get()), step.payload);
  into.control_frames += step.control_frames;
  if (step.is_pinged) {
    ++into.pinged;
    into.last_ping = step.ping;
  }
  if (step.fail != websocket_close::none) {
    into.fail = static_cast<unsigned>(step.fail);
    into.reason = step.reason;
  }
  if (step.closed != 0) {
    into.closed = step.closed;
    into.close_reason = step.close_reason;
  }
}

heard hear(std::string_view in, std::uint64_t frame_max = 1'000'000) {
  websocket_reader reader{frame_max};
  heard made;
  feed(reader, in, made);
  return made;
}

/// Bytes that differ from their neighbours, so that a lost one is seen.
bytes counted(std::size_t size) {
  bytes made(size, '\0');
  for (std::size_t i = 0; i != size; ++i)
    made[i] = static_cast<char>(i * 7 + i / 256);
  return made;
}

bytes of(std::span<const std::uint8_t> in) { return {in.begin(), in.end()}; }

void check_equal(const heard& got, const plain_websocket& expected) {
  BOOST_TEST((got.payload == expected.payload));
  BOOST_TEST(got.control_frames == expected.control_frames);
  BOOST_TEST(got.fail == expected.fail);
  BOOST_TEST(got.closed == expected.closed);
  BOOST_TEST(got.close_reason == expected.close_reason);
  BOOST_TEST((got.pinged != 0) == !expected.pings.empty());
  if (!expected.pings.empty())
    BOOST_TEST(got.last_ping == expected.pings.back());
}

/// Fragments with control frames between them, all three kinds of length, and
/// a close at the end.
bytes conversation() {
  return websocket_frame(0x02, "\x10\x0C") + websocket_frame(0x89, "ping 1")
         + websocket_frame(0x00, counted(200), "\x01\x02\x03\x04")
         + websocket_frame(0x8A, "") + websocket_frame(0x89, "")
         + websocket_frame(0x80, "") + websocket_frame(0x82, "")
         + websocket_frame(0x82, counted(65'536), "\xFF\0\xFF\0"sv)
         + websocket_frame(0x89, counted(125)) + websocket_frame(0x82, "end")
         + websocket_close_frame(1'000, "bye \xE2\x82\xAC");
}

} // namespace

BOOST_AUTO_TEST_CASE(rfc6455_5_7_examples_are_read) {
  // A masked message; the RFC's is text, MQTT has binary ones only.
  const auto hello =
    raw({0x82, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58});
  BOOST_TEST(hear(hello).payload == "Hello");
  BOOST_TEST(websocket_frame(0x82, "Hello") == hello);
  // A fragmented one, masked.
  BOOST_TEST(
    hear(websocket_frame(0x02, "Hel") + websocket_frame(0x80, "lo")).payload
    == "Hello");
  // A masked pong and a ping.
  const auto pong =
    raw({0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58});
  BOOST_TEST(hear(pong).control_frames == 1U);
  BOOST_TEST(hear(pong).pinged == 0U);
  const auto ping = hear(websocket_frame(0x89, "Hello"));
  BOOST_TEST(ping.pinged == 1U);
  BOOST_TEST(ping.last_ping == "Hello");
  // 256 bytes and 64 KiB.
  for (const std::size_t size : {256U, 65'536U})
    BOOST_TEST(
      (hear(websocket_frame(0x82, counted(size))).payload == counted(size)));
}

BOOST_AUTO_TEST_CASE(rfc6455_5_7_examples_are_written) {
  BOOST_TEST(of(encode_websocket_header(5).view()) == raw({0x82, 0x05}));
  BOOST_TEST(of(encode_websocket_header(5, true).view()) == raw({0xC2, 0x05}));
  BOOST_TEST(of(encode_websocket_header(125).view()) == raw({0x82, 0x7D}));
  BOOST_TEST(of(encode_websocket_header(126).view())
             == raw({0x82, 0x7E, 0x00, 0x7E}));
  BOOST_TEST(of(encode_websocket_header(256).view())
             == raw({0x82, 0x7E, 0x01, 0x00}));
  BOOST_TEST(of(encode_websocket_header(65'535).view())
             == raw({0x82, 0x7E, 0xFF, 0xFF}));
  BOOST_TEST(of(encode_websocket_header(65'536).view())
             == raw({0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}));
  BOOST_TEST(of(encode_websocket_header(0x0102'0304'0506'0708).view())
             == raw({0x82, 0x7F, 1, 2, 3, 4, 5, 6, 7, 8}));
  BOOST_TEST(of(encode_websocket_ping("Hello").view())
             == raw({0x89, 0x05, 'H', 'e', 'l', 'l', 'o'}));
  BOOST_TEST(of(encode_websocket_pong("Hello").view())
             == raw({0x8A, 0x05, 'H', 'e', 'l', 'l', 'o'}));
}

BOOST_AUTO_TEST_CASE(control_frames_are_written_within_125_bytes) {
  BOOST_TEST(of(encode_websocket_close(websocket_close::no_status).view())
             == raw({0x88, 0x00}));
  BOOST_TEST(of(encode_websocket_close(0).view()) == raw({0x88, 0x00}));
  BOOST_TEST(of(encode_websocket_close(websocket_close::too_big, "no").view())
             == raw({0x88, 0x04, 0x03, 0xF1, 'n', 'o'}));
  BOOST_TEST(of(encode_websocket_close(4'999).view())
             == raw({0x88, 0x02, 0x13, 0x87}));
  BOOST_TEST(of(encode_websocket_close(1'000, counted(200)).view())
             == raw({0x88, 0x7D, 0x03, 0xE8}) + counted(200).substr(0, 123));
  BOOST_TEST(of(encode_websocket_pong(counted(126)).view())
             == raw({0x8A, 0x7D}) + counted(125));
}

BOOST_AUTO_TEST_CASE(payload_comes_to_the_front_of_the_same_bytes) {
  auto in = websocket_frame(0x82, "abc") + websocket_frame(0x89, "?")
            + websocket_frame(0x82, "defgh");
  websocket_reader reader{100};
  auto* at = reinterpret_cast<std::uint8_t*>(in.data());
  const auto step = reader.decode({at, in.size()});
  BOOST_TEST(step.payload == 8U);
  BOOST_TEST(in.substr(0, 8) == "abcdefgh");
  BOOST_TEST(step.ping == "?");
  BOOST_TEST(reader.is_between_messages());
}

BOOST_AUTO_TEST_CASE(unmasking_moves_bytes_of_any_number_by_any_distance) {
  const std::uint8_t mask[] = {0x37, 0xFA, 0x21, 0x3D};
  std::uint32_t as_number = 0;
  std::copy_n(mask, 4, reinterpret_cast<std::uint8_t*>(&as_number));
  for (std::size_t size = 0; size != 150; ++size)
    for (std::size_t distance = 0; distance != 40; ++distance) {
      const auto plain = counted(size);
      std::vector<std::uint8_t> buffer(distance + size);
      for (std::size_t i = 0; i != size; ++i)
        buffer[distance + i] =
          static_cast<std::uint8_t>(plain[i]) ^ mask[i % 4];
      websocket_unmask(buffer.data(), buffer.data() + distance, size,
                       as_number);
      BOOST_TEST_REQUIRE(
        (bytes{buffer.begin(),
               buffer.begin() + static_cast<std::ptrdiff_t>(size)}
         == plain));
    }
}

BOOST_AUTO_TEST_CASE(what_breaks_the_rules_is_closed_with_code_and_reason) {
  const auto header = [](std::initializer_list<int> in) {
    return raw(in) + "\x37\xFA\x21\x3D";
  };
  struct row {
    bytes in;
    unsigned code;
    const char* reason;
  };
  const auto* unmasked = "a frame without a mask";
  const auto* reserved = "a reserved bit is set";
  const auto* opcode = "a reserved opcode";
  const auto* wide = "a length in more bytes than it needs";
  const auto* no_code = "a close frame with a code that is none";
  const auto* no_utf8 = "a close frame whose reason is no UTF-8";
  const row rows[] = {
    {websocket_frame(0x81, "text"), 1'003, "a text frame: MQTT is binary"},
    {websocket_frame(0x01, ""), 1'003, "a text frame: MQTT is binary"},
    {websocket_frame(0x82, "x", ""), 1'002, unmasked},
    {websocket_frame(0x89, "", ""), 1'002, unmasked},
    {websocket_frame(0xC2, "x"), 1'002, reserved}, // nothing negotiated
    {websocket_frame(0xA2, "x"), 1'002, reserved},
    {websocket_frame(0x92, "x"), 1'002, reserved},
    {websocket_frame(0xC9, "x"), 1'002, reserved},
    {websocket_frame(0x83, "x"), 1'002, opcode},
    {websocket_frame(0x87, "x"), 1'002, opcode},
    {websocket_frame(0x8B, "x"), 1'002, opcode},
    {websocket_frame(0x8F, "x"), 1'002, opcode},
    {websocket_frame(0x80, "x"), 1'002, "a continuation of no message"},
    {websocket_frame(0x02, "x") + websocket_frame(0x82, "y"), 1'002,
     "a new message within a message"},
    {websocket_frame(0x09, "x"), 1'002, "a control frame in fragments"},
    {websocket_frame(0x08, ""), 1'002, "a control frame in fragments"},
    {websocket_frame(0x89, counted(126)), 1'002,
     "a control frame of more than 125 bytes"},
    {header({0x82, 0xFE, 0, 125}), 1'002, wide},
    {header({0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}), 1'002, wide},
    {header({0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0}), 1'002,
     "a length with the highest bit set"},
    {header({0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 0}), 1'009,
     "a frame is too large"},
    {websocket_frame(0x88, "\x03"), 1'002, "a close frame with half a code"},
    {websocket_close_frame(0), 1'002, no_code},
    {websocket_close_frame(999), 1'002, no_code},
    {websocket_close_frame(1'004), 1'002, no_code},
    {websocket_close_frame(1'005), 1'002, no_code},
    {websocket_close_frame(1'006), 1'002, no_code},
    {websocket_close_frame(1'015), 1'002, no_code},
    {websocket_close_frame(2'999), 1'002, no_code},
    {websocket_close_frame(5'000), 1'002, no_code},
    {websocket_close_frame(1'000, "\xC3"), 1'007, no_utf8},
    {websocket_close_frame(1'000, "\xED\xA0\x80"), 1'007, no_utf8},
    {websocket_close_frame(1'000, "a\0\xFF"sv), 1'007, no_utf8},
  };
  for (const auto& x : rows) {
    // What comes before it is delivered, what comes behind it is not.
    const auto got = hear(websocket_frame(0x82, "before") + x.in
                          + websocket_frame(0x82, "behind"));
    BOOST_TEST(got.fail == x.code, x.reason);
    BOOST_TEST(got.reason == x.reason);
    BOOST_TEST(got.payload.starts_with("before"));
    BOOST_TEST(got.payload.find("behind") == bytes::npos, x.reason);
    BOOST_TEST(got.closed == 0U);
    // A byte at a time it is the same.
    websocket_reader reader{1'000'000};
    heard slowly;
    for (const auto c : x.in)
      feed(reader, {&c, 1}, slowly);
    BOOST_TEST(slowly.fail == x.code, x.reason);
    BOOST_TEST(slowly.reason == x.reason);
  }
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_too_large_is_refused_by_its_header) {
  const auto header = websocket_frame(0x82, counted(1'001)).substr(0, 4);
  BOOST_TEST(hear(header, 1'001).fail == 0U);
  BOOST_TEST(hear(header, 1'000).fail == 1'009U);
  // Control frames are not data.
  BOOST_TEST(hear(websocket_frame(0x89, counted(125)), 10).pinged == 1U);
}

BOOST_AUTO_TEST_CASE(a_close_ends_what_is_read) {
  struct row {
    bytes in;
    unsigned code;
    const char* reason;
  };
  const row rows[] = {
    {websocket_frame(0x88, ""), 1'005, ""},
    {websocket_close_frame(1'000), 1'000, ""},
    {websocket_close_frame(1'001, "gone"), 1'001, "gone"},
    {websocket_close_frame(1'014), 1'014, ""},
    {websocket_close_frame(3'000), 3'000, ""},
    {websocket_close_frame(4'999, "\xF0\x9F\x98\x80"), 4'999,
     "\xF0\x9F\x98\x80"},
  };
  for (const auto& x : rows) {
    websocket_reader reader{100};
    heard got;
    feed(reader,
         websocket_frame(0x02, "before") + x.in + websocket_frame(0x80, "x"),
         got);
    feed(reader, websocket_frame(0x82, "behind"), got);
    BOOST_TEST(got.closed == x.code);
    BOOST_TEST(got.close_reason == x.reason);
    BOOST_TEST(got.payload == "before");
    BOOST_TEST(got.fail == 0U);
  }
  BOOST_TEST(hear(websocket_close_frame(1'000, "a\0b"sv)).close_reason
             == "a\0b"sv);
}

BOOST_AUTO_TEST_CASE(of_several_pings_the_last_is_answered) {
  const auto got =
    hear(websocket_frame(0x89, "one") + websocket_frame(0x89, "two")
         + websocket_frame(0x8A, "pong")
         + websocket_frame(0x89, "half").substr(0, 8));
  BOOST_TEST(got.last_ping == "two");
  BOOST_TEST(got.control_frames == 3U);
  BOOST_TEST(
    hear(websocket_frame(0x89, "one") + websocket_frame(0x89, "")).last_ping
    == "");
}

BOOST_AUTO_TEST_CASE(every_prefix_is_read_as_far_as_it_goes) {
  const auto whole = conversation();
  for (std::size_t n = 0; n <= whole.size();
       n += n < 600 || n + 300 > whole.size() ? 1 : 997) {
    const auto part = std::string_view{whole}.substr(0, n);
    check_equal(hear(part), decode_plainly(part, 1'000'000));
  }
}

BOOST_AUTO_TEST_CASE(it_does_not_matter_where_a_read_ends) {
  const auto whole = conversation();
  const auto expected = decode_plainly(whole, 1'000'000);
  BOOST_TEST(expected.closed == 1'000U);
  // At each byte of it, and with reads of each size.
  for (std::size_t n = 0; n <= whole.size();
       n += n < 600 || n + 300 > whole.size() ? 1 : 997) {
    websocket_reader reader{1'000'000};
    heard got;
    feed(reader, std::string_view{whole}.substr(0, n), got);
    feed(reader, std::string_view{whole}.substr(n), got);
    check_equal(got, expected);
  }
  for (std::size_t size = 1; size != 40; ++size) {
    websocket_reader reader{1'000'000};
    heard got;
    for (std::size_t at = 0; at < whole.size(); at += size)
      feed(reader, std::string_view{whole}.substr(at, size), got);
    check_equal(got, expected);
  }
}

BOOST_AUTO_TEST_CASE(every_changed_byte_is_read_as_the_plain_decoder_does) {
  const auto whole = websocket_frame(0x02, "\x10\x0C")
                     + websocket_frame(0x89, "p")
                     + websocket_frame(0x80, counted(130))
                     + websocket_close_frame(1'000, "\xC3\xA4");
  for (std::size_t i = 0; i != whole.size(); ++i)
    for (int x = 1; x != 256; ++x) {
      auto changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ x);
      check_equal(hear(changed, 200), decode_plainly(changed, 200));
    }
}

BOOST_AUTO_TEST_CASE(random_frames_in_random_reads_are_what_was_sent) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT(say_seed(seed)) {
    std::mt19937 random{seed};
    for (int round = 0; round != 300; ++round) {
      bytes wire;
      bytes sent;
      bool in_message = false;
      for (int frames = 0; frames != 20; ++frames) {
        const auto mask = u32(static_cast<std::uint32_t>(random()));
        if (random() % 4 == 0) {
          wire += websocket_frame(random() % 2 == 0 ? 0x89 : 0x8A,
                                  counted(random() % 126), mask);
          continue;
        }
        const bool is_final = random() % 2 == 0;
        auto payload = counted(random() % (random() % 8 == 0 ? 70'000 : 200));
        wire += websocket_frame(
          (is_final ? 0x80U : 0U) | (in_message ? 0U : 2U), payload, mask);
        in_message = !is_final;
        sent += payload;
      }
      websocket_reader reader{70'000};
      heard got;
      const auto longest = 1 + random() % (random() % 2 == 0 ? 20 : 20'000);
      for (std::size_t at = 0; at < wire.size();) {
        const auto part =
          std::string_view{wire}.substr(at, 1 + random() % longest);
        feed(reader, part, got);
        at += part.size();
      }
      BOOST_TEST_REQUIRE(got.fail == 0U, got.reason);
      BOOST_TEST_REQUIRE((got.payload == sent));
      BOOST_TEST(reader.is_between_messages() == !in_message);
      check_equal(got, decode_plainly(wire, 70'000));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_reader_and_a_writer_are_small) {
  BOOST_TEST(sizeof(websocket_reader) <= 64U);
  BOOST_TEST(sizeof(websocket_writer) <= 32U);
}

BOOST_AUTO_TEST_CASE(a_writer_knows_what_is_left_of_a_frame) {
  for (const std::size_t size : {1U, 200U, 70'000U})
    for (std::size_t first = 0; first != 14; ++first) {
      const auto payload = counted(size);
      websocket_writer writer;
      BOOST_TEST(writer.is_between_frames());
      BOOST_TEST(writer.header().empty());
      writer.begin(size);
      bytes wire;
      std::size_t at = 0;
      std::size_t step = first;
      while (!writer.is_between_frames()) {
        const auto all = of(writer.header()) + payload.substr(at);
        BOOST_TEST_REQUIRE(writer.owed() == size - at);
        step = std::min(step, all.size());
        wire += all.substr(0, step);
        at += writer.wrote(step);
        step = 3 + step * 2;
      }
      BOOST_TEST(at == size);
      BOOST_TEST((wire == websocket_frame(0x82, payload, "")));
    }
}

BOOST_AUTO_TEST_CASE(with_compression_a_step_ends_with_its_message) {
  auto in = websocket_frame(0x42, "one") + websocket_frame(0x89, "!")
            + websocket_frame(0x80, "two") + websocket_frame(0x82, "plain")
            + websocket_frame(0xC2, "three").substr(0, 8);
  websocket_reader reader{100, true};
  std::span<std::uint8_t> left{reinterpret_cast<std::uint8_t*>(in.data()),
                               in.size()};
  const auto next = [&] {
    const auto step = reader.decode(left);
    const bytes payload = of(left.first(step.payload));
    left = left.subspan(step.consumed);
    return std::make_pair(step, payload);
  };
  auto got = next();
  BOOST_TEST(got.second == "onetwo");
  BOOST_TEST(got.first.is_compressed);
  BOOST_TEST(got.first.is_message_end);
  BOOST_TEST(got.first.is_pinged);
  got = next();
  BOOST_TEST(got.second == "plain");
  BOOST_TEST(!got.first.is_compressed);
  BOOST_TEST(got.first.is_message_end);
  got = next();
  BOOST_TEST(got.second == "th");
  BOOST_TEST(got.first.is_compressed);
  BOOST_TEST(!got.first.is_message_end);
  BOOST_TEST(left.empty());
  // RSV1 belongs to the first frame of a message alone (RFC 7692 section 6.1).
  websocket_reader other{100, true};
  heard refused;
  feed(other, websocket_frame(0x42, "x").substr(0, 7), refused);
  feed(other, websocket_frame(0xC0, "y"), refused);
  BOOST_TEST(refused.fail == 1'002U);
}
