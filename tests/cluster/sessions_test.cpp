// Who owns a session, and what becomes of its will and its state.

#include "tests/cluster/support.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;
using fate = release_command::will_fate;

namespace {

const auto each = boost::test_tools::per_element();

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
  auto record = std::make_shared<session_record>();
  record->subscriptions.resize(2);
  return release_command{"c", epoch, std::move(record), expiry, what};
}

command drop(std::uint64_t epoch, fate what = fate::publish) {
  return release_command{"c", epoch, nullptr, 0, what};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_first_claim_gets_a_fresh_session) {
  test_shard shard;
  BOOST_TEST(shard(claim(1)) == lines{"granted 1 fresh epoch 1"}, each);
  BOOST_TEST(shard.state.session_count() == 1U);
  BOOST_TEST(shard(drop(1)).empty());
  BOOST_TEST(shard.state.session_count() == 0U);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_5_a_kept_session_is_resumed) {
  test_shard shard;
  shard(claim(1, false, 100));
  BOOST_TEST(shard(keep(1, 100)).empty());
  BOOST_TEST(shard.state.offline_count() == 1U);
  BOOST_TEST(shard(claim(2, false, 100)) == lines{"granted 2 present epoch 2"},
             each);
  BOOST_TEST(shard.effects.grants.back().record->subscriptions.size() == 2U);
  BOOST_TEST(shard.state.offline_count() == 0U);
  BOOST_TEST(shard.wait(1000s).empty()); // the old expiry is off
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_4_clean_start_ends_the_kept_session) {
  test_shard shard;
  shard(claim(1, false, 100));
  shard(keep(1, 100));
  BOOST_TEST(shard(claim(2, true, 100))
               == (lines{"ended c 2", "granted 2 fresh epoch 2"}),
             each);
  BOOST_TEST(shard.state.offline_count() == 0U);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_4_3_a_takeover_waits_until_the_owner_released) {
  test_shard shard;
  shard(claim(1, false, 100));
  BOOST_TEST(shard(claim(2, false, 100)) == lines{"evict 1 c epoch 1"}, each);
  BOOST_TEST(shard(keep(1, 100)) == lines{"granted 2 present epoch 2"}, each);
  BOOST_TEST(shard.wait(1000s).empty()); // no expiry for a session in use
  BOOST_TEST(shard.state.session_count() == 1U);
}

BOOST_AUTO_TEST_CASE(a_takeover_of_a_transient_session_gets_a_fresh_one) {
  test_shard shard;
  shard(claim(1));
  BOOST_TEST(shard(claim(2, true)) == lines{"evict 1 c epoch 1 discard"}, each);
  BOOST_TEST(shard(drop(1)) == lines{"granted 2 fresh epoch 2"}, each);
  BOOST_TEST(shard.state.session_count() == 1U);
}

BOOST_AUTO_TEST_CASE(the_latest_of_several_claims_gets_the_session) {
  test_shard shard;
  shard(claim(1, false, 100));
  shard(claim(2, false, 100));
  BOOST_TEST(shard(claim(3, false, 100)) == lines{"superseded 2"}, each);
  BOOST_TEST(shard(claim(4, true, 100)) == lines{"superseded 3"}, each);
  BOOST_TEST(shard(keep(1, 100))
               == (lines{"ended c 2", "granted 4 fresh epoch 2"}),
             each);
}

BOOST_AUTO_TEST_CASE(a_release_with_an_old_epoch_changes_nothing) {
  test_shard shard;
  shard(claim(1, false, 100));
  shard(claim(2, false, 100));
  shard(keep(1, 100));
  BOOST_TEST(shard(drop(1)).empty());
  BOOST_TEST(shard(keep(7, 100)).empty());
  BOOST_TEST(shard.state.session_count() == 1U);
  BOOST_TEST(shard.state.offline_count() == 0U);
  BOOST_TEST(shard(claim(3, false, 100)) == lines{"evict 2 c epoch 2"}, each);
}

BOOST_AUTO_TEST_CASE(a_second_release_of_the_same_epoch_changes_nothing) {
  test_shard shard;
  shard(claim(1, false, 100, will()));
  BOOST_TEST(shard(keep(1, 100)) == lines{"publish will gone"}, each);
  BOOST_TEST(shard(drop(1)).empty());
  BOOST_TEST(shard.state.offline_count() == 1U);
}

// ---- expiry ----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_23_a_session_is_kept_until_its_expiry) {
  test_shard shard;
  shard(claim(1, false, 100));
  shard(keep(1, 60)); // DISCONNECT may have changed it
  BOOST_TEST((shard.state.next_due() == shard.now + 60s));
  BOOST_TEST(shard.wait(59s).empty());
  BOOST_TEST(shard.wait(1s) == lines{"ended c 2"}, each);
  BOOST_TEST(shard.state.session_count() == 0U);
  BOOST_TEST(shard.state.offline_count() == 0U);
  BOOST_TEST(shard(claim(2)) == lines{"granted 2 fresh epoch 2"}, each);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_11_2_the_largest_expiry_never_ends_a_session) {
  test_shard shard;
  shard(claim(1, false, never_expires));
  shard(keep(1, never_expires));
  BOOST_TEST(!shard.state.next_due());
  BOOST_TEST(shard.wait(std::chrono::hours{1'000'000}).empty());
  BOOST_TEST(shard.state.offline_count() == 1U);
}

BOOST_AUTO_TEST_CASE(only_the_expiry_of_the_last_disconnection_counts) {
  test_shard shard;
  shard(claim(1, false, 100));
  shard(keep(1, 100));
  shard.wait(50s);
  shard(claim(2, false, 100));
  shard(keep(2, 100));
  BOOST_TEST(shard.wait(60s).empty());
  BOOST_TEST(shard.wait(40s) == lines{"ended c 2"}, each);
}

// ---- wills -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_8_a_will_is_published_when_the_socket_ends) {
  test_shard shard;
  shard(claim(1, false, 0, will()));
  BOOST_TEST(shard(drop(1)) == lines{"publish will gone"}, each);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_4_3_a_normal_disconnect_discards_the_will) {
  test_shard shard;
  shard(claim(1, false, 0, will()));
  BOOST_TEST(shard(drop(1, fate::discard)).empty());
  shard(claim(1, false, 100, will(10s)));
  BOOST_TEST(shard(keep(2, 100, fate::discard)).empty());
  BOOST_TEST(shard.wait(50s).empty());
  BOOST_TEST(shard.wait(50s) == lines{"ended c 2"}, each);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_2_2_a_will_waits_for_its_delay) {
  test_shard shard;
  shard(claim(1, false, 100, will(10s)));
  BOOST_TEST(shard(keep(1, 100)).empty());
  BOOST_TEST(shard.wait(9s).empty());
  BOOST_TEST(shard.wait(1s) == lines{"publish will gone"}, each);
  BOOST_TEST(shard.wait(90s) == lines{"ended c 2"}, each); // not twice
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_9_a_resumed_session_cancels_its_will) {
  test_shard shard;
  shard(claim(1, false, 100, will(10s)));
  shard(keep(1, 100));
  shard.wait(5s);
  BOOST_TEST(shard(claim(2, false, 100)) == lines{"granted 2 present epoch 2"},
             each);
  BOOST_TEST(shard.wait(20s).empty());
  BOOST_TEST(shard(keep(2, 100)).empty()); // and there is no new one
}

BOOST_AUTO_TEST_CASE(the_will_of_the_new_connection_replaces_the_old_one) {
  test_shard shard;
  shard(claim(1, false, 100, will(10s, "old")));
  shard(keep(1, 100));
  shard(claim(2, false, 100, will(20s, "new")));
  shard(keep(2, 100));
  BOOST_TEST(shard.wait(19s).empty());
  BOOST_TEST(shard.wait(1s) == lines{"publish will new"}, each);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_1_2_10_a_will_goes_at_the_latest_with_its_session) {
  test_shard shard;
  shard(claim(1, false, 20, will(1000s)));
  shard(keep(1, 20));
  BOOST_TEST(shard.wait(20s) == (lines{"publish will gone", "ended c 2"}),
             each);
  BOOST_TEST(shard.wait(1000s).empty());
}

BOOST_AUTO_TEST_CASE(a_will_that_waits_is_published_by_a_clean_start) {
  test_shard shard;
  shard(claim(1, false, 100, will(10s)));
  shard(keep(1, 100));
  BOOST_TEST(
    shard(claim(2, true, 100))
      == (lines{"publish will gone", "ended c 2", "granted 2 fresh epoch 2"}),
    each);
  BOOST_TEST(shard.wait(100s).empty());
}

BOOST_AUTO_TEST_CASE(a_takeover_publishes_the_will_unless_it_has_a_delay) {
  for (const auto delay : {0s, 10s}) {
    test_shard shard;
    shard(claim(1, false, 100, will(delay)));
    shard(claim(2, false, 100));
    const auto after = shard(keep(1, 100));
    if (delay == 0s)
      BOOST_TEST(after
                   == (lines{"publish will gone", "granted 2 present epoch 2"}),
                 each);
    else
      BOOST_TEST(after == lines{"granted 2 present epoch 2"}, each);
    BOOST_TEST(shard.wait(1000s).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_takeover_with_clean_start_publishes_the_will_once) {
  test_shard shard;
  shard(claim(1, false, 100, will(10s)));
  shard(claim(2, true, 100));
  BOOST_TEST(shard(drop(1))
               == (lines{"publish will gone", "granted 2 fresh epoch 2"}),
             each);
  BOOST_TEST(shard.wait(1000s).empty());
}

BOOST_AUTO_TEST_CASE(the_wills_of_several_sessions_come_in_their_order) {
  test_shard shard;
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto name = std::to_string(i);
    shard(claim_command{name, client(i), true, 100,
                        will(std::chrono::seconds{30 - 10 * i}, name.c_str())});
    auto record = std::make_shared<session_record>();
    shard(release_command{name, i + 1, record, 100, fate::publish});
  }
  BOOST_TEST(shard.wait(30s)
               == (lines{"publish will 2", "publish will 1", "publish will 0"}),
             each);
}

BOOST_AUTO_TEST_CASE(what_binds_only_a_live_session_needs_no_log) {
  BOOST_TEST(!needs_log(claim(1)));
  BOOST_TEST(needs_log(claim(1, false, 1)));
  BOOST_TEST(needs_log(claim(1, true, 0, will())));
  BOOST_TEST(!needs_log(drop(1)));
  BOOST_TEST(needs_log(keep(1, 1)));
  BOOST_TEST(!needs_log(fetch_read{}));
  BOOST_TEST(!needs_log(retained_read{}));
  publish_command unlogged;
  unlogged.logged = false;
  BOOST_TEST(!needs_log(unlogged));
  BOOST_TEST(needs_log(publish_command{}));
}
