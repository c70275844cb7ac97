// Blocks that packets are read into, and messages that borrow from them.

#include "protocol/message.hpp"
#include "protocol/read_block.hpp"

#include <boost/test/unit_test.hpp>

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
  auto* const first = blocks.next(0);
  auto one = read(blocks, std::string(room, 'a'));
  auto two = read(blocks, std::string(room, 'b'));
  for (int i = 0; i < 100; ++i)
    std::memset(blocks.next(read_blocks::most_before), 'x',
                read_blocks::most_before + room);
  BOOST_TEST(text_of(one) == std::string(room, 'a'));
  BOOST_TEST(text_of(two) == std::string(room, 'b'));
  one.reset();
  BOOST_TEST(text_of(two) == std::string(room, 'b'));
  two.reset();
  blocks.trim();
  // With nothing lent it ends up with a block's beginning again.
  auto* const again = blocks.next(0);
  blocks.used(room);
  BOOST_TEST(blocks.next(0) == again);
  static_cast<void>(first);
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
