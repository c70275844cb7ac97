// The time of a shard, as it is stored.

#include "tests/cluster/record_source.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace troupe::cluster;
using namespace troupe::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(stored_time_goes_on_in_milliseconds_and_comes_back) {
  const time_base times{record_start, 1'000};
  BOOST_TEST(times.to_stored(record_start) == 1'000);
  BOOST_TEST(times.to_stored(record_start + 999us) == 1'000);
  BOOST_TEST(times.to_stored(record_start + 1ms) == 1'001);
  BOOST_TEST(times.to_stored(record_start - 1ns) == 999);
  BOOST_TEST(times.to_stored(record_start - 101h) == 1'000 - 101 * 3'600'000LL);
  BOOST_TEST((times.from_stored(1'001) == record_start + 1ms));
  BOOST_TEST((times.rounded(record_start + 1'999us) == record_start + 1ms));
  record_source random{test_seed()};
  for (auto i = 0; i < 1'000; ++i) {
    const auto stored = static_cast<std::int64_t>(random.number() >> 24);
    BOOST_TEST(times.to_stored(times.from_stored(stored)) == stored);
  }
}

BOOST_AUTO_TEST_CASE(stored_time_never_goes_back_with_a_new_process) {
  const time_base old{record_start, 5'000'000};
  const auto greatest = old.to_stored(record_start + 2h);
  // Another steady clock, and a wall clock that was put back, or not.
  for (const std::int64_t wall : {std::int64_t{0}, greatest + 60'000}) {
    const auto times =
      time_base::going_on(time_point{7min}, {wall, greatest, 1h});
    BOOST_TEST(times.to_stored(time_point{7min}) == std::max(wall, greatest));
    BOOST_TEST((times.from_stored(greatest) <= time_point{7min}));
  }
}

BOOST_AUTO_TEST_CASE(a_wall_clock_that_jumps_ahead_counts_so_far_only) {
  constexpr std::int64_t greatest = 1'700'000'000'000;
  constexpr std::int64_t hour = 3'600'000;
  const auto started = [](std::int64_t wall) {
    return clock_at_start{wall, greatest, 24h};
  };
  // Any time down up to the most there may be.
  for (const auto passed : {std::int64_t{0}, std::int64_t{1}, 24 * hour}) {
    BOOST_TEST(started(greatest + passed).resumed() == greatest + passed);
    BOOST_TEST(started(greatest + passed).excess() == 0);
  }
  BOOST_TEST(started(greatest + 24 * hour + 1).resumed()
             == greatest + 24 * hour);
  BOOST_TEST(started(greatest + 24 * hour + 1).excess() == 1);
  BOOST_TEST(started(greatest + 24 * 365 * hour).resumed()
             == greatest + 24 * hour);
  BOOST_TEST(started(greatest + 24 * 365 * hour).excess() == 24 * 364 * hour);
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  BOOST_TEST(started(most).resumed() == greatest + 24 * hour);
  BOOST_TEST(started(most).excess() == most - greatest - 24 * hour);
  // Back: stored time stands still until it has caught up.
  for (const auto wall : {greatest - 1, std::int64_t{0}, -most}) {
    BOOST_TEST(started(wall).resumed() == greatest);
    BOOST_TEST(started(wall).excess() == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_wall_clock_counts_as_it_is_without_a_bound_or_a_past) {
  using std::chrono::milliseconds;
  constexpr std::int64_t wall = 1'700'000'000'000;
  BOOST_TEST((clock_at_start{wall, 1, {}}).resumed() == wall);
  BOOST_TEST((clock_at_start{wall, 1, {}}).excess() == 0);
  BOOST_TEST((clock_at_start{wall, 0, 24h}).resumed() == wall);
  BOOST_TEST((clock_at_start{wall, 0, 24h}).excess() == 0);
  // Time down does not count at all.
  BOOST_TEST((clock_at_start{wall, wall - 5, 0ms}).resumed() == wall - 5);
  // No bound that can be set overflows.
  BOOST_TEST((clock_at_start{wall, wall - 5, milliseconds::max()}).resumed()
             == wall);
}

BOOST_AUTO_TEST_CASE(stored_time_saturates) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  for (const auto base : {std::int64_t{0}, std::int64_t{-5}, least, most,
                          most - 1, record_start_stored})
    for (const auto now : {time_point{}, record_start, time_point::min(),
                           time_point::max() - 1ns}) {
      const time_base times{now, base};
      BOOST_TEST(times.to_stored(troupe::cluster::never) == most);
      BOOST_TEST((times.from_stored(most) == troupe::cluster::never));
      BOOST_TEST(times.to_stored(time_point::max() - 1ns) < most);
      for (const auto stored : {least, least + 1, std::int64_t{0}, most - 1}) {
        const auto x = times.from_stored(stored);
        // Room to add any interval of 32 bits, and between any two.
        BOOST_TEST((x <= time_point::max() - std::chrono::seconds{UINT32_MAX}));
        BOOST_TEST((x >= time_point{} - time_base::reach));
        BOOST_TEST((x <= time_point{} + time_base::reach + 1ms));
      }
      BOOST_TEST((times.from_stored(most - 1) >= times.from_stored(0)));
      BOOST_TEST((times.from_stored(least) <= times.from_stored(0)));
    }
  BOOST_TEST(record_times.to_stored(time_point::min())
             < record_times.to_stored(record_start));
}
