// Entries of the log as bytes.

#include "tests/cluster/codec_support.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

std::string encode(const log_entry& x) { return encode_entry(x, record_times); }

log_entry decode(std::string_view x) {
  return decode_entry(as_bytes(x), record_times);
}

log_entry entry_of(command&& x) {
  log_entry made;
  made.at = record_times.rounded(record_start);
  made.commands.emplace_back(std::move(x));
  return made;
}

/// What is wrong with an entry; empty: nothing.
std::string problem_of(std::string_view x) {
  try {
    decode(x);
    return {};
  } catch (const record_error& e) {
    return e.what();
  }
}

void put_word(std::string& x, std::size_t at, std::uint64_t word) {
  for (std::size_t i = 0; i < 8; ++i)
    x[at + i] = static_cast<char>(static_cast<unsigned char>(word >> 8 * i));
}

// Where things lie in an entry: segment table, pointer to the root, the root
// (time, format, pointer to the list), what leads the list, the commands.
constexpr std::size_t format_at = 24;
constexpr std::size_t list_tag_at = 40;
constexpr std::size_t first_command_at = 48;
constexpr std::size_t kind_at = first_command_at;

} // namespace

BOOST_AUTO_TEST_CASE(an_entry_comes_back_as_it_was) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  for (auto i = 0; i < 2'000; ++i) {
    const auto x = random.entry();
    const auto bytes = encode(x);
    BOOST_REQUIRE(bytes.size() % 8 == 0U);
    BOOST_REQUIRE(word_at(bytes, 0) >> 32 == bytes.size() / 8 - 1);
    // Built in place: its size was not estimated too low.
    BOOST_REQUIRE((word_at(bytes, 0) & 0xFFFF'FFFF) == 0U);
    BOOST_REQUIRE(text_of(decode(bytes)) == text_of(x));
  }
}

BOOST_AUTO_TEST_CASE(each_kind_of_command_comes_back_as_it_was) {
  record_source random{test_seed()};
  for (std::uint32_t kind = 0; kind < record_source::kinds; ++kind)
    for (auto i = 0; i < 50; ++i) {
      const auto x = entry_of(random.command(kind));
      BOOST_REQUIRE(text_of(decode(encode(x))) == text_of(x));
    }
}

BOOST_AUTO_TEST_CASE(an_entry_has_only_what_needs_the_log) {
  record_source random{1};
  log_entry x;
  x.at = random.time();
  publish_command unlogged;
  unlogged.message = random.message();
  unlogged.logged = false;
  x.commands.emplace_back(std::move(unlogged));
  x.commands.emplace_back(time_command{});
  x.commands.emplace_back(fetch_read{});
  x.commands.emplace_back(retained_read{});
  x.commands.emplace_back(group_online_command{"g", "f"});
  x.commands.emplace_back(restart_command{});
  const auto read = decode(encode(x));
  BOOST_TEST((read.at == x.at));
  BOOST_REQUIRE(read.commands.size() == 2U);
  BOOST_TEST(std::holds_alternative<time_command>(read.commands[0]));
  BOOST_TEST(std::holds_alternative<restart_command>(read.commands[1]));
  x.commands.clear();
  BOOST_TEST(decode(encode(x)).commands.empty());
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_command_is_not_stored) {
  record_source random{1};
  publish_command x;
  x.message = random.message();
  x.publisher = {1, 2, 3};
  x.token = 4;
  const auto read = decode(encode(entry_of(std::move(x))));
  const auto& publish = std::get<publish_command>(read.commands.at(0));
  BOOST_TEST(!publish.publisher);
  BOOST_TEST(publish.token == 0U);
}

BOOST_AUTO_TEST_CASE(a_later_process_reads_the_times_of_an_earlier_one) {
  record_source random{1};
  troupe::protocol::message_options made;
  made.topic = "a";
  made.message_expiry_interval = 60;
  made.received_at = record_start + 1s;
  publish_command x;
  x.message = troupe::protocol::message::make(made);
  const auto bytes = encode(entry_of(std::move(x)));
  const time_base later{time_point{5s}, record_start_stored + 31'000};
  const auto read = decode_entry(as_bytes(bytes), later);
  const auto& message = *std::get<publish_command>(read.commands.at(0)).message;
  BOOST_TEST(message.remaining_expiry(time_point{5s}) == 30U);
}

BOOST_AUTO_TEST_CASE(an_entry_may_lie_at_any_address) {
  record_source random{2};
  const auto x = random.entry();
  const auto bytes = encode(x);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    const auto moved = std::string(shift, 'x') + bytes;
    BOOST_TEST(text_of(decode(std::string_view{moved}.substr(shift)))
               == text_of(x));
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_entry_is_refused_or_is_another_entry) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  std::size_t refused = 0;
  std::size_t read = 0;
  for (std::uint32_t kind = 0; kind < record_source::kinds; ++kind) {
    auto x = entry_of(random.command(kind));
    // Long ones have nothing that short ones have not.
    while (encode(x).size() > 700)
      x = entry_of(random.command(kind));
    x.commands.emplace_back(time_command{});
    const auto bytes = encode(x);
    for_each_damage(bytes, [&](std::string_view damaged) {
      try {
        const auto y = decode(damaged);
        ++read;
        BOOST_REQUIRE(damaged.size() == bytes.size());
        // What was read can be written again, and means the same.
        if (read % 64 == 0)
          BOOST_REQUIRE(text_of(decode(encode(y))) == text_of(y));
      } catch (const record_error& e) {
        ++refused;
        BOOST_REQUIRE(std::string_view{e.what()} != "");
      }
    });
  }
  BOOST_TEST_MESSAGE(refused << " refused, " << read << " read");
  BOOST_TEST(refused != 0U);
  BOOST_TEST(read != 0U);
}

BOOST_AUTO_TEST_CASE(random_bytes_are_refused) {
  record_source random{test_seed()};
  std::size_t refused = 0;
  for (auto i = 0; i < 2'000; ++i) {
    std::string bytes(8U * random.below(20), '\0');
    for (auto& x : bytes)
      x = static_cast<char>(random.below(256));
    if (!bytes.empty())
      put_word(bytes, 0, std::uint64_t{bytes.size() / 8 - 1} << 32);
    try {
      decode(bytes);
    } catch (const record_error&) {
      ++refused;
    }
  }
  BOOST_TEST(refused > 1'900U);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_an_entry_is_said) {
  const auto good = encode(entry_of(time_command{}));
  BOOST_TEST(problem_of(good).empty());
  BOOST_TEST(problem_of("") == "empty");
  BOOST_TEST(
    contains(problem_of(std::string_view{good}.substr(0, 30)), "cut off"));
  BOOST_TEST(contains(problem_of(std::string_view{good}.substr(0, 32)),
                      "cut off: 32 bytes instead of "));
  BOOST_TEST(contains(problem_of(good + "12345678"), "too long"));
  BOOST_TEST(contains(problem_of(std::string(64, '\xff')), "segments"));
  BOOST_TEST(contains(problem_of(std::string(8, '\0')), "damaged"));

  auto x = good;
  x[format_at] = 2;
  BOOST_TEST(problem_of(x)
             == "the entry has format 2, this version knows 1 to 1");
  x[format_at] = 0;
  BOOST_TEST(contains(problem_of(x), "format 0"));
}

BOOST_AUTO_TEST_CASE(a_command_of_an_unknown_kind_is_refused) {
  auto x = encode(entry_of(time_command{}));
  x[kind_at] = 0;
  // Each kind that there is, then those that there may be once.
  BOOST_TEST(problem_of(x) == "a command has no kind");
  std::size_t unknown = 0;
  for (unsigned kind = 1; kind < 256; ++kind) {
    x[kind_at] = static_cast<char>(kind);
    if (kind <= record_source::kinds)
      BOOST_TEST(!contains(problem_of(x), "not know"), "kind " << kind);
    else if (contains(problem_of(x), "a command is of kind "
                                       + std::to_string(kind)
                                       + ", which this version does not know"))
      ++unknown;
  }
  BOOST_TEST(unknown == 255 - record_source::kinds);
}

BOOST_AUTO_TEST_CASE(a_forwarded_command_does_not_forward) {
  forward_command forward{
    3, 1, std::make_shared<boxed_command>(boxed_command{time_command{}})};
  const auto inner = encode(entry_of(time_command{}))[kind_at];
  auto bytes = encode(entry_of(forward));
  const auto outer = bytes[kind_at];
  // Behind the outer command: sequence and shard, a pointer, the inner one.
  const auto at = first_command_at + 3 * 8 + 3 * 8;
  BOOST_REQUIRE(bytes[at] == inner);
  bytes[at] = outer;
  BOOST_TEST(problem_of(bytes) == "a forwarded command forwards another one");
}

BOOST_AUTO_TEST_CASE(a_list_cannot_claim_what_its_entry_has_no_room_for) {
  auto x = encode(entry_of(time_command{}));
  // Half a billion commands of no size.
  put_word(x, list_tag_at, std::uint64_t{0x1FFF'FFFF} << 2);
  BOOST_TEST(!problem_of(x).empty());
  // As many commands as there are bytes in the list.
  const auto pointer = word_at(x, list_tag_at - 8);
  const auto count = std::uint64_t{24} << 35;
  put_word(x, list_tag_at - 8,
           (pointer & 0xFFFF'FFFF) | count | std::uint64_t{2} << 32);
  BOOST_TEST(!problem_of(x).empty());
}

BOOST_AUTO_TEST_CASE(what_mqtt_does_not_allow_is_refused) {
  const auto refused = [](command&& x, std::string_view why) {
    const auto found = problem_of(encode(entry_of(std::move(x))));
    BOOST_TEST(contains(found, why), "found: " << found);
  };
  record_source random{3};
  const auto identifier = "a packet identifier is 0";
  refused(inbound_end_command{{"c", 1, 0}, {}}, identifier);
  refused(inbound_command{"c", 1, 0, 1, true, {}}, identifier);
  outbound_command outbound;
  outbound.states.resize(1);
  refused(outbound, identifier);
  refused(remove_retained_command{""}, "a topic name has 0 bytes");
  refused(remove_retained_command{std::string(65'536, 'a')},
          "a topic name has 65536 bytes");
  refused(advance_command{std::string(65'536, 'a'), 1},
          "a Client Identifier has 65536 bytes");
  refused(group_done_command{"g", "", 1}, "a topic filter has 0 bytes");
  hold_command hold;
  hold.subscription.filter = "f";
  hold.subscription.identifier = 268'435'456;
  refused(hold, "a Subscription Identifier is 268435456");
  hold.subscription.identifier = 0;
  hold.subscription.options.maximum_qos = static_cast<troupe::protocol::qos>(3);
  refused(hold, "Subscription Options are 3");
  publish_command publish;
  troupe::protocol::message_options made;
  made.topic = "a";
  made.qos = static_cast<troupe::protocol::qos>(3);
  publish.message = troupe::protocol::message::make(made);
  refused(publish, "a QoS is 3");
  refused(group_cursor_command{"g", "f", 9, {2, 2}}, "do not ascend");
  auto at_no_time = entry_of(time_command{});
  at_no_time.at = troupe::cluster::never;
  BOOST_TEST(contains(problem_of(encode(at_no_time)), "never comes"));
}
