// What becomes of a session, its will and its state.

#include "tests/cluster/row_store.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;
using fate = release_command::will_fate;

namespace {

const auto each = boost::test_tools::per_element();
const shard_options alone{.shard = 0, .shards = 1};

client_ref client(std::uint32_t slot) { return {slot, 1, 0}; }

command claim(std::uint32_t slot, bool clean_start = false,
              std::uint32_t expiry = 0,
              std::shared_ptr<will_record> will = nullptr) {
  return claim_command{"c", client(slot), clean_start, expiry, std::move(will)};
}

std::shared_ptr<will_record> will(std::chrono::seconds delay = 0s,
                                  const char* payload = "gone") {
  auto made = std::make_shared<will_record>();
  made->message = make_message("will", payload);
  made->delay = delay;
  return made;
}

/// The owner's connection ended and its session is kept.
command keep(std::uint64_t epoch, std::uint32_t expiry,
             fate what = fate::publish) {
  return release_command{
    "c", client(1), epoch, std::make_shared<session_record>(), expiry, what};
}

command drop(std::uint64_t epoch, fate what = fate::publish) {
  return release_command{"c", client(1), epoch, nullptr, 0, what};
}

struct subscription_shape {
  qos maximum_qos = qos::at_least_once;
  bool exclusive = false;
  std::string share_name{};
};

command subscribe(std::uint64_t epoch, const std::string& filter,
                  const subscription_shape& shape = {}) {
  subscribe_command x;
  x.client_id = "c";
  x.epoch = epoch;
  x.subscription.filter = filter;
  x.subscription.share_name = shape.share_name;
  x.subscription.exclusive = shape.exclusive;
  x.subscription.options.maximum_qos = shape.maximum_qos;
  x.who = client(1);
  x.token = 9;
  return x;
}

command unsubscribe(std::uint64_t epoch, const std::string& filter) {
  auto x = std::get<subscribe_command>(subscribe(epoch, filter));
  x.subscribes = false;
  return x;
}

const session_record& granted_record(const test_shard& shard) {
  return *shard.effects.grants.back().record;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_first_claim_gets_a_fresh_session) {
  test_shard shard{alone};
  BOOST_TEST(shard(claim(1, false, 100)) == lines{"granted 1 fresh epoch 1"},
             each);
  BOOST_TEST(*shard.state.keeps_session("c"));
  BOOST_TEST(shard.effects.grants.back().incarnation == 1U);
  BOOST_TEST(shard.state.offline_count() == 0U);
  BOOST_TEST(shard(drop(1)) == lines{"released c"}, each);
  BOOST_TEST(!*shard.state.keeps_session("c"));
}

BOOST_AUTO_TEST_CASE(a_session_without_expiry_or_will_leaves_no_trace) {
  test_shard shard{alone};
  BOOST_TEST(shard(claim(1, true)) == lines{"granted 1 fresh epoch 0"}, each);
  BOOST_TEST(shard.state.session_count() == 0U);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_5_a_kept_session_is_resumed) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  shard(subscribe(1, "t"));
  BOOST_TEST(shard(keep(1, 100)) == lines{"released c"}, each);
  BOOST_TEST(shard.state.offline_count() == 1U);
  BOOST_TEST(shard(claim(2, false, 100)) == lines{"granted 2 present epoch 2"},
             each);
  BOOST_TEST(granted_record(shard).subscriptions.size() == 1U);
  BOOST_TEST(shard.effects.grants.back().incarnation == 1U); // the same life
  BOOST_TEST(shard.state.offline_count() == 0U);
  BOOST_TEST(!shard.state.next_due());
  BOOST_TEST(shard.wait(1000s).empty()); // the old expiry is off
}

BOOST_AUTO_TEST_CASE(a_session_is_resumed_as_its_owner_left_it) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  auto left = std::get<release_command>(keep(1, 100));
  left.record->next_packet_identifier = 77;
  left.record->cursors = {{0, 5}};
  kept_message in_flight;
  in_flight.what.message = make_message("t", "x");
  in_flight.packet_identifier = 76;
  left.record->kept.push_back(in_flight);
  left.record->kept.emplace_back();
  left.record->kept[1].what.message = make_message("t", "y");
  // What the shard itself keeps is not for the owner to say.
  left.record->subscriptions.resize(3);
  left.record->awaiting_release.resize(3);
  BOOST_TEST(shard(left) == (lines{"forward 0 1 advance c 5", "released c"}),
             each);
  shard(claim(2, false, 100));
  BOOST_TEST(describe(granted_record(shard))
             == "next 77 subscriptions kept 76:x:0:0 0:y:0:0 awaiting outbound"
                " cursors 0:5");
}

BOOST_AUTO_TEST_CASE(a_grant_is_a_copy_that_the_shard_does_not_change) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  shard(keep(1, 100));
  shard(claim(2, false, 100));
  shard(subscribe(2, "t"));
  BOOST_TEST(granted_record(shard).subscriptions.empty());
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_4_clean_start_ends_the_kept_session) {
  test_shard shard{alone};
  shard(claim(1, false, 100, will(50s)));
  shard(subscribe(1, "t"));
  shard(subscribe(1, "e", {.exclusive = true}));
  shard(subscribe(1, "zero", {.maximum_qos = qos::at_most_once}));
  shard(keep(1, 100));
  BOOST_TEST(shard.effects.exclusive.contains("c e"));
  BOOST_TEST(shard(claim(2, true, 100))
               == (lines{"forward 0 3 publish will gone",
                         "forward 0 4 unhold c t", "forward 0 5 unhold c e",
                         "ended c 3", "granted 2 fresh epoch 2"}),
             each);
  BOOST_TEST(shard.effects.exclusive.empty());
  BOOST_TEST(shard.effects.grants.back().incarnation == 2U); // a new life
  BOOST_TEST(shard.state.offline_count() == 0U);
  BOOST_TEST(shard.wait(1000s).empty()); // its timers are off
}

BOOST_AUTO_TEST_CASE(a_claim_with_clean_start_and_no_expiry_keeps_nothing) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  shard(keep(1, 100));
  BOOST_TEST(shard(claim(2, true))
               == (lines{"ended c 0", "granted 2 fresh epoch 0"}),
             each);
  BOOST_TEST(shard.state.session_count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_release_with_an_old_epoch_changes_nothing) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  shard(keep(1, 100));
  shard(claim(2, false, 100, will()));
  for (const auto& late : {drop(1), keep(1, 100), keep(7, 100), drop(0)})
    BOOST_TEST(shard(late) == lines{"released c"}, each);
  BOOST_TEST(shard.state.session_count() == 1U);
  BOOST_TEST(shard.state.offline_count() == 0U);
  BOOST_TEST(!shard.state.next_due());
}

BOOST_AUTO_TEST_CASE(a_second_release_of_the_same_epoch_changes_nothing) {
  test_shard shard{alone};
  shard(claim(1, false, 100, will()));
  BOOST_TEST(shard(keep(1, 100))
               == (lines{"forward 0 1 publish will gone", "released c"}),
             each);
  BOOST_TEST(shard(drop(1)) == lines{"released c"}, each);
  BOOST_TEST(shard.state.offline_count() == 1U);
}

BOOST_AUTO_TEST_CASE(what_an_old_owner_still_sends_changes_nothing) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  shard(keep(1, 100));
  shard(claim(2, false, 100));
  checkpoint_command checkpoint{"c", 1, {}, {{0, 9}}};
  outbound_command outbound{"c", 1, {{{0, 9}, 3}}, {}, {}, client(1)};
  BOOST_TEST(shard(subscribe(1, "t")).empty());
  BOOST_TEST(shard(checkpoint).empty());
  BOOST_TEST(shard(outbound) == lines{"noted 1"}, each);
  BOOST_TEST(shard(inbound_command{"c", 1, 5, 0, true, client(1)}).empty());
  shard(keep(2, 100));
  BOOST_TEST(shard(subscribe(2, "t")).empty()); // released meanwhile
  shard(claim(3, false, 100));
  BOOST_TEST(describe(granted_record(shard))
             == "next 1 subscriptions kept awaiting outbound cursors");
}

// ---- subscriptions ---------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_subscription_is_held_where_its_topics_are) {
  test_shard shard{{.shard = 1, .shards = 3}};
  shard(claim(1, false, 100));
  const auto exact = std::to_string(shard_of("a/b", 3));
  BOOST_TEST(
    shard(subscribe(1, "a/b"))
      == (lines{"forward " + exact + " 1 hold c a/b", "subscribed 1 9"}),
    each);
  const auto all = shard(subscribe(1, "a/+"));
  BOOST_TEST(all.size() == 4U);
  const auto gone = shard(unsubscribe(1, "a/+"));
  BOOST_TEST(gone.size() == 4U);
  BOOST_TEST(gone[0]
             == "forward 0 " + std::string{exact == "0" ? "3" : "2"}
                  + " unhold c a/+");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_4_3_subscribing_again_replaces) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  shard(subscribe(1, "t"));
  shard(subscribe(1, "t", {.share_name = "g"})); // another subscription
  BOOST_TEST(shard(subscribe(1, "t", {.maximum_qos = qos::exactly_once}))
               == (lines{"forward 0 3 hold c t", "subscribed 1 9"}),
             each);
  // At QoS 0 nobody keeps anything for it.
  BOOST_TEST(shard(subscribe(1, "t", {.maximum_qos = qos::at_most_once}))
               == (lines{"forward 0 4 unhold c t", "subscribed 1 9"}),
             each);
  BOOST_TEST(shard(subscribe(1, "t", {.maximum_qos = qos::at_most_once}))
               == lines{"subscribed 1 9"},
             each);
  shard(keep(1, 100));
  shard(claim(2, false, 100));
  BOOST_TEST(granted_record(shard).subscriptions.size() == 2U);
}

BOOST_AUTO_TEST_CASE(unsubscribing_what_is_not_there_is_answered) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  BOOST_TEST(shard(unsubscribe(1, "t")) == lines{"subscribed 1 9"}, each);
  shard(subscribe(1, "t", {.maximum_qos = qos::at_most_once}));
  BOOST_TEST(shard(unsubscribe(1, "t")) == lines{"subscribed 1 9"}, each);
  shard(subscribe(1, "t", {.exclusive = true}));
  BOOST_TEST(shard.effects.exclusive.size() == 1U);
  BOOST_TEST(shard(unsubscribe(1, "t"))
               == (lines{"forward 0 2 unhold c t", "subscribed 1 9"}),
             each);
  BOOST_TEST(shard.effects.exclusive.empty());
}

// ---- expiry ----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_23_a_session_is_kept_until_its_expiry) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  shard(subscribe(1, "t"));
  shard(keep(1, 60)); // DISCONNECT may have changed it
  BOOST_TEST((shard.state.next_due() == shard.now + 60s));
  BOOST_TEST(shard.wait(59s).empty());
  BOOST_TEST(shard.wait(1s) == (lines{"forward 0 2 unhold c t", "ended c 1"}),
             each);
  BOOST_TEST(shard.state.session_count() == 0U);
  BOOST_TEST(shard.state.offline_count() == 0U);
  BOOST_TEST(!shard.state.next_due());
  BOOST_TEST(shard(claim(2, false, 1)) == lines{"granted 2 fresh epoch 2"},
             each);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_11_2_the_largest_expiry_never_ends_a_session) {
  test_shard shard{alone};
  shard(claim(1, false, never_expires));
  shard(keep(1, never_expires));
  BOOST_TEST(!shard.state.next_due());
  BOOST_TEST(shard.wait(std::chrono::hours{1'000'000}).empty());
  BOOST_TEST(shard.state.offline_count() == 1U);
}

BOOST_AUTO_TEST_CASE(only_the_expiry_of_the_last_disconnection_counts) {
  test_shard shard{alone};
  shard(claim(1, false, 100));
  shard(keep(1, 100));
  shard.wait(50s);
  shard(claim(2, false, 100));
  shard(keep(2, 100));
  BOOST_TEST((shard.state.next_due() == shard.now + 100s));
  BOOST_TEST(shard.wait(60s).empty());
  BOOST_TEST(shard.wait(40s) == lines{"ended c 0"}, each);
}

// ---- wills -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_8_a_will_is_published_when_the_socket_ends) {
  test_shard shard{alone};
  BOOST_TEST(shard(claim(1, false, 0, will()))
               == lines{"granted 1 fresh epoch 1"},
             each);
  BOOST_TEST(shard(drop(1))
               == (lines{"forward 0 1 publish will gone", "released c"}),
             each);
  BOOST_TEST(shard.state.session_count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_will_goes_to_the_shard_of_its_topic) {
  test_shard shard{{.shard = 3, .shards = 16}};
  shard(claim(1, false, 0, will()));
  BOOST_TEST(shard(drop(1)).front()
             == text("forward ", shard_of("will", 16), " 1 publish will gone"));
}

BOOST_AUTO_TEST_CASE(the_expiry_of_a_will_message_begins_when_it_is_published) {
  test_shard shard{alone};
  auto made = std::make_shared<will_record>();
  made->message =
    make_message("will", "x", {.retain = true, .expiry = 30, .publisher = "c"});
  shard(claim(1, false, 0, made));
  shard.now += 100s;
  message_ptr published;
  shard.effects.on_forward = [&](auto, forward_command&& x) {
    published = std::get<publish_command>(x.what->what).message;
  };
  shard(drop(1));
  BOOST_REQUIRE(published);
  BOOST_TEST(
    describe(published)
    == describe(make_message(
      "will", "x",
      {.retain = true, .expiry = 30, .at = shard.now, .publisher = "c"})));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_4_3_a_normal_disconnect_discards_the_will) {
  test_shard shard{alone};
  shard(claim(1, false, 0, will()));
  BOOST_TEST(shard(drop(1, fate::discard)) == lines{"released c"}, each);
  shard(claim(1, false, 100, will(10s)));
  BOOST_TEST(shard(keep(2, 100, fate::discard)) == lines{"released c"}, each);
  BOOST_TEST(shard.wait(50s).empty());
  BOOST_TEST(shard.wait(50s) == lines{"ended c 0"}, each);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_2_2_a_will_waits_for_its_delay) {
  test_shard shard{alone};
  shard(claim(1, false, 100, will(10s)));
  BOOST_TEST(shard(keep(1, 100)) == lines{"released c"}, each);
  BOOST_TEST((shard.state.next_due() == shard.now + 10s));
  BOOST_TEST(shard.wait(9s).empty());
  BOOST_TEST(shard.wait(1s) == lines{"forward 0 1 publish will gone"}, each);
  BOOST_TEST((shard.state.next_due() == shard.now + 90s));
  BOOST_TEST(shard.wait(90s) == lines{"ended c 0"}, each); // not twice
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_9_a_resumed_session_cancels_its_will) {
  test_shard shard{alone};
  shard(claim(1, false, 100, will(10s)));
  shard(keep(1, 100));
  shard.wait(5s);
  BOOST_TEST(shard(claim(2, false, 100)) == lines{"granted 2 present epoch 2"},
             each);
  BOOST_TEST(shard.wait(20s).empty());
  BOOST_TEST(shard(keep(2, 100)) == lines{"released c"}, each); // no new one
}

BOOST_AUTO_TEST_CASE(the_will_of_the_new_connection_replaces_the_old_one) {
  test_shard shard{alone};
  shard(claim(1, false, 100, will(10s, "old")));
  shard(keep(1, 100));
  shard(claim(2, false, 100, will(20s, "new")));
  shard(keep(2, 100));
  BOOST_TEST(shard.wait(19s).empty());
  BOOST_TEST(shard.wait(1s) == lines{"forward 0 1 publish will new"}, each);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_1_2_10_a_will_goes_at_the_latest_with_its_session) {
  for (const auto delay : {20s, 1000s}) { // also if both are due at once
    test_shard shard{alone};
    shard(claim(1, false, 20, will(delay)));
    shard(keep(1, 20));
    BOOST_TEST(shard.wait(20s)
                 == (lines{"forward 0 1 publish will gone", "ended c 0"}),
               each);
    BOOST_TEST(shard.wait(1000s).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_takeover_publishes_the_will_unless_it_has_a_delay) {
  for (const auto delay : {0s, 10s}) {
    test_shard shard{alone};
    shard(claim(1, false, 100, will(delay)));
    const auto left = shard(keep(1, 100));
    BOOST_TEST(
      left.front()
      == (delay == 0s ? "forward 0 1 publish will gone" : "released c"));
    BOOST_TEST(
      shard(claim(2, false, 100)) == lines{"granted 2 present epoch 2"}, each);
    BOOST_TEST(shard.wait(1000s).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_session_that_its_owner_ends_publishes_the_will_once) {
  test_shard shard{alone};
  shard(claim(1, false, 100, will(10s)));
  BOOST_TEST(shard(drop(1))
               == (lines{"forward 0 1 publish will gone", "released c"}),
             each);
  BOOST_TEST(shard(claim(2, true, 100)) == lines{"granted 2 fresh epoch 2"},
             each);
  BOOST_TEST(shard.wait(1000s).empty());
}

BOOST_AUTO_TEST_CASE(the_wills_of_several_sessions_come_in_their_order) {
  test_shard shard{alone};
  for (std::uint32_t i = 0; i < 4; ++i) {
    const auto name = std::to_string(i);
    const auto delay = std::chrono::seconds{i == 3 ? 20 : 30 - 10 * i};
    shard(claim_command{name, client(i), true, 100, will(delay, name.c_str())});
    shard(release_command{name, client(i), i + 1,
                          std::make_shared<session_record>(), 100,
                          fate::publish});
  }
  BOOST_TEST(
    shard.wait(30s)
      == (lines{"forward 0 1 publish will 2", "forward 0 2 publish will 1",
                "forward 0 3 publish will 3", "forward 0 4 publish will 0"}),
    each);
}

BOOST_AUTO_TEST_CASE(timers_that_were_called_off_do_not_change_the_order) {
  // Who comes from a snapshot knows nothing of them.
  durable_shard shard{alone};
  for (const auto* name : {"b", "a"}) {
    shard(claim_command{name, client(1), true, 100, will(5s, name)});
    shard(release_command{name, client(1), name[0] == 'b' ? 1U : 2U,
                          std::make_shared<session_record>(), 100,
                          fate::publish});
  }
  shard(claim_command{"b", client(1), false, 100, will(30s, "b")});
  shard(release_command{"b", client(1), 3, std::make_shared<session_record>(),
                        100, fate::publish});
  shard.snapshot();
  auto other = shard.started_again();
  BOOST_TEST((shard.state.next_due() == other->state.next_due()));
  other->effects.on_forward = nullptr;
  const lines wanted{"forward 0 1 publish will a",
                     "forward 0 2 publish will b"};
  BOOST_TEST(shard.wait(30s) == wanted, each);
  BOOST_TEST(other->wait(30s) == wanted, each);
}

// ---- restart ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_restart_takes_sessions_offline_with_their_timers) {
  test_shard shard{alone};
  shard(claim(1, false, 100, will(10s)));
  shard(subscribe(1, "t"));
  shard.now += 1000s;
  BOOST_TEST(shard(restart_command{}).empty());
  BOOST_TEST(shard.state.offline_count() == 1U);
  BOOST_TEST((shard.state.next_due() == shard.now + 10s));
  BOOST_TEST(shard(keep(1, 100)) == lines{"released c"}, each); // too late
  BOOST_TEST(shard.wait(10s) == lines{"forward 0 2 publish will gone"}, each);
  BOOST_TEST(shard(restart_command{}).empty()); // its expiry goes on
  BOOST_TEST(shard.wait(89s).empty());
  BOOST_TEST(shard.wait(1s) == (lines{"forward 0 3 unhold c t", "ended c 1"}),
             each);
}

BOOST_AUTO_TEST_CASE(a_session_that_a_restart_took_offline_is_resumed) {
  test_shard shard{alone};
  shard(claim(1, false, never_expires));
  shard(subscribe(1, "t"));
  BOOST_TEST(shard(restart_command{}).empty());
  BOOST_TEST(!shard.state.next_due());
  BOOST_TEST(shard(claim(2, false, 100)) == lines{"granted 2 present epoch 2"},
             each);
  BOOST_TEST(granted_record(shard).subscriptions.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_restart_ends_what_ends_with_its_connection) {
  for (const auto delay : {0s, 10s}) { // the session's end comes first
    test_shard shard{alone};
    shard(claim(1, true, 0, will(delay)));
    BOOST_TEST(shard(restart_command{})
                 == (lines{"forward 0 1 publish will gone", "ended c 0"}),
               each);
    BOOST_TEST(shard.state.session_count() == 0U);
    BOOST_TEST(shard.state.offline_count() == 0U);
    BOOST_TEST(shard.wait(100s).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_restart_takes_sessions_in_the_order_of_their_names) {
  test_shard shard{alone};
  for (const auto* name : {"c", "a", "d", "b"})
    shard(claim_command{name, client(1), true, 100, will(0s, name)});
  BOOST_TEST(
    shard(restart_command{})
      == (lines{"forward 0 1 publish will a", "forward 0 2 publish will b",
                "forward 0 3 publish will c", "forward 0 4 publish will d"}),
    each);
}

BOOST_AUTO_TEST_CASE(what_binds_only_connected_clients_needs_no_log) {
  for (const command& x : {command{fetch_read{}}, command{retained_read{}},
                           command{group_online_command{}}})
    BOOST_TEST(!needs_log(x));
  publish_command unlogged;
  unlogged.logged = false;
  BOOST_TEST(!needs_log(unlogged));
  for (const command& x :
       {command{publish_command{}}, claim(1), drop(1), subscribe(1, "t"),
        command{checkpoint_command{}}, command{inbound_command{}},
        command{inbound_end_command{}}, command{inbound_forget_command{}},
        command{outbound_command{}}, command{hold_command{}},
        command{advance_command{}}, command{group_done_command{}},
        command{group_return_command{}}, command{remove_retained_command{}},
        command{time_command{}}, command{restart_command{}},
        command{forward_command{}}, command{forwarded_command{}}})
    BOOST_TEST(needs_log(x));
}
