#define BOOST_TEST_MODULE actors_hops
#include "actors/hop_histogram.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace troupe::actors;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(each_time_is_in_one_bucket_and_buckets_follow_each_other) {
  std::size_t last = 0;
  for (std::uint64_t us = 0; us < 3'000'000; us += us < 100'000 ? 1 : 37) {
    const auto bucket = hop_histogram::bucket_of(us);
    BOOST_REQUIRE_LE(last, bucket);
    BOOST_REQUIRE_LE(bucket, last + 1);
    BOOST_REQUIRE_LT(us, hop_histogram::end_of(bucket));
    if (bucket > 0)
      BOOST_REQUIRE_GE(us, hop_histogram::end_of(bucket - 1));
    last = bucket;
  }
  BOOST_TEST(hop_histogram::bucket_of(~std::uint64_t{0})
             == hop_histogram::buckets - 1);
}

BOOST_AUTO_TEST_CASE(up_to_twelve_milliseconds_it_is_right_to_a_tenth) {
  for (std::uint64_t us = 0; us < 12'800; ++us) {
    hop_histogram x;
    x.record(std::chrono::microseconds{us});
    const auto said =
      static_cast<std::uint64_t>(x.read().percentile(1).count());
    BOOST_REQUIRE_LE(said - us, 100U);
  }
}

BOOST_AUTO_TEST_CASE(percentiles_are_those_of_what_was_recorded) {
  hop_histogram x;
  BOOST_TEST(x.read().percentile(0.99).count() == 0);
  x.record(50us, 98);
  x.record(10ms);
  x.record(2s);
  const auto now = x.read();
  BOOST_TEST(now.count() == 100U);
  BOOST_TEST(now.percentile(0.5).count() == 51);
  BOOST_TEST(now.percentile(0.98).count() == 51);
  BOOST_TEST(now.percentile(0.99).count() >= 10'000);
  BOOST_TEST(now.percentile(0.99).count() <= 10'100);
  BOOST_TEST(now.percentile(0.999).count() >= 2'000'000);
  BOOST_TEST(now.percentile(0.999).count() <= 2'020'000);
  BOOST_TEST(now.sum().count() == 98 * 50 + 10'000 + 2'000'000);
  BOOST_TEST(now.below(100us) == 98U);
  BOOST_TEST(now.below(11ms) == 99U);
  BOOST_TEST(now.below(1s) == 99U);
  BOOST_TEST(now.below(10s) == 100U);
}

BOOST_AUTO_TEST_CASE(what_several_reactors_saw_adds_up) {
  hop_histogram a;
  hop_histogram b;
  a.record(1ms, 3);
  b.record(1ms, 2);
  b.record(-5ms); // a clock that was read before another one
  auto both = a.read();
  both.merge(b.read());
  BOOST_TEST(both.count() == 6U);
  BOOST_TEST(both.below(500us) == 1U);
  BOOST_TEST(both.sum().count() == 5'000);
}

namespace {

/// How many messages of which times were taken out, in order.
std::string taken_of(hop_times& of, std::uint64_t end) {
  std::string all;
  of.take(end, [&](auto received, auto taken, std::uint64_t count) {
    const auto ms = [](hop_times::time_point x) {
      return std::to_string(
        std::chrono::duration_cast<std::chrono::milliseconds>(
          x.time_since_epoch())
          .count());
    };
    all += ms(received) + '-' + ms(taken) + ':' + std::to_string(count) + ' ';
  });
  return all;
}

hop_times::time_point at(std::chrono::milliseconds time) {
  return hop_times::time_point{} + time;
}

} // namespace

BOOST_AUTO_TEST_CASE(messages_of_the_same_turns_are_one_run) {
  hop_times x;
  BOOST_TEST(x.empty());
  std::uint64_t number = 7;
  x.note(at(1ms), at(1ms), number++);
  x.note(at(1ms), at(1ms), number++);
  x.note(at(1ms), at(2ms), number++);
  x.note(at(2ms), at(2ms), number++);
  x.note(hop_times::never, at(2ms), number++);
  x.note(at(2ms), at(2ms), number++);
  BOOST_TEST(taken_of(x, number) == "1-1:2 1-2:1 2-2:1 2-2:1 ");
  BOOST_TEST(x.empty());
  x.note(at(2ms), at(2ms), number++); // as the last before it was emptied
  BOOST_TEST(taken_of(x, number) == "2-2:1 ");
}

BOOST_AUTO_TEST_CASE(with_too_many_runs_no_message_is_lost) {
  hop_times x;
  for (std::uint64_t i = 0; i < 100; ++i)
    x.note(at(i * 1ms), at(i * 1ms), i);
  std::uint64_t count = 0;
  x.take(100, [&](auto, auto, std::uint64_t times) { count += times; });
  BOOST_TEST(count == 100U);
}
