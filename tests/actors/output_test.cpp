// What waits for a socket: own bytes and borrowed ones in one order.

#include "actors/output.hpp"
#include "protocol/read_block.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <random>
#include <string>

using namespace troupe::actors;
using namespace troupe::protocol;

namespace {

bytes_view bytes_of(std::string_view x) {
  return {reinterpret_cast<const std::uint8_t*>(x.data()), x.size()};
}

message_ptr owned(std::string_view payload) {
  message_options made;
  made.payload = bytes_of(payload);
  return message::make(made);
}

std::string first_of(const output& from, std::size_t most_parts) {
  std::vector<iovec> parts(most_parts);
  parts.resize(from.gather(parts));
  std::string all;
  for (const auto& part : parts)
    all.append(static_cast<const char*>(part.iov_base), part.iov_len);
  return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(own_and_borrowed_bytes_leave_in_their_order) {
  output x;
  BOOST_TEST(x.empty());
  x.bytes().append(std::string_view{"head1 "});
  {
    const auto message = owned("body1 ");
    x.borrow(*message, message->payload());
  } // the output owns it, too
  x.bytes().append(std::string_view{"head2 "});
  const auto message = owned("body2 ");
  x.borrow(*message, message->payload());
  x.borrow(*message, message->payload());
  x.bytes().append(std::string_view{"end"});
  BOOST_TEST(x.size() == 33U);
  BOOST_TEST(first_of(x, 100) == "head1 body1 head2 body2 body2 end");
  BOOST_TEST(first_of(x, 3) == "head1 body1 head2 ");
}

BOOST_AUTO_TEST_CASE(it_is_consumed_and_kept_at_any_byte) {
  std::minstd_rand random{1};
  for (int round = 0; round < 300; ++round) {
    output x;
    std::string expected;
    for (int i = 0; i < 12; ++i) {
      const std::string text(random() % 9 + 1, static_cast<char>('a' + i));
      if (random() % 2 == 0) {
        x.bytes().append(std::string_view{text});
      } else {
        const auto message = owned(text);
        x.borrow(*message, message->payload());
      }
      expected += text;
      const auto taken = random() % 6 == 0 ? random() % (x.size() + 1) : 0;
      x.consume(taken);
      expected.erase(0, taken);
      if (random() % 8 == 0)
        x.keep();
      BOOST_TEST(first_of(x, 100) == expected);
      BOOST_TEST(x.size() == expected.size());
    }
  }
}

BOOST_AUTO_TEST_CASE(neighbours_in_a_block_are_one_run) {
  read_blocks blocks{1'024};
  auto* const at = blocks.next(0);
  std::ranges::copy(std::string_view{"onetwothree"}, at);
  const auto message = [&](std::size_t from, std::size_t size) {
    message_options made;
    made.payload = {at + from, size};
    made.source.block = &blocks.current();
    return message::make(made);
  };
  output x;
  for (const auto& [from, size] :
       {std::pair{0U, 3U}, std::pair{3U, 3U}, std::pair{6U, 5U}}) {
    const auto one = message(from, size);
    x.borrow(*one, one->payload());
  }
  blocks.used(11);
  std::array<iovec, 8> parts;
  BOOST_TEST(x.gather(parts) == 1U);
  // The messages have gone, what was read stays.
  BOOST_TEST(blocks.next(0) != at);
  BOOST_TEST(first_of(x, 8) == "onetwothree");
  const auto again = message(0, 3); // not a neighbour of what is last
  x.borrow(*again, again->payload());
  BOOST_TEST(x.gather(parts) == 2U);
  x.keep();
  BOOST_TEST(first_of(x, 8) == "onetwothreeone");
}

BOOST_AUTO_TEST_CASE(the_pool_keeps_what_was_needed_of_late) {
  output_pool pool;
  auto one = pool.lend();
  auto* const first = one.get();
  one->bytes().append_u8(1);
  one->consume(1);
  pool.take_back(std::move(one));
  one = pool.lend();
  BOOST_TEST(one.get() == first);
  BOOST_TEST(one->capacity() != 0U);
  pool.take_back(std::move(one));
  pool.trim();
  pool.trim(); // nobody lent it in between
  BOOST_TEST(pool.lend()->capacity() == 0U);
}
