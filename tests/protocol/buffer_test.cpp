// The buffer that packets are written into, and messages.

#include "protocol/message.hpp"
#include "tests/protocol/wire.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace troupe::protocol;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

constexpr auto start = time_point{} + 1h;

message_ptr expiring(std::uint32_t seconds) {
  return message::make(
    {.topic = "t", .message_expiry_interval = seconds, .received_at = start});
}

} // namespace

BOOST_AUTO_TEST_CASE(an_empty_buffer_owns_nothing) {
  byte_buffer buffer;
  BOOST_TEST(buffer.empty());
  BOOST_TEST(buffer.capacity() == 0U);
  BOOST_TEST(buffer.view().empty());
  buffer.append_u8(1);
  BOOST_TEST(buffer.capacity() != 0U);
  buffer.release();
  BOOST_TEST(buffer.empty());
  BOOST_TEST(buffer.capacity() == 0U);
}

BOOST_AUTO_TEST_CASE(numbers_are_appended_big_endian) {
  byte_buffer buffer;
  buffer.append_u8(0x01);
  buffer.append_u16(0x0203);
  buffer.append_u32(0x04050607);
  buffer.append(std::string_view{"ab"});
  buffer.append(bytes_view{});
  BOOST_TEST(copy(buffer.view()) == raw("\1\2\3\4\5\6\7ab"));
}

BOOST_AUTO_TEST_CASE(bytes_are_dropped_at_both_ends) {
  byte_buffer buffer;
  buffer.append(std::string_view{"abcdef"});
  buffer.consume(2);
  BOOST_TEST(copy(buffer.view()) == raw("cdef"));
  buffer.truncate(3);
  BOOST_TEST(copy(buffer.view()) == raw("cde"));
  buffer.append_u8('x');
  BOOST_TEST(copy(buffer.view()) == raw("cdex"));
  buffer.consume(4);
  BOOST_TEST(buffer.empty());
  buffer.append_u8('y');
  BOOST_TEST(copy(buffer.view()) == raw("y"));
  buffer.clear();
  BOOST_TEST(buffer.empty());
}

BOOST_AUTO_TEST_CASE(a_moved_buffer_takes_its_bytes_along) {
  byte_buffer from;
  from.append(std::string_view{"abc"});
  byte_buffer to{std::move(from)};
  BOOST_TEST(copy(to.view()) == raw("abc"));
  byte_buffer third;
  third = std::move(to);
  BOOST_TEST(copy(third.view()) == raw("abc"));
}

BOOST_AUTO_TEST_CASE(a_buffer_behaves_like_a_queue_of_bytes) {
  std::mt19937 random{7}; // the seed
  byte_buffer buffer;
  bytes model;
  std::uint8_t next = 0;
  for (auto round = 0; round != 20'000; ++round) {
    if (random() % 2 == 0) {
      const auto count = random() % 300;
      auto* at = buffer.extend(count);
      for (auto i = count; i != 0; --i) {
        model.push_back(next);
        *at++ = next++;
      }
    } else {
      const auto count = random() % (buffer.size() + 1);
      buffer.consume(count);
      model.erase(model.begin(), model.begin() + static_cast<int>(count));
    }
    BOOST_TEST_REQUIRE((copy(buffer.view()) == model), "round " << round);
  }
  BOOST_TEST(buffer.capacity() < 1'000'000U); // what was read makes room
}

BOOST_AUTO_TEST_CASE(a_message_holds_a_copy_of_everything) {
  std::string topic = "a/b";
  auto payload = raw("payload");
  auto first = raw("12");
  auto last = raw("345");
  const auto made = message::make({.topic = topic,
                                   .payload = payload,
                                   .properties = {first, {}, last},
                                   .qos = qos::exactly_once,
                                   .retain = true,
                                   .received_at = start,
                                   .publisher = 99});
  topic = "xxx";
  payload.assign(payload.size(), 0);
  first.assign(first.size(), 0);
  BOOST_TEST(made->topic() == "a/b");
  BOOST_TEST(copy(made->payload()) == raw("payload"));
  BOOST_TEST(copy(made->properties()) == raw("12345"));
  BOOST_TEST(made->qos() == qos::exactly_once);
  BOOST_TEST(made->retain());
  BOOST_TEST((made->received_at() == start));
  BOOST_TEST(made->publisher() == 99U);
  BOOST_TEST(!made->has_expiry());
  BOOST_TEST(!made->expired(time_point::max()));
  BOOST_TEST(made->memory() == sizeof(message) + 3 + 5 + 7);
}

BOOST_AUTO_TEST_CASE(a_message_lives_as_long_as_its_last_owner) {
  auto first = message::make({.topic = "t"});
  auto second = first;
  BOOST_TEST(first.get() == second.get());
  first.reset();
  BOOST_TEST(!first);
  BOOST_TEST(second->topic() == "t");
  auto third = std::move(second);
  BOOST_TEST(!second); // NOLINT(bugprone-use-after-move)
  third = third;       // NOLINT(clang-diagnostic-self-assign-overloaded)
  BOOST_TEST(third->topic() == "t");
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_3_2_5_a_message_expires_when_its_interval_is_over) {
  const auto ten = expiring(10);
  BOOST_TEST(ten->has_expiry());
  BOOST_TEST(!ten->expired(start));
  BOOST_TEST(!ten->expired(start + 9'999ms));
  BOOST_TEST(ten->expired(start + 10s));
  BOOST_TEST(expiring(0)->expired(start));
  const auto longest = expiring(0xFFFFFFFF);
  BOOST_TEST(!longest->expired(start + 4'294'967'294s));
  BOOST_TEST(longest->expired(start + 4'294'967'295s));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_6_the_interval_shrinks_by_the_time_waited) {
  const auto ten = expiring(10);
  BOOST_TEST(ten->remaining_expiry(start) == 10U);
  BOOST_TEST(ten->remaining_expiry(start + 999ms) == 10U);
  BOOST_TEST(ten->remaining_expiry(start + 1s) == 9U);
  BOOST_TEST(ten->remaining_expiry(start + 9'999ms) == 1U);
  BOOST_TEST(ten->remaining_expiry(start + 10s) == 0U);
  BOOST_TEST(ten->remaining_expiry(start + 100'000h) == 0U);
  BOOST_TEST(ten->remaining_expiry(start - 5s) == 10U); // a clock of elsewhere
  BOOST_TEST(expiring(0xFFFFFFFF)->remaining_expiry(start + 5s)
             == 0xFFFFFFFFU - 5);
}
