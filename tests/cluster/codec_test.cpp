// Entries of the log and rows of the state database as bytes.

#include "cluster/raft_records.hpp"
#include "protocol/hash.hpp"
#include "storage/keys.hpp"
#include "tests/cluster/codec_support.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <limits>

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

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Calls `f` with each proper prefix of `x`, and with `x` with one byte
/// changed, in an allocation of the exact size.
template <class F>
void for_each_damage(const std::string& x, F&& f) {
  const auto run = [&](std::string_view bytes) {
    const std::vector<char> exact{bytes.begin(), bytes.end()};
    f(std::string_view{exact.data(), exact.size()});
  };
  for (std::size_t size = 0; size < x.size(); ++size)
    run(std::string_view{x}.substr(0, size));
  auto changed = x;
  for (auto& byte : changed) {
    const auto before = byte;
    for (unsigned by = 1; by < 256; ++by) {
      byte = static_cast<char>(static_cast<unsigned char>(before) ^ by);
      run(changed);
    }
    byte = before;
  }
}

/// The bytes of a word, as it is stored.
std::uint64_t word_at(std::string_view x, std::size_t at) {
  std::uint64_t out = 0;
  for (std::size_t i = 8; i-- > 0;)
    out = out << 8 | static_cast<unsigned char>(x[at + i]);
  return out;
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

struct table {
  std::vector<troupe::storage::row> rows;

  void operator()(row_family family, const row_function& f) const {
    for (const auto& x : rows)
      if (x.family == static_cast<std::uint8_t>(family) && x.value)
        f(x.key, *x.value);
  }
};

std::string problem_of(const table& x, std::uint16_t shard) {
  try {
    row_recorder into;
    load_rows(x, shard, record_times, into);
    return {};
  } catch (const record_error& e) {
    return e.what();
  }
}

} // namespace

// ---- time -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(stored_time_goes_on_in_milliseconds_and_comes_back) {
  const time_base times{record_start, 1'000};
  BOOST_TEST(times.to_stored(record_start) == 1'000);
  BOOST_TEST(times.to_stored(record_start + 999us) == 1'000);
  BOOST_TEST(times.to_stored(record_start + 1ms) == 1'001);
  BOOST_TEST(times.to_stored(record_start - 1ns) == 999);
  BOOST_TEST(times.to_stored(record_start - 101h) == 1'000 - 101 * 3'600'000LL);
  BOOST_TEST((times.from_stored(1'001) == record_start + 1ms));
  BOOST_TEST((times.rounded(record_start + 1'999us) == record_start + 1ms));
  record_source random{test_seed()};
  for (auto i = 0; i < 1'000; ++i) {
    const auto stored = static_cast<std::int64_t>(random.number() >> 24);
    BOOST_TEST(times.to_stored(times.from_stored(stored)) == stored);
  }
}

BOOST_AUTO_TEST_CASE(stored_time_never_goes_back_with_a_new_process) {
  const time_base old{record_start, 5'000'000};
  const auto greatest = old.to_stored(record_start + 2h);
  // Another steady clock, and a wall clock that was put back, or not.
  for (const std::int64_t wall : {std::int64_t{0}, greatest + 60'000}) {
    const auto times = time_base::going_on(time_point{7min}, wall, greatest);
    BOOST_TEST(times.to_stored(time_point{7min}) == std::max(wall, greatest));
    BOOST_TEST((times.from_stored(greatest) <= time_point{7min}));
  }
}

BOOST_AUTO_TEST_CASE(stored_time_saturates) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  for (const auto base : {std::int64_t{0}, std::int64_t{-5}, least, most,
                          most - 1, record_start_stored})
    for (const auto now : {time_point{}, record_start, time_point::min(),
                           time_point::max() - 1ns}) {
      const time_base times{now, base};
      BOOST_TEST(times.to_stored(troupe::cluster::never) == most);
      BOOST_TEST((times.from_stored(most) == troupe::cluster::never));
      BOOST_TEST(times.to_stored(time_point::max() - 1ns) < most);
      for (const auto stored : {least, least + 1, std::int64_t{0}, most - 1}) {
        const auto x = times.from_stored(stored);
        // Room to add any interval of 32 bits, and between any two.
        BOOST_TEST((x <= time_point::max() - std::chrono::seconds{UINT32_MAX}));
        BOOST_TEST((x >= time_point{} - time_base::reach));
        BOOST_TEST((x <= time_point{} + time_base::reach + 1ms));
      }
      BOOST_TEST((times.from_stored(most - 1) >= times.from_stored(0)));
      BOOST_TEST((times.from_stored(least) <= times.from_stored(0)));
    }
  BOOST_TEST(record_times.to_stored(time_point::min())
             < record_times.to_stored(record_start));
}

// ---- entries ----------------------------------------------------------------

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
  auto at_no_time = entry_of(time_command{});
  at_no_time.at = troupe::cluster::never;
  BOOST_TEST(contains(problem_of(encode(at_no_time)), "never comes"));
}

// ---- keys -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(rows_of_a_shard_follow_each_other_in_their_order) {
  const auto in_order = [](const std::vector<std::string>& keys) {
    for (std::size_t i = 1; i < keys.size(); ++i)
      BOOST_TEST((keys[i - 1] < keys[i]), "key " << i);
  };
  in_order(
    {applied_key(0), applied_key(1), applied_key(255), applied_key(256)});
  in_order({message_key(1, 1), message_key(1, 255), message_key(1, 256),
            message_key(1, 1ULL << 63), message_key(2, 0)});
  in_order({filter_key(1, 2), filter_key(1, 256), filter_key(2, 1)});
  in_order({holder_key(1, 1, "z"), holder_key(1, 2, "a"),
            holder_key(1, 2, "ab"), holder_key(1, 256, "a")});
  in_order({delayed_key(1, 0, 2), delayed_key(1, 999, 9),
            delayed_key(1, 1'000, 1), delayed_key(1, 1'000, 2),
            delayed_key(1, time_base::stored_never - 1, 1)});
  BOOST_TEST(delayed_key(1, -5, 2) == delayed_key(1, 0, 2));
  in_order({outbox_key(1, 2, 3), outbox_key(1, 2, 256), outbox_key(1, 3, 1)});
  in_order({retained_row_key(1, retained_key("a")),
            retained_row_key(1, retained_key("a/b")),
            retained_row_key(1, retained_key("a/b/c")),
            retained_row_key(1, retained_key("a!")),
            retained_row_key(1, retained_key("b"))});
}

BOOST_AUTO_TEST_CASE(no_two_publications_have_one_key) {
  // Without the length, "a" with 0x6201 would be "ab" cut short.
  BOOST_TEST(inbound_key(1, "a", 0x6201) != inbound_key(1, "ab", 0x01));
  BOOST_TEST(inbound_key(1, "", 0x6201).size() == 6U);
  BOOST_TEST(inbound_key(1, "ab", 1).substr(0, 6)
             == inbound_key(1, "ab", 2).substr(0, 6));
}

// ---- rows -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(rows_come_back_as_they_were) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  for (auto i = 0; i < 500; ++i) {
    const auto shard = random.shard();
    row_recorder written;
    table stored{random_rows(random, shard, written)};
    for (const auto& x : stored.rows) {
      BOOST_REQUIRE((word_at(*x.value, 0) & 0xFFFF'FFFF) == 0U);
      BOOST_REQUIRE(x.key.substr(0, 2) == applied_key(shard));
    }
    row_recorder read;
    load_rows(stored, shard, record_times, read);
    BOOST_REQUIRE(read.lines == written.lines);
  }
}

BOOST_AUTO_TEST_CASE(a_row_that_is_gone_is_deleted) {
  row_collector out{7, record_times};
  out.session("c", nullptr);
  out.filter(1, nullptr);
  out.holder(1, "c", nullptr);
  out.message(2, nullptr);
  out.retained(retained_key("a/b"), nullptr);
  out.delayed(record_start, 3, nullptr);
  out.outbox(4, 5, nullptr);
  out.inbound("c", 6, nullptr);
  const auto rows = out.take();
  BOOST_TEST(out.take().empty());
  BOOST_REQUIRE(rows.size() == 8U);
  const std::vector<std::string> keys{session_key(7, "c"),
                                      filter_key(7, 1),
                                      holder_key(7, 1, "c"),
                                      message_key(7, 2),
                                      retained_row_key(7, retained_key("a/b")),
                                      delayed_key(7, record_start_stored, 3),
                                      outbox_key(7, 4, 5),
                                      inbound_key(7, "c", 6)};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    BOOST_TEST(rows[i].family == i + 1);
    BOOST_TEST(rows[i].key == keys[i]);
    BOOST_TEST(!rows[i].value);
  }
}

BOOST_AUTO_TEST_CASE(a_shard_without_rows_is_left_as_it_is) {
  row_recorder into;
  load_rows(table{}, 1, record_times, into);
  BOOST_TEST(into.lines.empty());
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_row_is_said_with_its_key) {
  record_source random{5};
  row_recorder written;
  const table good{random_rows(random, 3, written)};
  BOOST_TEST(problem_of(good, 3).empty());
  const auto changed = [&](row_family family, auto&& change) {
    auto bad = good;
    for (auto& x : bad.rows)
      if (x.family == static_cast<std::uint8_t>(family))
        change(x);
    return problem_of(bad, 3);
  };
  const auto cut = [](troupe::storage::row& x) { x.key.pop_back(); };
  const auto longer = [](troupe::storage::row& x) { x.key += 'x'; };
  const auto no_value = [](troupe::storage::row& x) { x.value = ""; };

  BOOST_TEST(problem_of(good, 4)
             == "family applied, key 0003: the row belongs to shard 3");
  BOOST_TEST(changed(row_family::applied, cut)
             == "family applied, key 00: the key is cut off");
  BOOST_TEST(changed(row_family::applied, longer)
             == "family applied, key 000378: the key is too long");
  BOOST_TEST(changed(row_family::applied, no_value)
             == "family applied, key 0003: empty");
  for (const auto family :
       {row_family::filter, row_family::message, row_family::delayed,
        row_family::outbox, row_family::inbound}) {
    const auto name = std::string{"family "}
                      + row_family_names.at(static_cast<std::size_t>(family))
                      + ", key 0003";
    for (const auto& found : {changed(family, cut), changed(family, longer),
                              changed(family, no_value)})
      BOOST_TEST(contains(found, name), found);
  }
  BOOST_TEST(contains(changed(row_family::retained, cut), "not that of"));
  BOOST_TEST(
    contains(changed(row_family::outbox, [](auto& x) { x.key.back() ^= 1; }),
             "not that of"));
  BOOST_TEST(
    contains(changed(row_family::filter, [](auto& x) { x.key.back() ^= 1; }),
             "there is no row of its filter"));
  BOOST_TEST(
    contains(changed(row_family::applied, [](auto& x) { x.value.reset(); }),
             "family filter, "));
  BOOST_TEST(
    contains(changed(row_family::delayed, [](auto& x) { x.key[2] = '\xff'; }),
             "never comes"));
  BOOST_TEST(
    contains(changed(row_family::session, [](auto& x) { x.value->resize(64); }),
             "cut off"));
}

BOOST_AUTO_TEST_CASE(a_shard_of_a_newer_format_is_refused) {
  auto newer = encode_row(applied_row{}, record_times);
  // Behind segment table and root pointer: five words, nextFilter, format.
  const std::size_t at = 16 + 5 * 8 + 4;
  BOOST_REQUIRE(newer[at] == 1);
  newer[at] = 2;
  BOOST_TEST(contains(problem_of(table{{{0, applied_key(1), newer}}}, 1),
                      "the shard has format 2, this version knows 1 to 1"));
}

BOOST_AUTO_TEST_CASE(the_time_of_a_shard_is_read_without_knowing_the_clock) {
  applied_row x;
  x.now = record_start + 5s;
  BOOST_TEST(stored_time(encode_row(x, record_times))
             == record_start_stored + 5'000);
}

BOOST_AUTO_TEST_CASE(a_damaged_row_is_refused_or_is_another_row) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  row_recorder lines;
  std::size_t refused = 0;
  for (const auto& x : random_rows(random, 3, lines)) {
    const auto family = static_cast<row_family>(x.family);
    const auto load = [&](std::string_view key, std::string_view value) {
      row_recorder into;
      try {
        load_row(family, key, value, 3, record_times, into);
        BOOST_REQUIRE(into.lines.size() == 1U);
      } catch (const record_error& e) {
        ++refused;
        BOOST_REQUIRE(contains(e.what(), "family "));
      }
    };
    for_each_damage(x.key, [&](std::string_view key) { load(key, *x.value); });
    auto value = *x.value;
    if (value.size() <= 700)
      for_each_damage(value, [&](std::string_view y) { load(x.key, y); });
  }
  BOOST_TEST(refused != 0U);
}

// ---- the documents ----------------------------------------------------------

namespace {

troupe::protocol::message_ptr example_message() {
  static constexpr std::string_view properties{"\x01\x01", 2};
  troupe::protocol::message_options made;
  made.topic = "plant/7";
  made.payload = as_bytes("21.5");
  made.properties[0] = as_bytes(properties);
  made.qos = troupe::protocol::qos::at_least_once;
  made.retain = true;
  made.message_expiry_interval = 3'600;
  made.received_at = record_start;
  made.publisher = 0x1122'3344'5566'7788;
  return troupe::protocol::message::make(made);
}

/// Eight bytes a line, as the documents have them.
std::string lines_of(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    for (std::size_t i = at; i < std::min(at + 8, bytes.size()); ++i)
      out += (i == at ? "" : " ") + as_hex(bytes.substr(i, 1));
    out += '\n';
  }
  return out;
}

/// The hexadecimal digits of a block of a document that begins with `title`;
/// what is behind `#` is for readers.
std::string example_in(const std::string& name, const std::string& title) {
  std::ifstream in{std::string{TROUPE_SOURCE_DIR "/docs/formats/"} + name};
  BOOST_REQUIRE_MESSAGE(in, "docs/formats/" << name);
  std::string line;
  while (std::getline(in, line) && line != "```hex " + title)
    ;
  BOOST_REQUIRE_MESSAGE(in, "there is no example \"" << title << '"');
  std::string out;
  while (std::getline(in, line) && line != "```") {
    line = line.substr(0, line.find('#'));
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

void check_example(const std::string& document, const std::string& title,
                   std::string_view bytes) {
  const auto expected = lines_of(bytes);
  BOOST_TEST(example_in(document, title) == expected, document << ", " << title
                                                               << ", is:\n"
                                                               << expected);
}

} // namespace

BOOST_AUTO_TEST_CASE(the_examples_of_the_log_are_what_is_written) {
  publish_command publish;
  publish.message = example_message();
  log_entry x;
  x.at = record_start;
  x.commands.emplace_back(std::move(publish));
  x.commands.emplace_back(advance_command{"meter-12", 41});
  check_example("log.md", "entry", encode(x));
  check_example("log.md", "hard", encode_hard_state({7, 2, 41}));
}

BOOST_AUTO_TEST_CASE(the_examples_of_the_state_are_what_is_written) {
  row_collector out{3, record_times};
  applied_row applied;
  applied.index = 1'000;
  applied.now = record_start;
  applied.sequence = 41;
  applied.last_epoch = 7;
  applied.next_filter = 2;
  applied.next_delayed = 3;
  applied.forwarded = {{5, 9}};
  out.applied(applied);
  session_row session;
  session.incarnation = 6;
  session.epoch = 7;
  session.expiry_interval = 3'600;
  session.expires = record_start + 1h;
  session.record = std::make_shared<session_record>();
  session.record->subscriptions.push_back(
    {"", "plant/+", {troupe::protocol::qos::at_least_once}, 0, false});
  session.record->next_packet_identifier = 18;
  session.record->cursors = {{3, 40}};
  out.session("meter-12", &session);
  const filter_name filter{"", "plant/+"};
  out.filter(1, &filter);
  const holder_row holder{40, {troupe::protocol::qos::at_least_once}, 0};
  out.holder(1, "meter-12", &holder);
  const message_row message{example_message(), {1}};
  out.message(41, &message);
  const retained_row retained{example_message(), 41};
  out.retained(retained_key("plant/7"), &retained);
  const message_row delayed{example_message(), {}};
  out.delayed(record_start + 15s, 2, &delayed);
  const forward_command forward{3, 9,
                                std::make_shared<boxed_command>(boxed_command{
                                  inbound_forget_command{"meter-12", 5}})};
  out.outbox(5, 9, &forward);
  const std::uint64_t incarnation = 6;
  out.inbound("meter-12", 17, &incarnation);
  for (const auto& x : out.take()) {
    const std::string name = row_family_names.at(x.family);
    check_example("state.md", name + " key", x.key);
    check_example("state.md", name + " value", *x.value);
  }
}
