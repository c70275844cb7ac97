// What bounds the messages that a shard keeps on its disk, who keeps them
// there, and groups that are declared.

#include "tests/cluster/row_store.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;
using troupe::protocol::drop_reason;

namespace {

const boost::test_tools::per_element each;

hold_command hold(std::string_view who, const std::string& filter,
                  bool holds = true, const std::string& share_name = {}) {
  hold_command x{std::string{who}, {}, holds, {}, 0};
  x.subscription.filter = filter;
  x.subscription.share_name = share_name;
  x.subscription.options.maximum_qos = qos::at_least_once;
  return x;
}

/// A page of its own for each message.
void publish_page(durable_shard& shard, const std::string& payload) {
  shard.publish(
    make_message("t", payload, {.at = shard.now, .publisher = "p"}));
  shard.snapshot();
}

lines payloads_for(durable_shard& shard, const std::string& who) {
  shard(fetch_read{who, {1, 1, 0}, 0, 1'000});
  lines made;
  for (const auto& x : shard.effects.pages.back().messages)
    made.push_back(payload_of(*x.message));
  return made;
}

std::string dropped(drop_reason why, int count) {
  return text("dropped ", static_cast<unsigned>(why), ' ', count);
}

/// Looks for what is to go. @returns the lines that this led to.
lines sweep(durable_shard& shard) {
  shard.effects.take();
  shard.sweep();
  return shard.effects.take();
}

} // namespace

BOOST_AUTO_TEST_CASE(what_has_waited_for_too_long_is_dropped_and_counted) {
  durable_shard shard{{.shard = 3, .stored_age_max = 60s}};
  shard(hold("a", "t"));
  shard(hold("b", "t"));
  publish_page(shard, "1");
  publish_page(shard, "2");
  shard(advance_command{"a", 1});
  shard.wait(30s);
  publish_page(shard, "3");
  BOOST_TEST(sweep(shard).empty());
  BOOST_TEST(payloads_for(shard, "b") == (lines{"1", "2", "3"}), each);
  shard.wait(31s);
  // Of the first b alone was owed, of the second both.
  BOOST_TEST(sweep(shard) == lines{dropped(drop_reason::expired, 3)}, each);
  BOOST_TEST(payloads_for(shard, "b") == lines{"3"}, each);
  BOOST_TEST(payloads_for(shard, "a") == lines{"3"}, each);
  BOOST_TEST(shard.state.stored_count() == 1U);
  BOOST_TEST(sweep(shard).empty());
}

BOOST_AUTO_TEST_CASE(the_oldest_of_a_filter_give_way_to_its_newest) {
  durable_shard shard{{.shard = 3, .stored_bytes_max = 250}};
  shard(hold("a", "t"));
  shard(hold("b", "+"));
  for (int i = 0; i < 6; ++i)
    publish_page(shard, text(i, std::string(99, 'x')));
  shard(hold("b", "+", false));     // from here on each page has its message
  BOOST_TEST(sweep(shard).empty()); // shared ones count nothing
  for (int i = 6; i < 10; ++i)
    publish_page(shard, text(i, std::string(99, 'x')));
  const auto told = sweep(shard);
  BOOST_TEST_REQUIRE(told.size() == 1U);
  BOOST_TEST(told[0].starts_with(
    text("dropped ", static_cast<unsigned>(drop_reason::queue_full), ' ')));
  const auto left = payloads_for(shard, "a");
  BOOST_TEST_REQUIRE(left.size() == 2U);
  BOOST_TEST(left[0].front() == '8');
  BOOST_TEST(left[1].front() == '9');
  BOOST_TEST(shard.state.backlog_bytes() <= 250U);
}

BOOST_AUTO_TEST_CASE(a_single_message_may_be_larger_than_the_limit) {
  durable_shard shard{{.shard = 3, .stored_bytes_max = 10}};
  shard(hold("a", "t"));
  publish_page(shard, std::string(500, 'x'));
  BOOST_TEST(sweep(shard).empty());
  BOOST_TEST(payloads_for(shard, "a").size() == 1U);
}

BOOST_AUTO_TEST_CASE(who_is_furthest_behind_is_known) {
  durable_shard shard{{.shard = 3}};
  shard(hold("slow", "t"));
  shard(hold("fast", "t"));
  shard(hold("other", "u"));
  for (int i = 0; i < 3; ++i)
    publish_page(shard, "123456789");
  shard.publish(make_message("u", "1"));
  shard(advance_command{"fast", 3});
  shard.snapshot();
  sweep(shard);
  const auto& pins = shard.state.pins();
  BOOST_TEST_REQUIRE(pins.size() == 2U);
  BOOST_TEST(pins[0].client_id == "slow");
  BOOST_TEST(pins[0].messages == 3U);
  BOOST_TEST(pins[0].bytes == 30U); // topics and payloads
  BOOST_TEST(pins[1].client_id == "other");
  shard(advance_command{"slow", 3});
  shard(advance_command{"other", 4});
  shard.snapshot();
  sweep(shard);
  BOOST_TEST(shard.state.pins().empty());
  BOOST_TEST(shard.disk.size(row_family::backlog) == 0U);
}

BOOST_AUTO_TEST_CASE(a_declared_group_collects_before_its_first_member_comes) {
  durable_shard shard{{.shard = 3}};
  shard(hold(declared_holder, "t", true, "g"));
  publish_page(shard, "1");
  const auto again = shard.started_again();
  publish_page(*again, "2");
  again->effects.live_groups.insert("g t");
  BOOST_TEST((*again)(group_online_command{"g", "t"})
               == (lines{"group g t 1 1", "group g t 2 2"}),
             each);
  (*again)(group_done_command{"g", "t", 1});
  (*again)(group_done_command{"g", "t", 2});
  sweep(*again);
  BOOST_TEST(again->state.stored_count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_declared_group_outlives_its_members) {
  durable_shard shard{{.shard = 3}};
  const auto groups = [&] {
    lines made;
    shard.state.for_each_group([&](const filter_name& name,
                                   std::uint64_t members, bool declared,
                                   std::uint64_t) {
      made.push_back(text(name.share_name, ' ', name.filter, ' ', members,
                          declared ? " declared" : ""));
    });
    return made;
  };
  shard(hold("a", "t", true, "g"));
  BOOST_TEST(groups() == lines{"g t 1"}, each);
  shard(hold(declared_holder, "t", true, "g"));
  shard(hold(declared_holder, "t", true, "g")); // once is enough
  BOOST_TEST(groups() == lines{"g t 1 declared"}, each);
  shard(hold("a", "t", false, "g"));
  BOOST_TEST(groups() == lines{"g t 0 declared"}, each);
  BOOST_TEST(shard.state.keeps_for_group("g", "t"));
  shard(hold(declared_holder, "t", false, "g"));
  BOOST_TEST(groups().empty());
  shard.snapshot();
  BOOST_TEST(shard.disk.size(row_family::group) == 0U);
  BOOST_TEST(shard.disk.size(row_family::filter) == 0U);
}
