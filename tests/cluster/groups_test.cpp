// What a shard keeps for durable shared groups, and leases to live members.

#include "tests/cluster/row_store.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;

namespace {

const auto each = boost::test_tools::per_element();

command hold(const std::string& who, bool holds = true,
             const std::string& share_name = "g") {
  hold_command x{who, {}, holds, {1, 1, 0}, 9};
  x.subscription.filter = "t";
  x.subscription.share_name = share_name;
  x.subscription.options.maximum_qos = qos::exactly_once;
  return x;
}
command unhold(const std::string& who) { return hold(who, false); }

const command online = group_online_command{"g", "t"};

command done(std::uint64_t sequence) {
  return group_done_command{"g", "t", sequence};
}
/// A member that had it in flight, or could not take it, gives it back.
command give_back(const char* payload, std::uint64_t sequence = 0) {
  return group_return_command{"g", "t", make_message("t", payload), sequence};
}

lines publish(test_shard& shard, const char* payload,
              qos level = qos::at_least_once, bool logged = true) {
  return shard(publish_command{
    make_message("t", payload, {.qos = level}), {5, 1, 0}, 1, 0, logged});
}

/// A shard where "a" holds the group; with live members or without.
struct group_shard : test_shard {
  explicit group_shard(bool live = false,
                       const shard_options& options = {.shard = 3})
    : test_shard(options) {
    (*this)(hold("a"));
    set_live(live);
  }
  void set_live(bool live) {
    effects.live_groups.clear();
    if (live)
      effects.live_groups.insert("g t");
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_durable_group_keeps_what_comes_while_nobody_is_online) {
  group_shard shard;
  BOOST_TEST(publish(shard, "1") == (lines{"route t 1 1", "ack 5 1 0"}), each);
  publish(shard, "2", qos::exactly_once);
  BOOST_TEST(publish(shard, "3", qos::at_most_once)
               == (lines{"route t 3 3", "ack 5 1 16"}), // not stored
             each);
  BOOST_TEST(shard.state.stored_count() == 2U);
  BOOST_TEST(shard(online).empty()); // gone again meanwhile
  shard.set_live(true);
  BOOST_TEST(shard(online) == (lines{"group g t 1 1", "group g t 2 2"}), each);
  BOOST_TEST(shard(online).empty()); // leased already
  BOOST_TEST(shard.state.stored_count() == 2U);
}

BOOST_AUTO_TEST_CASE(what_live_members_get_is_kept_until_one_is_done) {
  group_shard shard{true};
  BOOST_TEST(publish(shard, "1")
               == (lines{"group g t 1 1", "route t 1 1", "ack 5 1 0"}),
             each);
  BOOST_TEST(publish(shard, "2", qos::exactly_once).front() == "group g t 2 2");
  BOOST_TEST(shard.state.stored_count() == 2U);
  BOOST_TEST(shard(done(2)).empty());
  BOOST_TEST(shard.state.stored_count() == 1U);
  BOOST_TEST(shard(done(2)).empty());
  BOOST_TEST(shard(done(1)).empty());
  BOOST_TEST(shard.state.stored_count() == 0U);
  BOOST_TEST(shard.state.stored_bytes() == 0U);
  BOOST_TEST(shard(online).empty());
}

BOOST_AUTO_TEST_CASE(qos0_of_a_group_goes_to_live_members_and_is_not_kept) {
  group_shard shard{true};
  BOOST_TEST(publish(shard, "1", qos::at_most_once)
               == (lines{"group g t 1 0", "route t 1 1", "ack 5 1 0"}),
             each);
  BOOST_TEST(publish(shard, "2", qos::at_most_once, false)
               == (lines{"group g t 2 0", "route t 2 0", "ack 5 1 0"}),
             each);
  BOOST_TEST(shard.state.stored_count() == 0U);
}

BOOST_AUTO_TEST_CASE(nothing_is_lost_when_all_members_go) {
  group_shard shard{true};
  publish(shard, "1");
  publish(shard, "2");
  shard.set_live(false);
  // The members' sessions give back what they had; one got an answer before.
  shard(done(1));
  BOOST_TEST(shard(give_back("2", 2)).empty());
  publish(shard, "3");
  BOOST_TEST(!shard.state.next_due()); // there is nobody to ask
  BOOST_TEST(shard.wait(10s).empty());
  shard.set_live(true);
  BOOST_TEST(shard(online) == (lines{"group g t 2 2", "group g t 3 3"}), each);
}

BOOST_AUTO_TEST_CASE(after_a_crash_all_that_is_not_done_is_handed_out_again) {
  durable_shard shard{{.shard = 3}};
  shard(hold("a"));
  shard.effects.live_groups.insert("g t");
  const auto stored = [&](const char* payload) {
    shard(publish_command{make_message("t", payload), {}, 0, 0, true});
  };
  stored("1");
  stored("2");
  shard.snapshot(); // the rest is in the log
  stored("3");
  shard(done(2));
  const auto again = shard.started_again();
  again->effects.live_groups.insert("g t");
  BOOST_TEST((*again)(online) == (lines{"group g t 1 1", "group g t 3 3"}),
             each);
}

BOOST_AUTO_TEST_CASE(what_no_member_could_take_waits_for_the_next_one) {
  group_shard shard;
  publish(shard, "1");
  shard(give_back("back"));
  shard.set_live(true);
  BOOST_TEST(shard(online) == (lines{"group g t 1 1", "group g t back 2"}),
             each);
}

BOOST_AUTO_TEST_CASE(what_comes_back_is_offered_again_a_second_later) {
  group_shard shard{true};
  for (const auto* x : {"1", "2", "3"})
    publish(shard, x);
  BOOST_TEST(shard(give_back("2", 2)).empty());
  shard.now += 500ms;
  BOOST_TEST(shard(give_back("1", 1)).empty());
  BOOST_TEST((shard.state.next_due() == shard.now + 500ms));
  BOOST_TEST(shard.wait(0s).empty());
  shard.now += 500ms;
  BOOST_TEST(shard.wait(0s) == (lines{"group g t 1 1", "group g t 2 2"}), each);
  BOOST_TEST(!shard.state.next_due());
  BOOST_TEST(shard.wait(5s).empty());
  BOOST_TEST(shard(give_back("1", 1)).empty()); // refused once more
  BOOST_TEST(shard.wait(1s) == lines{"group g t 1 1"}, each);
  BOOST_TEST(shard.state.stored_count() == 3U);
}

BOOST_AUTO_TEST_CASE(a_member_that_joins_gets_at_once_what_came_back) {
  group_shard shard{true};
  publish(shard, "1");
  publish(shard, "2");
  shard(give_back("1", 1));
  BOOST_TEST(shard(online) == lines{"group g t 1 1"}, each);
  BOOST_TEST(shard.wait(1s).empty()); // leased since
}

BOOST_AUTO_TEST_CASE(a_group_that_ends_while_it_waits_is_not_asked) {
  group_shard shard{true};
  publish(shard, "1");
  shard(give_back("1", 1));
  shard(unhold("a"));
  BOOST_TEST(shard.wait(1s).empty());
  BOOST_TEST(shard.state.stored_bytes() == 0U);
  BOOST_TEST(!shard.state.keeps_for_group("g", "t"));
}

BOOST_AUTO_TEST_CASE(the_last_durable_member_gone_a_group_keeps_nothing) {
  group_shard shard;
  shard(hold("b"));
  publish(shard, "1");
  shard.set_live(true);
  publish(shard, "2"); // both are leased: their member delivers them yet
  shard.set_live(false);
  publish(shard, "3");
  BOOST_TEST(shard(unhold("a")) == lines{"held 1 9 3"}, each);
  BOOST_TEST(shard.state.keeps_for_group("g", "t"));
  BOOST_TEST(shard(unhold("b")) == (lines{"dropped 6 1", "held 1 9 3"}), each);
  BOOST_TEST(shard.state.stored_count() == 0U);
  BOOST_TEST(shard.effects.kept_filters.empty());
  BOOST_TEST(shard(give_back("late")) == lines{"dropped 6 1"}, each);
  BOOST_TEST(shard(done(2)).empty());
  BOOST_TEST(shard(online).empty());
}

BOOST_AUTO_TEST_CASE(a_group_and_a_session_may_hold_the_same_filter) {
  group_shard shard;
  shard(hold("a", true, ""));
  publish(shard, "1");
  BOOST_TEST(shard.state.stored_count() == 1U);
  BOOST_TEST(shard(fetch_read{"a", {1, 1, 0}})
               == lines{"fetched 1 to 1 complete 1:1"},
             each);
  shard(advance_command{"a", 1}); // it is not done for the group
  BOOST_TEST(shard.state.stored_count() == 1U);
  shard.set_live(true);
  BOOST_TEST(shard(online) == lines{"group g t 1 1"}, each);
  shard(done(1));
  BOOST_TEST(shard.state.stored_count() == 0U);
}

BOOST_AUTO_TEST_CASE(each_group_of_a_filter_is_done_for_itself) {
  group_shard shard{true};
  shard(hold("a", true, "h"));
  shard.effects.live_groups.insert("h t");
  BOOST_TEST(publish(shard, "1").size() == 4U);
  shard(done(1));
  BOOST_TEST(shard.state.stored_count() == 1U);
  shard(group_done_command{"h", "t", 1});
  BOOST_TEST(shard.state.stored_count() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_leased_makes_room_and_is_not_counted_as_lost) {
  const auto size = make_message("t", "0")->memory();
  group_shard shard{true, {.shard = 3, .stored_bytes_max = 2 * size}};
  publish(shard, "1");
  shard.set_live(false);
  publish(shard, "2");
  BOOST_TEST(publish(shard, "3").front()
             == "dropped 1 0"); // 1 is with a member
  BOOST_TEST(publish(shard, "4").front() == "dropped 1 1"); // 2 is with nobody
  // The member could not take it after all: it is stored again, at the end.
  BOOST_TEST(shard(give_back("1", 1)) == lines{"dropped 1 1"}, each);
  shard.set_live(true);
  BOOST_TEST(shard(online) == (lines{"group g t 4 4", "group g t 1 5"}), each);
}

BOOST_AUTO_TEST_CASE(what_waits_is_handed_out_though_others_are_done) {
  group_shard shard{true};
  publish(shard, "1");
  shard.set_live(false);
  publish(shard, "2");
  shard(done(1));
  shard.set_live(true);
  BOOST_TEST(shard(online) == lines{"group g t 2 2"}, each);
}

BOOST_AUTO_TEST_CASE(what_a_group_is_done_with_does_not_come_back_in_a_crash) {
  durable_shard shard{{.shard = 3}};
  shard(hold("a"));
  shard(hold("a", true, "")); // still has to get it
  shard(publish_command{make_message("t", "1"), {}, 0, 0, true});
  shard.snapshot();
  shard(done(1));
  shard.snapshot();
  const auto again = shard.started_again();
  again->effects.live_groups.insert("g t");
  BOOST_TEST((*again)(online).empty());
  again->sweep();
  BOOST_TEST(again->state.stored_count() == 1U);
}

BOOST_AUTO_TEST_CASE(what_all_sessions_of_a_filter_had_goes_after_a_crash_too) {
  durable_shard shard{{.shard = 3}};
  shard(hold("a", true, ""));
  shard(hold("b"));
  shard(publish_command{make_message("t", "1"), {}, 0, 0, true});
  shard.snapshot();
  shard(advance_command{"a", 1});
  shard.snapshot(); // the message's row still names the session's filter
  const auto again = shard.started_again();
  again->effects.live_groups.insert("g t");
  (*again)(online);
  (*again)(done(1)); // the group was the last to need it
  again->sweep();
  BOOST_TEST(again->state.stored_count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_message_that_is_bound_to_a_member_goes_to_nobody_else) {
  group_shard shard{true};
  publish(shard, "1", qos::exactly_once);
  group_done_command bind{"g", "t", 1, {4, 1, 0}, 9};
  BOOST_TEST(shard(bind) == lines{"taken 4 9"}, each);
  BOOST_TEST(shard.state.stored_count() == 0U);
  BOOST_TEST(shard(online).empty());
}
