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
    const auto times = time_base::going_on(time_point{7min}, wall, greatest);
    BOOST_TEST(times.to_stored(time_point{7min}) == std::max(wall, greatest));
    BOOST_TEST((times.from_stored(greatest) <= time_point{7min}));
  }
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
