// The threads that compare passwords.

#include "auth/hash_pool.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <stdexcept>
#include <sys/resource.h>
#include <unistd.h>

using namespace troupe::auth;
using namespace std::chrono_literals;
using fate = hash_pool::fate;

namespace {

/// A job that says when it runs, and waits until it may end.
class obstacle {
public:
  void put_in(hash_pool& pool) {
    BOOST_REQUIRE(pool.submit("obstacle", [this](fate) {
      runs_.set_value();
      may_end_.get_future().wait_for(60s); // no checks off the main thread
    }));
    BOOST_REQUIRE(
      (runs_.get_future().wait_for(60s) == std::future_status::ready));
  }
  void remove() { may_end_.set_value(); }

private:
  std::promise<void> runs_;
  std::promise<void> may_end_;
};

/// What jobs did, in their order.
class record {
public:
  hash_pool::job job(const std::string& name) {
    return [this, name](fate x) {
      const std::lock_guard guard(mutex_);
      all_.push_back(name
                     + (x == fate::run        ? ""
                        : x == fate::stopping ? " stopped"
                                              : " late"));
      changed_.notify_all();
    };
  }
  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    BOOST_TEST(
      changed_.wait_for(lock, 60s, [&] { return all_.size() >= count; }));
    return all_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

void expect(const std::vector<std::string>& found,
            const std::vector<std::string>& expected) {
  BOOST_TEST(found == expected, boost::test_tools::per_element());
}

} // namespace

BOOST_AUTO_TEST_CASE(addresses_take_turns) {
  record seen;
  hash_pool pool{{}};
  obstacle in_the_way;
  in_the_way.put_in(pool);
  for (const auto* x : {"a1", "a2", "a3", "a4"})
    BOOST_TEST(pool.submit("a", seen.job(x)));
  for (const auto* x : {"b1", "b2"})
    BOOST_TEST(pool.submit("b", seen.job(x)));
  BOOST_TEST(pool.submit("c", seen.job("c1")));
  BOOST_TEST(pool.count().queued == 7U);
  in_the_way.remove();
  expect(seen.wait_for(7), {"a1", "b1", "c1", "a2", "b2", "a3", "a4"});
}

BOOST_AUTO_TEST_CASE(a_full_queue_and_a_full_address_refuse_at_once) {
  record seen;
  hash_pool_options options;
  options.queue_max = 4;
  options.per_address_max = 2;
  hash_pool pool{options};
  obstacle in_the_way;
  in_the_way.put_in(pool);
  BOOST_TEST(pool.submit("a", seen.job("a1")));
  BOOST_TEST(pool.submit("a", seen.job("a2")));
  BOOST_TEST(!pool.submit("a", seen.job("a3")));
  BOOST_TEST(pool.submit("b", seen.job("b1")));
  BOOST_TEST(pool.submit("c", seen.job("c1")));
  BOOST_TEST(!pool.submit("d", seen.job("d1")));
  const auto count = pool.count();
  BOOST_TEST(count.address_full == 1U);
  BOOST_TEST(count.queue_full == 1U);
  in_the_way.remove();
  expect(seen.wait_for(4), {"a1", "b1", "c1", "a2"});
}

BOOST_AUTO_TEST_CASE(what_waits_when_the_pool_stops_is_told) {
  record seen;
  hash_pool pool{{}};
  obstacle in_the_way;
  in_the_way.put_in(pool);
  BOOST_TEST(pool.submit("a", seen.job("a1")));
  BOOST_TEST(pool.submit("b", seen.job("b1")));
  std::thread stops{[&pool] { pool.stop(); }};
  // It tells before it waits for what runs.
  expect(seen.wait_for(2), {"a1 stopped", "b1 stopped"});
  BOOST_TEST(!pool.submit("c", seen.job("c1")));
  in_the_way.remove();
  stops.join();
  pool.stop();
}

BOOST_AUTO_TEST_CASE(who_waited_too_long_is_not_compared_any_more) {
  record seen;
  hash_pool_options options;
  options.wait_max = -1ms; // whatever waits waited longer
  hash_pool pool{options};
  BOOST_TEST(pool.submit("a", seen.job("a1")));
  expect(seen.wait_for(1), {"a1 late"});
}

BOOST_AUTO_TEST_CASE(a_job_that_throws_ends_alone) {
  record seen;
  hash_pool pool{{}};
  BOOST_TEST(pool.submit("a", [](fate) { throw std::runtime_error("x"); }));
  BOOST_TEST(pool.submit("a", seen.job("a1")));
  expect(seen.wait_for(1), {"a1"});
  BOOST_TEST(pool.count().failed == 1U);
}

BOOST_AUTO_TEST_CASE(its_threads_are_as_nice_as_said) {
  std::promise<int> nice;
  hash_pool pool{{}};
  BOOST_TEST(pool.submit("a", [&](fate) {
    nice.set_value(::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())));
  }));
  auto answer = nice.get_future();
  BOOST_REQUIRE((answer.wait_for(60s) == std::future_status::ready));
  BOOST_TEST(answer.get() >= 10);
  BOOST_TEST(::getpriority(PRIO_PROCESS, 0) < 10);
}

BOOST_AUTO_TEST_CASE(many_jobs_from_many_threads_each_run_once) {
  constexpr int threads = 4;
  constexpr int jobs = 2'000;
  std::atomic<int> ran{0};
  {
    hash_pool_options options;
    options.threads = 3;
    options.queue_max = threads * jobs;
    options.per_address_max = jobs;
    hash_pool pool{options};
    std::vector<std::thread> submitting;
    submitting.reserve(threads);
    for (int t = 0; t < threads; ++t)
      submitting.emplace_back([&pool, &ran, t] {
        for (int i = 0; i < jobs; ++i)
          if (!pool.submit(std::to_string(t), [&ran](fate) { ++ran; }))
            --ran;
      });
    for (auto& x : submitting)
      x.join();
  }
  BOOST_TEST(ran == threads * jobs);
}
