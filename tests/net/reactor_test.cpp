// Turns: what runs when, on which thread, and how often.

#include "net/reactor.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <future>
#include <system_error>
#include <unistd.h>

using namespace troupe::net;
using namespace std::chrono_literals;

namespace {

/// Takes its turns when told to, or on its thread after `start`.
struct test_reactor final : reactor {
  explicit test_reactor(const reactor_options& options = {})
    : reactor(options) {}
  using reactor::turn;
  /// @returns whether there may be more to do.
  bool turn_now() { return turn(std::chrono::steady_clock::now()); }
};

/// A pipe whose reading end is watched.
struct watched_pipe final : socket_handler {
  watched_pipe(reactor& r, std::function<void(watched_pipe&)> f)
    : on(r),
      run(std::move(f)) {
    if (::pipe(ends.data()) != 0 || !on.watch(ends[0], EPOLLIN, *this))
      throw std::system_error(errno, std::generic_category());
  }
  watched_pipe(const watched_pipe&) = delete;
  watched_pipe& operator=(const watched_pipe&) = delete;
  ~watched_pipe() {
    on.unwatch(ends[0], *this);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void on_ready(std::uint32_t) override {
    ++calls;
    run(*this);
  }
  void put() { BOOST_REQUIRE(::write(ends[1], "x", 1) == 1); }
  void get() {
    char byte = 0;
    got += ::read(ends[0], &byte, 1) == 1 ? 1 : 0; // on any thread
  }
  reactor& on;
  std::function<void(watched_pipe&)> run;
  std::array<int, 2> ends{};
  int calls = 0;
  int got = 0;
};

struct flush_counter final : flushable {
  explicit flush_counter(std::function<void()> f = [] {}) : run(std::move(f)) {}
  void flush() override {
    ++count;
    run();
  }
  std::function<void()> run;
  int count = 0;
};

/// Runs `f` on the thread of `on` and waits for it.
template <class F>
void run_on(reactor& on, F&& f) {
  std::promise<void> done;
  on.post([&] {
    f();
    done.set_value();
  });
  done.get_future().wait();
}

} // namespace

BOOST_AUTO_TEST_CASE(what_many_threads_post_runs_once_and_in_their_order) {
  test_reactor on;
  on.start();
  constexpr int threads = 4;
  constexpr int each = 2'000;
  std::array<int, threads> next{};
  int wrong = 0;
  std::vector<std::thread> all;
  all.reserve(threads);
  for (int t = 0; t < threads; ++t)
    all.emplace_back([&, t] {
      for (int i = 0; i < each; ++i)
        on.post([&, t, i] {
          wrong += on.on_this_thread() ? 0 : 1;
          wrong += next[static_cast<std::size_t>(t)]++ == i ? 0 : 1;
        });
    });
  for (auto& x : all)
    x.join();
  run_on(on, [] {});
  on.stop_and_join();
  BOOST_TEST(wrong == 0);
  for (const auto count : next)
    BOOST_TEST(count == each);
  BOOST_TEST(!on.on_this_thread());
}

BOOST_AUTO_TEST_CASE(a_sleeping_reactor_wakes_for_each_post) {
  test_reactor on;
  on.start();
  for (int i = 0; i < 200; ++i) { // it sleeps between any two of them
    bool ran = false;
    run_on(on, [&] { ran = true; });
    BOOST_REQUIRE(ran);
  }
  on.stop_and_join();
}

BOOST_AUTO_TEST_CASE(what_is_posted_in_a_turn_runs_in_a_later_one) {
  test_reactor on;
  int ran = 0;
  on.post([&] {
    ++ran;
    on.post([&] { ++ran; });
  });
  BOOST_TEST(on.turn_now());
  BOOST_TEST(ran == 1);
  on.turn_now();
  BOOST_TEST(ran == 2);
  BOOST_TEST(!on.turn_now());
}

BOOST_AUTO_TEST_CASE(a_socket_is_told_of_until_it_was_read) {
  test_reactor on;
  watched_pipe x{on, [](auto&) {}};
  BOOST_TEST(!on.turn_now());
  x.put();
  BOOST_TEST(on.turn_now());
  BOOST_TEST(on.turn_now()); // level-triggered
  BOOST_TEST(x.calls == 2);
  x.get();
  BOOST_TEST(!on.turn_now());
  on.rewatch(x.ends[0], 0, x);
  x.put();
  BOOST_TEST(!on.turn_now());
  on.rewatch(x.ends[0], EPOLLIN, x);
  BOOST_TEST(on.turn_now());
  BOOST_TEST(x.calls == 3);
  BOOST_TEST(!on.watch(x.ends[0], EPOLLIN, x)); // watched already
  BOOST_TEST(errno == EEXIST);
}

BOOST_AUTO_TEST_CASE(a_handler_may_unwatch_any_socket_of_its_turn) {
  test_reactor on;
  std::vector<std::unique_ptr<watched_pipe>> all(6);
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = std::make_unique<watched_pipe>(on, [&](watched_pipe& self) {
      // Whoever comes first sends all others away, and then itself.
      for (auto& other : all)
        if (other && other.get() != &self)
          other.reset();
      on.unwatch(self.ends[0], self);
    });
  for (auto& x : all)
    x->put();
  on.turn_now();
  int left = 0;
  for (const auto& x : all)
    if (x) {
      ++left;
      BOOST_TEST(x->calls == 1);
    }
  BOOST_TEST(left == 1);
  BOOST_TEST(!on.turn_now());
}

BOOST_AUTO_TEST_CASE(a_handler_may_watch_more) {
  test_reactor on;
  std::unique_ptr<watched_pipe> other;
  watched_pipe first{on, [&](watched_pipe& self) {
                       self.get();
                       other = std::make_unique<watched_pipe>(
                         on, [](watched_pipe& x) { x.get(); });
                       other->put();
                     }};
  first.put();
  on.turn_now();
  BOOST_TEST(other->calls == 0);
  on.turn_now();
  BOOST_TEST(other->calls == 1);
}

BOOST_AUTO_TEST_CASE(output_is_flushed_once_at_the_end_of_a_turn) {
  test_reactor on;
  flush_counter x;
  on.post([&] {
    for (int i = 0; i < 5; ++i)
      on.at_end_of_turn(x);
    BOOST_TEST(x.count == 0);
  });
  on.turn_now();
  BOOST_TEST(x.count == 1);
  on.turn_now();
  BOOST_TEST(x.count == 1);
  on.at_end_of_turn(x);
  on.turn_now();
  BOOST_TEST(x.count == 2);
}

BOOST_AUTO_TEST_CASE(output_of_many_sockets_waits_for_what_the_next_bring) {
  test_reactor on;
  flush_counter x;
  std::vector<std::unique_ptr<watched_pipe>> all(4);
  for (auto& each : all)
    each = std::make_unique<watched_pipe>(on, [&](watched_pipe& self) {
      self.get();
      on.at_end_of_turn(x);
    });
  const auto began = std::chrono::steady_clock::now();
  const auto turn_after = [&](std::chrono::microseconds passed) {
    for (auto& each : all)
      each->put();
    return on.turn(began + passed);
  };
  BOOST_TEST(turn_after(0us));
  BOOST_TEST(turn_after(100us));
  BOOST_TEST(x.count == 0); // held
  BOOST_TEST(turn_after(300us));
  BOOST_TEST(x.count == 1); // not for long
  BOOST_TEST(turn_after(400us));
  BOOST_TEST(x.count == 1);
  BOOST_TEST(on.turn(began + 401us)); // nothing came
  BOOST_TEST(x.count == 2);
  BOOST_TEST(!on.turn(began + 402us));
}

BOOST_AUTO_TEST_CASE(sockets_wait_once_a_turn_has_read_enough) {
  reactor_options options;
  options.bytes_per_turn = 10;
  test_reactor on{options};
  flush_counter flushed;
  std::vector<std::unique_ptr<watched_pipe>> all(5);
  for (auto& each : all)
    each = std::make_unique<watched_pipe>(on, [&](watched_pipe& self) {
      self.get();
      on.has_read(6);
      on.at_end_of_turn(flushed);
    });
  const auto told = [&] {
    int calls = 0;
    for (const auto& each : all)
      calls += each ? each->calls : 0;
    return calls;
  };
  for (auto& each : all)
    each->put();
  BOOST_TEST(on.turn_now());
  BOOST_TEST(told() == 2);
  BOOST_TEST(flushed.count == 1); // before the others are read
  for (auto& each : all)
    if (each->calls == 0) { // one that goes while it waits is not told
      each.reset();
      break;
    }
  BOOST_TEST(on.turn_now());
  BOOST_TEST(told() == 4);
  BOOST_TEST(flushed.count == 2);
  BOOST_TEST(!on.turn_now());
  BOOST_TEST(told() == 4);
}

BOOST_AUTO_TEST_CASE(what_flushing_brings_up_is_flushed_in_the_same_turn) {
  test_reactor on;
  flush_counter second;
  flush_counter first{[&] { on.at_end_of_turn(second); }};
  on.at_end_of_turn(first);
  on.turn_now();
  BOOST_TEST(first.count == 1);
  BOOST_TEST(second.count == 1);
}

BOOST_AUTO_TEST_CASE(a_forgotten_flushable_is_not_flushed) {
  test_reactor on;
  flush_counter second;
  flush_counter first{[&] { on.forget(second); }};
  on.at_end_of_turn(first);
  on.at_end_of_turn(second);
  on.turn_now();
  BOOST_TEST(first.count == 1);
  BOOST_TEST(second.count == 0);
  on.at_end_of_turn(second);
  on.forget(second);
  on.forget(second);
  on.turn_now();
  BOOST_TEST(second.count == 0);
  on.at_end_of_turn(second); // it may come back
  on.turn_now();
  BOOST_TEST(second.count == 1);
}

BOOST_AUTO_TEST_CASE(a_turn_reads_then_passes_timers_then_flushes) {
  test_reactor on;
  std::string order;
  struct call final : timing_wheel::timer {
    explicit call(std::string& x) : out(x) {}
    void on_timer() override { out += 't'; }
    std::string& out;
  } timer{order};
  flush_counter flush{[&] { order += 'f'; }};
  watched_pipe socket{on, [&](watched_pipe& x) {
                        x.get();
                        order += 's';
                      }};
  on.wheel().arm(timer, on.now());
  on.at_end_of_turn(flush);
  on.post([&] { order += 'p'; });
  socket.put();
  on.turn(on.now() + 1s);
  BOOST_TEST(order == "pstf");
}

BOOST_AUTO_TEST_CASE(timers_and_sockets_wake_a_sleeping_reactor) {
  test_reactor on({.wheel_tick = 5ms});
  struct call final : timing_wheel::timer {
    void on_timer() override { fired.set_value(); }
    std::promise<void> fired;
  } timer;
  std::promise<void> read;
  std::unique_ptr<watched_pipe> socket;
  on.start();
  run_on(on, [&] {
    socket = std::make_unique<watched_pipe>(on, [&](watched_pipe& x) {
      x.get();
      read.set_value();
    });
  });
  socket->put();
  read.get_future().wait();
  const auto began = std::chrono::steady_clock::now();
  run_on(on, [&] { on.wheel().arm(timer, began + 30ms); });
  timer.fired.get_future().wait();
  BOOST_TEST((std::chrono::steady_clock::now() - began >= 30ms));
  run_on(on, [&] { socket.reset(); });
  on.stop_and_join();
}

BOOST_AUTO_TEST_CASE(another_reactor_may_take_a_turn_for_a_sleeping_one) {
  test_reactor sleeper;
  test_reactor helper;
  sleeper.start();
  helper.start();
  std::atomic<int> ran{0};
  int wrong = 0; // only touched while one thread drives `sleeper`
  for (int i = 0; i < 2'000; ++i)
    run_on(helper, [&] {
      sleeper.post([&] {
        wrong += sleeper.on_this_thread() ? 0 : 1;
        ++ran;
      });
      sleeper.help();
    });
  run_on(sleeper, [] {});
  helper.stop_and_join();
  sleeper.stop_and_join();
  BOOST_TEST(ran.load() == 2'000);
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(whoever_adopts_a_reactor_is_its_thread) {
  test_reactor on;
  BOOST_TEST(!on.on_this_thread());
  on.adopt_this_thread();
  BOOST_TEST(on.on_this_thread());
  std::thread([&] { BOOST_TEST(!on.on_this_thread()); }).join();
}
