// Wrong logins counted by address and user.

#include "auth/address_key.hpp"
#include "auth/guard.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::auth;
using namespace std::chrono_literals;
using troupe::net::endpoint;

namespace {

const troupe::protocol::time_point start{1'000h};

guard_options three() {
  guard_options x;
  x.failures_max = 3;
  x.address_failures_max = 0;
  return x;
}

/// At the address "a".
void lock_alice(guard& rules) {
  for (int i = 0; i < 3; ++i)
    rules.failed("a", "alice", start);
}

std::string key(const char* text) {
  return address_key(endpoint::parse(text).value());
}

} // namespace

BOOST_AUTO_TEST_CASE(the_last_failure_of_a_window_locks_for_a_while) {
  guard rules{three()};
  BOOST_TEST(!rules.failed("a", "alice", start));
  BOOST_TEST(!rules.failed("a", "alice", start + 10s));
  BOOST_TEST(!rules.refused_for("a", "alice", start + 20s).has_value());
  BOOST_TEST((rules.failed("a", "alice", start + 20s) == locked::user));
  BOOST_TEST((rules.refused_for("a", "alice", start + 21s) == 299s));
  BOOST_TEST((rules.refused_for("a", "alice", start + 319'999ms) == 1s));
  BOOST_TEST(!rules.refused_for("a", "alice", start + 320s).has_value());
  // And from the beginning.
  BOOST_TEST(!rules.failed("a", "alice", start + 320s));
}

BOOST_AUTO_TEST_CASE(neither_another_user_nor_another_address_is_locked) {
  guard rules{three()};
  lock_alice(rules);
  BOOST_TEST(rules.refused_for("a", "alice", start).has_value());
  BOOST_TEST(!rules.refused_for("a", "bob", start).has_value());
  BOOST_TEST(!rules.refused_for("b", "alice", start).has_value());
  BOOST_TEST(!rules.refused_for("", "aalice", start).has_value());
}

BOOST_AUTO_TEST_CASE(an_operator_lifts_a_lock) {
  auto how = three();
  how.address_failures_max = 5;
  guard rules{how};
  lock_alice(rules);
  BOOST_TEST(!rules.unlock("a", std::nullopt, start));
  BOOST_TEST(!rules.unlock("a", "bob", start));
  BOOST_TEST(!rules.unlock("b", "alice", start));
  BOOST_TEST(rules.unlock("a", "alice", start));
  BOOST_TEST(!rules.refused_for("a", "alice", start).has_value());
  BOOST_TEST(!rules.unlock("a", "alice", start));
  for (int i = 0; i < 2; ++i)
    rules.failed("a", "bob", start);
  BOOST_TEST(rules.refused_for("a", "carol", start).has_value());
  BOOST_TEST(rules.unlock("a", std::nullopt, start));
  BOOST_TEST(!rules.refused_for("a", "carol", start).has_value());
}

BOOST_AUTO_TEST_CASE(failures_that_are_far_apart_lock_nobody) {
  guard rules{three()};
  for (int i = 0; i < 100; ++i)
    BOOST_TEST(!rules.failed("a", "alice", start + i * 31s));
}

BOOST_AUTO_TEST_CASE(a_right_password_forgets_the_failures_before_it) {
  guard rules{three()};
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(!rules.failed("a", "alice", start));
    BOOST_TEST(!rules.failed("a", "alice", start));
    rules.succeeded("a", "alice");
  }
}

BOOST_AUTO_TEST_CASE(an_address_that_tries_many_users_is_locked_for_all) {
  auto options = three();
  options.address_failures_max = 10;
  guard rules{options};
  for (int i = 0; i < 9; ++i)
    BOOST_TEST(!rules.failed("a", "user" + std::to_string(i), start));
  // One of its own does not help it.
  rules.succeeded("a", "mallory");
  BOOST_TEST((rules.failed("a", "user9", start) == locked::address));
  BOOST_TEST(rules.refused_for("a", "mallory", start).has_value());
  BOOST_TEST(!rules.refused_for("b", "user1", start).has_value());
  rules.clear();
  BOOST_TEST(!rules.refused_for("a", "mallory", start).has_value());
  BOOST_TEST(rules.size() == 0U);
}

BOOST_AUTO_TEST_CASE(what_was_under_way_when_the_lock_came_does_not_extend_it) {
  guard rules{three()};
  lock_alice(rules);
  for (int i = 0; i < 100; ++i)
    BOOST_TEST(!rules.failed("a", "alice", start + 299s));
  BOOST_TEST(!rules.refused_for("a", "alice", start + 300s).has_value());
}

BOOST_AUTO_TEST_CASE(the_table_is_bounded_and_forgets_the_oldest) {
  auto options = three();
  options.entries_max = 100;
  guard rules{options};
  lock_alice(rules);
  for (int i = 0; i < 99; ++i)
    rules.failed("a", std::string(60'000, 'x') + std::to_string(i), start);
  BOOST_TEST(rules.size() == 100U);
  BOOST_TEST(rules.refused_for("a", "alice", start).has_value());
  rules.failed("a", "one more", start);
  BOOST_TEST(rules.size() == 100U);
  BOOST_TEST(!rules.refused_for("a", "alice", start).has_value());
}

BOOST_AUTO_TEST_CASE(who_says_no_name_counts_for_the_address_alone) {
  guard rules{three()};
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(!rules.failed("a", "", start));
  BOOST_TEST(!rules.refused_for("a", "", start).has_value());
  auto options = three();
  options.address_failures_max = 2;
  guard strict{options};
  BOOST_TEST(!strict.failed("a", "", start));
  BOOST_TEST((strict.failed("a", "", start) == locked::address));
  BOOST_TEST(strict.refused_for("a", "", start).has_value());
}

BOOST_AUTO_TEST_CASE(many_names_do_not_push_out_a_locked_address) {
  auto options = three();
  options.address_failures_max = 1;
  options.entries_max = 10;
  guard rules{options};
  rules.failed("a", "x", start);
  for (int i = 0; i < 1'000; ++i)
    rules.failed("a", std::to_string(i), start + 1s);
  BOOST_TEST(rules.refused_for("a", "y", start + 2s).has_value());
}

BOOST_AUTO_TEST_CASE(without_limits_nobody_is_ever_locked) {
  guard_options options;
  options.failures_max = 0;
  options.address_failures_max = 0;
  guard rules{options};
  for (int i = 0; i < 1'000; ++i)
    BOOST_TEST(!rules.failed("a", "alice", start));
  BOOST_TEST(rules.size() == 0U);
}

BOOST_AUTO_TEST_CASE(who_has_a_network_of_addresses_is_one_sender) {
  BOOST_TEST(key("192.0.2.1:1") == key("192.0.2.1:2"));
  BOOST_TEST(key("192.0.2.1:1") != key("192.0.2.2:1"));
  BOOST_TEST(key("192.0.2.1:1") == key("[::ffff:192.0.2.1]:1"));
  BOOST_TEST(key("[2001:db8::1]:1") == key("[2001:db8::ffff:1]:1"));
  BOOST_TEST(key("[2001:db8::1]:1") != key("[2001:db8:0:1::1]:1"));
  BOOST_TEST(address_key(endpoint{}) != key("192.0.2.1:1"));
}
