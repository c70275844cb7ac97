// Keys of the state database: they sort as their parts do, and no two are one.

#include "tests/cluster/codec_support.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

void in_order(const std::vector<std::string>& keys) {
  for (std::size_t i = 1; i < keys.size(); ++i)
    BOOST_TEST((keys[i - 1] < keys[i]), "key " << i);
}

std::string timer_at(time_point due, timer_kind kind, const std::string& of) {
  return timer_row_key(1, {due, kind, of}, record_times);
}

} // namespace

BOOST_AUTO_TEST_CASE(rows_of_a_shard_follow_each_other_in_their_order) {
  in_order(
    {applied_key(0), applied_key(1), applied_key(255), applied_key(256)});
  in_order({session_key(1, "a"), session_key(1, "ab"), session_key(1, "b"),
            session_key(2, "a")});
  in_order({owned_key(1, "a"), owned_key(1, "ab"), owned_key(2, "")});
  in_order({group_key(1, 2), group_key(1, 256), group_key(2, 1)});
  in_order({page_key(1, 1, 9), page_key(1, 1, 256), page_key(1, 2, 1),
            page_key(1, 256, 1), page_key(2, 1, 1)});
  in_order({message_key(1, 1), message_key(1, 255), message_key(1, 256),
            message_key(1, 1ULL << 63), message_key(2, 0)});
  in_order({outbox_key(1, 2, 3), outbox_key(1, 2, 256), outbox_key(1, 3, 1)});
  in_order({exclusive_key(1, "a", "z"), exclusive_key(1, "ab", "a"),
            exclusive_key(1, "b", "")});
  in_order({retained_row_key(1, retained_key("a")),
            retained_row_key(1, retained_key("a/b")),
            retained_row_key(1, retained_key("a/b/c")),
            retained_row_key(1, retained_key("a!")),
            retained_row_key(1, retained_key("b"))});
}

BOOST_AUTO_TEST_CASE(filters_that_are_always_in_memory_come_first) {
  in_order({filter_key(1, {"", "a/#"}), filter_key(1, {"z", "a/#"}),
            filter_key(1, {"g", "topic"}), filter_key(1, {"", "z/+"}),
            filter_key(1, {"", "a"}), filter_key(1, {"", "a/b"}),
            filter_key(2, {"", "#"})});
  for (const bool by_topic : {false, true}) {
    const auto prefix = filter_prefix(3, by_topic);
    BOOST_TEST(prefix.size() == 3U);
    const filter_name name{"", by_topic ? "a/b" : "a/+"};
    BOOST_TEST(name.by_topic() == by_topic);
    BOOST_TEST(filter_key(3, name).substr(0, 3) == prefix);
  }
  // A Share Name makes a definition of what is a topic.
  BOOST_TEST(filter_key(3, {"g", "a/b"}).substr(0, 3)
             == filter_prefix(3, false));
  BOOST_TEST(filter_key(3, {"", "a/b"}).substr(0, 3) == filter_prefix(3, true));
}

BOOST_AUTO_TEST_CASE(what_a_session_holds_follows_its_cursor) {
  in_order({holder_prefix(1, "c"), holder_key(1, "c", 0), holder_key(1, "c", 1),
            holder_key(1, "c", 255), holder_key(1, "c", 256),
            holder_key(1, "c", 0xFFFF'FFFF), holder_key(1, "c1", 0),
            holder_key(1, "ca", 0), holder_key(2, "a", 0)});
  // What begins with "c" is none of "c".
  const auto prefix = holder_prefix(1, "c");
  BOOST_TEST(holder_key(1, "c", 7).substr(0, prefix.size()) == prefix);
  BOOST_TEST(holder_key(1, "ca", 7).substr(0, prefix.size()) != prefix);
}

BOOST_AUTO_TEST_CASE(timers_are_in_the_order_in_which_they_are_due) {
  in_order(
    {timer_at(record_start, timer_kind::delayed, troupe::storage::key_of(1ULL)),
     timer_at(record_start, timer_kind::delayed,
              troupe::storage::key_of(256ULL)),
     timer_at(record_start, timer_kind::will, "a"),
     timer_at(record_start, timer_kind::will, "ab"),
     timer_at(record_start, timer_kind::session, "a"),
     timer_at(record_start, timer_kind::retained, "a"),
     timer_at(record_start + 1ms, timer_kind::delayed, ""),
     timer_at(record_start + 256s, timer_kind::delayed, ""),
     timer_at(record_start + 24h * 365 * 130, timer_kind::delayed, ""),
     timer_row_key(2, {record_start, timer_kind::delayed, ""}, record_times)});
  // Before 1970 there is no order any more.
  const auto long_ago = record_start - 24h * 365 * 100;
  BOOST_TEST(timer_at(long_ago, timer_kind::will, "a")
             == timer_at(long_ago - 1h, timer_kind::will, "a"));
  BOOST_TEST(as_hex(timer_at(time_point::min(), timer_kind::delayed, ""))
             == "0001"
                "0000000000000000"
                "00");
}

BOOST_AUTO_TEST_CASE(keys_of_timers_sort_as_timers_do) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  std::vector<timer_key> keys(200);
  for (auto& x : keys)
    x = {record_times.rounded(
           record_start + std::chrono::milliseconds{random.below(20) * 100}),
         static_cast<timer_kind>(random.below(4)), random.text(0, 2)};
  std::sort(keys.begin(), keys.end());
  for (std::size_t i = 1; i < keys.size(); ++i)
    BOOST_TEST((timer_row_key(1, keys[i - 1], record_times)
                <= timer_row_key(1, keys[i], record_times)));
}

BOOST_AUTO_TEST_CASE(no_two_publications_have_one_key) {
  // Without the length, "a" with 0x6201 would be "ab" cut short.
  BOOST_TEST(inbound_key(1, "a", 0x6201) != inbound_key(1, "ab", 0x01));
  BOOST_TEST(inbound_key(1, "", 0x6201).size() == 6U);
  BOOST_TEST(inbound_key(1, "ab", 1).substr(0, 6)
             == inbound_key(1, "ab", 2).substr(0, 6));
}

BOOST_AUTO_TEST_CASE(the_topic_of_a_key_is_the_one_it_was_made_of) {
  for (const std::string topic : {"a", "a/b", "/", "//", "a//b/"}) {
    const auto key = retained_key(topic);
    BOOST_TEST(key.size() == topic.size());
    BOOST_TEST((key.find('/') == std::string::npos));
    BOOST_TEST(retained_topic(key) == topic);
  }
}
