// Blocks that packets are read into, and messages that borrow from them.

#include "protocol/codec.hpp"
#include "protocol/message.hpp"
#include "protocol/read_block.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

using namespace troupe::protocol;

namespace {

constexpr std::size_t room = 1'024;

/// Reads `text` into the next bytes, and makes a message that borrows them.
message_ptr read(read_blocks& blocks, std::string_view text) {
  auto* const at = blocks.next(0);
  std::memcpy(at, text.data(), text.size());
  message_options made;
  made.topic = "t";
  made.payload = {at, text.size()};
  made.source.block = &blocks.current();
  auto message = message::make(made);
  blocks.used(text.size());
  return message;
}

std::string text_of(const message_ptr& x) {
  return {reinterpret_cast<const char*>(x->payload().data()),
          x->payload().size()};
}

} // namespace

BOOST_AUTO_TEST_CASE(bytes_that_nobody_borrowed_are_read_into_again) {
  read_blocks blocks{room};
  auto* const first = blocks.next(0);
  blocks.used(room);
  BOOST_TEST(blocks.next(0) == first);
  read(blocks, "gone at once");
  BOOST_TEST(blocks.next(0) == first);
}

BOOST_AUTO_TEST_CASE(borrowed_bytes_stay_until_the_last_message_has_gone) {
  read_blocks blocks{room};
  auto one = read(blocks, std::string(room, 'a'));
  auto two = read(blocks, std::string(room, 'b'));
  for (int i = 0; i < 100; ++i)
    std::memset(blocks.next(read_blocks::most_before), 'x',
                read_blocks::most_before + room);
  BOOST_TEST(text_of(one) == std::string(room, 'a'));
  BOOST_TEST(text_of(two) == std::string(room, 'b'));
  one.reset();
  BOOST_TEST(text_of(two) == std::string(room, 'b'));
}

BOOST_AUTO_TEST_CASE(it_says_when_too_much_is_lent) {
  read_blocks blocks{room};
  std::vector<message_ptr> all;
  while (blocks.may_lend() && all.size() < 10'000)
    all.push_back(read(blocks, std::string(room, 'a')));
  BOOST_TEST(all.size() < 10'000U);
  all.clear();
  blocks.next(0);
  blocks.trim(); // was used since the last one
  blocks.trim();
  BOOST_TEST(blocks.may_lend());
}

BOOST_AUTO_TEST_CASE(a_packet_goes_on_as_read_only_if_it_would_be_the_same) {
  // Whatever a PUBLISH has, and whoever gets it: what is forwarded is what
  // would have been encoded.
  std::size_t forwarded = 0;
  for (const auto from :
       {protocol_version::mqtt_3_1_1, protocol_version::mqtt_5_0})
    for (unsigned shape = 0; shape < 64; ++shape) {
      publish_packet sent;
      const std::string text((shape & 1) != 0 ? 100 : 600, 'p');
      sent.topic = "some/topic";
      sent.payload = {reinterpret_cast<const std::uint8_t*>(text.data()),
                      text.size()};
      sent.retain = (shape & 2) != 0;
      if ((shape & 4) != 0) {
        sent.qos = qos::at_least_once;
        sent.packet_identifier = 1;
      }
      if (from == protocol_version::mqtt_5_0) {
        if ((shape & 8) != 0)
          sent.topic_alias = 3;
        if ((shape & 16) != 0)
          sent.message_expiry_interval = 9;
      }
      byte_buffer wire;
      encode_publish(wire, sent, from);
      read_blocks blocks{room};
      auto* const at = blocks.next(0);
      std::memcpy(at, wire.view().data(), wire.size());
      const auto in = next_frame({at, wire.size()}, no_packet_limit).value();
      const auto got = decode_publish(*in, from);
      BOOST_REQUIRE(got);
      message_options made;
      made.topic = got.value().topic;
      if ((shape & 32) != 0)
        made.topic.remove_prefix(5); // as of `$delayed/`
      made.payload = got.value().payload;
      made.properties = got.value().properties;
      made.qos = got.value().qos;
      made.retain = got.value().retain;
      made.message_expiry_interval = got.value().message_expiry_interval;
      borrow(made, got.value(), *in, from, blocks.current());
      const auto message = message::make(made);
      for (const auto to :
           {protocol_version::mqtt_3_1, protocol_version::mqtt_3_1_1,
            protocol_version::mqtt_5_0})
        for (const unsigned mark : {0U, 1U, 2U}) {
          delivery how;
          how.retain = mark == 1;
          const std::uint32_t identifier = 5;
          if (mark == 2)
            how.subscription_identifiers = {&identifier, 1};
          const auto as_read = packet_as_read(*message, how, to);
          if (as_read.empty())
            continue;
          ++forwarded;
          byte_buffer encoded;
          encode_message(encoded, *message, how, to, {});
          BOOST_TEST(std::ranges::equal(as_read, encoded.view()));
        }
    }
  BOOST_TEST(forwarded >= 3U);
}

BOOST_AUTO_TEST_CASE(many_borrowers_and_reads_of_every_size) {
  read_blocks blocks{room};
  std::vector<std::pair<message_ptr, std::string>> all;
  for (std::size_t i = 1; i < 500; ++i) {
    std::string text(i * 37 % room + 1, static_cast<char>('a' + i % 26));
    all.emplace_back(read(blocks, text), text);
    if (i % 7 == 0)
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(i % all.size()));
    if (i % 31 == 0)
      blocks.trim();
  }
  for (const auto& [message, text] : all)
    BOOST_TEST(text_of(message) == text);
}

BOOST_AUTO_TEST_CASE(messages_may_outlive_the_reader) {
  std::optional<read_blocks> blocks{std::in_place, room};
  const auto one = read(*blocks, "one");
  const auto two = read(*blocks, std::string(room, 'b'));
  blocks.reset();
  BOOST_TEST(text_of(one) == "one");
  BOOST_TEST(text_of(two) == std::string(room, 'b'));
}

BOOST_AUTO_TEST_CASE(what_is_kept_does_not_borrow) {
  read_blocks blocks{room};
  auto borrowed = read(blocks, "payload");
  BOOST_TEST(borrowed->source() != nullptr);
  const auto kept = borrowed.kept();
  BOOST_TEST(kept->source() == nullptr);
  BOOST_TEST(kept.kept().get() == kept.get());
  borrowed.reset();
  std::memset(blocks.next(0), 'x', room);
  BOOST_TEST(text_of(kept) == "payload");
  BOOST_TEST(kept->topic() == "t");
}
