// Deadlines: never early, late by a tick at most, whatever handlers do.

#include "net/timing_wheel.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <random>
#include <vector>

using namespace troupe::net;
using namespace std::chrono_literals;
using clock_time = timing_wheel::clock_time;

namespace {

constexpr auto tick = 100ms;
const clock_time start{std::chrono::hours{5}};

struct call final : timing_wheel::timer {
  explicit call(std::function<void()> f) : run(std::move(f)) {}
  void on_timer() override { run(); }
  std::function<void()> run;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_timer_is_never_early_and_late_by_a_tick_at_most) {
  const auto seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::minstd_rand random{seed};
  timing_wheel wheel{tick, start};
  auto now = start;
  struct one {
    std::unique_ptr<call> timer;
    clock_time deadline;
    bool fired = false;
  };
  std::vector<one> all(500);
  clock_time before = now;
  for (auto& x : all) {
    x.deadline = now + std::chrono::milliseconds{random() % 200'000};
    x.timer = std::make_unique<call>([&] {
      BOOST_TEST(!x.fired);
      BOOST_TEST((now >= x.deadline));
      BOOST_TEST((before < x.deadline + tick));
      x.fired = true;
    });
    wheel.arm(*x.timer, x.deadline);
  }
  while (now < start + 201s) {
    before = now;
    now += std::chrono::milliseconds{1 + random() % 300};
    wheel.advance(now);
    for (const auto& x : all)
      BOOST_REQUIRE((x.fired || now < x.deadline + tick));
  }
  for (const auto& x : all)
    BOOST_TEST(x.fired);
}

BOOST_AUTO_TEST_CASE(a_long_sleep_fires_everything_that_is_due_and_no_more) {
  timing_wheel wheel{tick, start};
  int fired = 0;
  int later = 0;
  std::vector<std::unique_ptr<call>> all;
  for (int i = 0; i < 300; ++i) { // several rounds of 512 ticks
    all.push_back(std::make_unique<call>([&] { ++fired; }));
    wheel.arm(*all.back(), start + i * 1s);
    all.push_back(std::make_unique<call>([&] { ++later; }));
    wheel.arm(*all.back(), start + 1'000s + i * 1s);
  }
  wheel.advance(start + 900s);
  BOOST_TEST(fired == 300);
  BOOST_TEST(later == 0);
  wheel.advance(start + 900s); // again: nothing
  BOOST_TEST(fired == 300);
  wheel.advance(start + std::chrono::hours{10});
  BOOST_TEST(later == 300);
}

BOOST_AUTO_TEST_CASE(a_handler_may_arm_its_timer_again) {
  timing_wheel wheel{tick, start};
  auto now = start;
  int fired = 0;
  call again{[&] {
    ++fired;
    wheel.arm(again, now + 1s);
  }};
  wheel.arm(again, now + 1s);
  for (int i = 0; i < 1'000; ++i)
    wheel.advance(now += tick);
  BOOST_TEST(fired >= 90);
  BOOST_TEST(fired <= 100);
  BOOST_TEST(again.armed());
}

BOOST_AUTO_TEST_CASE(a_deadline_that_has_passed_fires_with_the_next_tick) {
  timing_wheel wheel{tick, start};
  wheel.advance(start + 50s);
  int fired = 0;
  call late{[&] { ++fired; }};
  wheel.arm(late, start + 1s);
  wheel.advance(start + 50s);
  BOOST_TEST(fired == 0);
  wheel.advance(start + 50s + tick);
  BOOST_TEST(fired == 1);
}

BOOST_AUTO_TEST_CASE(arming_again_moves_a_timer) {
  timing_wheel wheel{tick, start};
  int fired = 0;
  call x{[&] { ++fired; }};
  wheel.arm(x, start + 1s);
  wheel.arm(x, start + 10s);
  wheel.advance(start + 5s);
  BOOST_TEST(fired == 0);
  wheel.advance(start + 11s);
  BOOST_TEST(fired == 1);
  BOOST_TEST(!x.armed());
}

BOOST_AUTO_TEST_CASE(a_handler_may_disarm_and_destroy_others_of_its_tick) {
  timing_wheel wheel{tick, start};
  int fired = 0;
  std::vector<std::unique_ptr<call>> all(9);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = std::make_unique<call>([&, i] {
      ++fired;
      // Each one that runs takes the next two with it.
      timing_wheel::disarm(*all[i + 1]);
      all[i + 2].reset();
    });
    wheel.arm(*all[i], start + 1s);
  }
  wheel.advance(start + 2s);
  BOOST_TEST(fired == 3);
}

BOOST_AUTO_TEST_CASE(a_handler_may_destroy_its_own_timer) {
  timing_wheel wheel{tick, start};
  struct own final : timing_wheel::timer {
    explicit own(int& n) : count(n) {}
    void on_timer() override {
      ++count;
      delete this;
    }
    int& count;
  };
  int fired = 0;
  for (int i = 0; i < 5; ++i)
    wheel.arm(*new own{fired}, start + 1s);
  wheel.advance(start + 2s);
  BOOST_TEST(fired == 5);
}

BOOST_AUTO_TEST_CASE(a_destroyed_timer_does_not_fire) {
  timing_wheel wheel{tick, start};
  int fired = 0;
  {
    call gone{[&] { ++fired; }};
    wheel.arm(gone, start + 1s);
  }
  wheel.advance(start + 100s);
  BOOST_TEST(fired == 0);
  BOOST_TEST((wheel.next() == clock_time::max()));
}

BOOST_AUTO_TEST_CASE(next_is_never_behind_the_first_deadline) {
  const auto seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::minstd_rand random{seed};
  timing_wheel wheel{tick, start};
  BOOST_TEST((wheel.next() == clock_time::max()));
  auto now = start;
  for (int round = 0; round < 200; ++round) {
    int fired = 0;
    call x{[&] { ++fired; }};
    const auto deadline = now + std::chrono::milliseconds{random() % 300'000};
    wheel.arm(x, deadline);
    // Whoever sleeps until `next` and advances comes in time.
    int steps = 0;
    while (fired == 0) {
      BOOST_REQUIRE((wheel.next() > now));
      BOOST_REQUIRE((wheel.next() <= deadline + tick));
      now = wheel.next();
      wheel.advance(now);
      BOOST_REQUIRE(++steps < 10);
    }
    BOOST_TEST((now >= deadline));
    BOOST_TEST((now <= deadline + tick));
  }
}
