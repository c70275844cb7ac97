#define BOOST_TEST_MODULE actors_overload_rules
#include "actors/overload_rules.hpp"
#include "actors/slow_subscriptions.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace troupe::actors;
using namespace std::chrono_literals;

namespace {

overload_options limits() {
  overload_options x;
  x.node_bytes = 1'000;
  x.connection_bytes = 100;
  x.shed_part = 0.5;
  return x;
}

int level(overload_rules& of, const overload_rules::figures& now) {
  return static_cast<int>(of.look(now).level);
}

} // namespace

BOOST_AUTO_TEST_CASE(steps_are_taken_in_their_order_as_more_waits) {
  overload_rules x{limits()};
  int last = 0;
  for (std::uint64_t bytes = 0; bytes < 2'000; ++bytes) {
    const auto now = level(x, {0, bytes, 0, false});
    BOOST_REQUIRE(now == last || now == last + 1);
    last = now;
  }
  BOOST_TEST(last == 3);
  overload_rules fresh{limits()};
  BOOST_TEST(level(fresh, {100, 300, 100, false}) == 0);
  BOOST_TEST(level(fresh, {100, 301, 100, false}) == 1);
  BOOST_TEST(level(fresh, {400, 301, 300, false}) == 2);
  BOOST_TEST(level(fresh, {400, 801, 300, false}) == 3);
}

BOOST_AUTO_TEST_CASE(a_step_is_left_a_fifth_below_where_it_was_taken) {
  overload_rules x{limits()};
  BOOST_TEST(level(x, {0, 1'001, 0, false}) == 2);
  BOOST_TEST(level(x, {0, 801, 0, false}) == 2);
  BOOST_TEST(level(x, {0, 800, 0, false}) == 1);
  BOOST_TEST(level(x, {0, 1'000, 0, false}) == 1);
  BOOST_TEST(level(x, {0, 401, 0, false}) == 1);
  BOOST_TEST(level(x, {0, 400, 0, false}) == 0);
}

BOOST_AUTO_TEST_CASE(commits_that_are_late_say_that_publishers_can_wait) {
  overload_rules x{limits()};
  BOOST_TEST(!x.look({0, 1'100, 0, false}).commits_late);
  BOOST_TEST(x.look({1'100, 0, 0, false}).commits_late);
  BOOST_TEST(level(x, {900, 0, 0, false}) == 2);
  BOOST_TEST(!x.look({700, 0, 0, false}).commits_late);
}

BOOST_AUTO_TEST_CASE(short_memory_takes_all_steps_at_once) {
  overload_rules x{limits()};
  const auto& now = x.look({0, 0, 0, true});
  BOOST_TEST((now.level == overload_level::refusing));
  BOOST_TEST(now.memory_high);
  BOOST_TEST(level(x, {0, 0, 0, false}) == 0);
}

BOOST_AUTO_TEST_CASE(what_is_switched_off_takes_no_step) {
  auto how = limits();
  overload_rules x{how};
  BOOST_TEST(level(x, {5'000, 0, 0, true}) == 3);
  how.enable = false;
  x.set_options(how);
  BOOST_TEST(level(x, {5'000, 0, 0, true}) == 0);
  BOOST_TEST(!x.last().commits_late);
  BOOST_TEST(!commit_bound::exceeded(1'000, how, false));
}

BOOST_AUTO_TEST_CASE(a_client_that_waits_goes_on_at_half_of_its_bound) {
  BOOST_TEST(!commit_bound::exceeded(100, limits(), false));
  BOOST_TEST(commit_bound::exceeded(101, limits(), false));
  BOOST_TEST(commit_bound::exceeded(51, limits(), true));
  BOOST_TEST(!commit_bound::exceeded(50, limits(), true));
}

// ---- slow subscribers ------------------------------------------------------

namespace {

slow_subs_options slow_limits() {
  slow_subs_options x;
  x.enable = true;
  x.threshold = 500ms;
  x.top = 3;
  x.expire = 300s;
  return x;
}

const slow_subscriptions::time_point zero{};

std::string text_of(slow_subscriptions& of,
                    slow_subscriptions::time_point now) {
  std::string all;
  for (const auto& x : of.list(now))
    all +=
      x.client_id + '/' + x.topic + ':' + std::to_string(x.took.count()) + ' ';
  return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_slowest_pairs_of_client_and_topic_are_kept_in_order) {
  slow_subscriptions x{slow_limits()};
  x.note("a", "t", 600ms, zero);
  x.note("b", "t", 800ms, zero);
  x.note("a", "u", 700ms, zero);
  x.note("c", "t", 550ms, zero); // there are three that are slower
  x.note("d", "t", 499ms, zero); // not slow
  BOOST_TEST(text_of(x, zero) == "b/t:800 a/u:700 a/t:600 ");
  x.note("c", "t", 2s, zero);
  BOOST_TEST(text_of(x, zero) == "c/t:2000 b/t:800 a/u:700 ");
  x.note("a", "u", 900ms, zero);
  x.note("a", "u", 650ms, zero); // not the longest of its times
  BOOST_TEST(text_of(x, zero) == "c/t:2000 a/u:900 b/t:800 ");
}

BOOST_AUTO_TEST_CASE(a_pair_that_was_not_slow_for_long_is_forgotten) {
  slow_subscriptions x{slow_limits()};
  x.note("a", "t", 600ms, zero);
  x.note("b", "t", 800ms, zero + 200s);
  BOOST_TEST(text_of(x, zero + 300s) == "b/t:800 a/t:600 ");
  BOOST_TEST(text_of(x, zero + 301s) == "b/t:800 ");
  x.note("b", "t", 700ms, zero + 501s);
  BOOST_TEST(text_of(x, zero + 501s) == "b/t:700 ");
}

BOOST_AUTO_TEST_CASE(slow_subscribers_are_looked_after_only_if_wanted) {
  auto how = slow_limits();
  how.enable = false;
  slow_subscriptions x{how};
  x.note("a", "t", 600ms, zero);
  BOOST_TEST(text_of(x, zero).empty());
  how.enable = true;
  x.set_options(how);
  for (int i = 0; i < 3; ++i)
    x.note(std::to_string(i), "t", 600ms + i * 1ms, zero);
  how.top = 1;
  x.set_options(how);
  BOOST_TEST(text_of(x, zero) == "2/t:602 ");
  how.enable = false;
  x.set_options(how);
  BOOST_TEST(text_of(x, zero).empty());
}
