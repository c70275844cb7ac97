// permessage-deflate: the examples of RFC 7692, round trips in pieces of any
// size, and what is refused.

#include "net/websocket_deflate.hpp"
#include "tests/support/bytes.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace troupe::net;
using namespace troupe::test;

namespace {

using octets = std::vector<std::uint8_t>;

struct inflated {
  bytes payload;
  unsigned fail = 0;
  std::string reason;
};

/// A whole message, with reads of `in_size` and room of `out_size` bytes.
inflated inflate(websocket_inflater& with, std::string_view in,
                 std::size_t in_size = 1'000'000,
                 std::size_t out_size = 1'000'000) {
  inflated made;
  octets room(out_size);
  do {
    const auto part = in.substr(0, in_size);
    in.remove_prefix(part.size());
    octets copy(part.begin(), part.end());
    std::span<const std::uint8_t> left{copy};
    for (;;) {
      const auto step = with.inflate(left, in.empty(), room);
      if (step.fail != websocket_close::none) {
        made.fail = static_cast<unsigned>(step.fail);
        made.reason = step.reason;
        return made;
      }
      BOOST_TEST_REQUIRE(step.produced <= room.size());
      made.payload.append(room.begin(),
                          room.begin()
                            + static_cast<std::ptrdiff_t>(step.produced));
      left = left.subspan(step.consumed);
      if (step.is_done)
        break;
      BOOST_TEST_REQUIRE(step.produced + step.consumed != 0U);
    }
    BOOST_TEST_REQUIRE(left.empty());
  } while (!in.empty());
  return made;
}

inflated inflate(std::string_view in, std::uint64_t message_max = 1'000'000) {
  websocket_inflater with{message_max};
  return inflate(with, in);
}

bytes deflate(websocket_deflater& with, std::string_view in,
              std::size_t piece = 1'000'000) {
  octets out;
  while (!in.empty()) {
    const auto part = in.substr(0, piece);
    in.remove_prefix(part.size());
    const octets copy(part.begin(), part.end());
    with.add(copy, out);
  }
  with.finish(out);
  return {out.begin(), out.end()};
}

} // namespace

BOOST_AUTO_TEST_CASE(rfc7692_7_2_3_examples_are_inflated) {
  const auto hello = raw({0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00});
  BOOST_TEST(inflate(hello).payload == "Hello"); // 7.2.3.1
  BOOST_TEST(inflate(raw({0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C,
                          0x6F, 0x00}))
               .payload
             == "Hello"); // 7.2.3.3: a block that is not compressed
  BOOST_TEST(
    inflate(raw({0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00})).payload
    == "Hello"); // 7.2.3.4: a block that says that it is the last one
  BOOST_TEST(inflate(raw({0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA,
                          0xC9, 0xC9, 0x07, 0x00}))
               .payload
             == "Hello");                         // 7.2.3.5: two blocks
  BOOST_TEST(inflate(raw({0x00})).payload == ""); // 7.2.3.6: nothing
  BOOST_TEST(inflate(raw({0x00})).fail == 0U);
}

BOOST_AUTO_TEST_CASE(a_message_does_not_refer_to_the_one_before) {
  websocket_deflater deflater;
  const auto first = deflate(deflater, "Hello");
  BOOST_TEST(first == raw({0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00}));
  BOOST_TEST(deflate(deflater, "Hello") == first);
  BOOST_TEST(deflate(deflater, "") == raw({0x00}));
  // 7.2.3.2: with context takeover, which was not agreed to.
  websocket_inflater inflater{100};
  BOOST_TEST(inflate(inflater, first).payload == "Hello");
  const auto refused = inflate(inflater, raw({0xF2, 0x00, 0x11, 0x00, 0x00}));
  BOOST_TEST(refused.fail == 1'007U);
  BOOST_TEST(refused.reason == "compressed data is damaged");
}

BOOST_AUTO_TEST_CASE(damaged_data_is_refused) {
  const auto* damaged = "compressed data is damaged";
  const auto* within = "a compressed message ends within a block";
  const auto* behind = "compressed data goes on behind its end";
  struct row {
    bytes in;
    const char* reason;
  };
  const row rows[] = {
    {raw({0x07}), damaged}, // a block of no type
    {raw({0x00, 0x05, 0x00, 0x00, 0x00, 0x48}), damaged},
    {raw({0xF2, 0x48}), within},
    {"", within},
    {raw({0x00, 0x50, 0x00, 0xAF, 0xFF, 0x48}), within},
    {raw({0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00, 0x00, 0x01}), behind},
  };
  for (const auto& x : rows) {
    const auto got = inflate(x.in);
    BOOST_TEST(got.fail == 1'007U, hex(x.in));
    BOOST_TEST(got.reason == x.reason, hex(x.in) << ' ' << got.reason);
  }
}

BOOST_AUTO_TEST_CASE(a_message_that_inflates_to_too_much_is_refused) {
  websocket_deflater deflater;
  const auto bomb = deflate(deflater, bytes(1'000'000, '\0'));
  BOOST_TEST(bomb.size() < 2'000U);
  BOOST_TEST(inflate(bomb, 1'000'000).payload.size() == 1'000'000U);
  const auto got = inflate(bomb, 999'999);
  BOOST_TEST(got.fail == 1'009U);
  BOOST_TEST(got.reason == "a message is too large inflated");
  // By pieces, no more than is allowed has been handed out before.
  websocket_inflater inflater{1'000};
  octets room(600);
  const octets in(bomb.begin(), bomb.end());
  auto step = inflater.inflate(in, true, room);
  BOOST_TEST(step.produced == 600U);
  BOOST_TEST(!step.is_done);
  step = inflater.inflate(std::span{in}.subspan(step.consumed), true, room);
  BOOST_TEST((step.fail == websocket_close::too_big));
}

BOOST_AUTO_TEST_CASE(pieces_of_any_size_come_to_the_same) {
  websocket_deflater deflater;
  bytes text;
  for (int i = 0; i != 400; ++i)
    text += "outlet/" + std::to_string(i * 37) + "/cash ";
  const auto small = deflate(deflater, text);
  BOOST_TEST(small.size() < text.size() / 3);
  websocket_inflater inflater{text.size()};
  for (const std::size_t size : {1U, 2U, 3U, 7U, 100U, 5'000U}) {
    BOOST_TEST(inflate(inflater, small, size, 10'000).payload == text);
    BOOST_TEST(inflate(inflater, small, 10'000, size).payload == text);
    BOOST_TEST(inflate(inflater, small, size, size).payload == text);
    // Room that is filled to its last byte.
    BOOST_TEST(inflate(inflater, small, size, text.size()).payload == text);
    inflater.rest();
    const auto other = deflate(deflater, text, size);
    BOOST_TEST(inflate(inflater, other).payload == text);
  }
}

BOOST_AUTO_TEST_CASE(memory_is_kept_while_a_message_is_under_way) {
  websocket_deflater deflater;
  const auto whole = deflate(deflater, "Hello");
  const octets in(whole.begin(), whole.end());
  websocket_inflater inflater{5};
  octets room(100);
  auto step = inflater.inflate(std::span{in}.first(3), false, room);
  BOOST_TEST(step.is_done);
  auto got = step.produced;
  inflater.rest();
  step = inflater.inflate(std::span{in}.subspan(3), true,
                          std::span{room}.subspan(got));
  BOOST_TEST(step.is_done);
  got += step.produced;
  BOOST_TEST((bytes{room.begin(), room.begin() + 5}) == "Hello");
  BOOST_TEST(got == 5U);
}

BOOST_AUTO_TEST_CASE(random_messages_come_back_as_they_were) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT(say_seed(seed)) {
    std::mt19937 random{seed};
    for (const int level : {1, 6, 9}) {
      websocket_deflater deflater{level};
      websocket_inflater inflater{200'000};
      for (int i = 0; i != 60; ++i) {
        bytes in(random() % (i % 10 == 0 ? 200'000 : 3'000), '\0');
        const auto kinds = 1 + random() % 256; // how well it compresses
        for (auto& x : in)
          x = static_cast<char>(random() % kinds);
        const auto small = deflate(deflater, in, 1 + random() % 5'000);
        const auto got =
          inflate(inflater, small, 1 + random() % 4'000, 1 + random() % 4'000);
        BOOST_TEST_REQUIRE(got.fail == 0U, got.reason);
        BOOST_TEST_REQUIRE((got.payload == in));
        // A changed byte is refused or inflates to something bounded.
        auto changed = small;
        changed[random() % changed.size()] ^=
          static_cast<char>(1 + random() % 255);
        websocket_inflater other{300'000};
        BOOST_TEST_REQUIRE(inflate(other, changed, 2'000, 2'000).payload.size()
                           <= 300'000U);
      }
    }
  }
}
