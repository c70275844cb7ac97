// Rates with a burst.

#include "auth/token_bucket.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

using troupe::auth::token_bucket;
using troupe::auth::token_rate;
using namespace std::chrono_literals;

namespace {

constexpr token_bucket::time_point start{1h};

} // namespace

BOOST_AUTO_TEST_CASE(a_burst_is_there_at_once_and_the_rate_after_it) {
  token_bucket bucket{{10, 1s, 3}, start};
  for (int i = 0; i != 3; ++i)
    BOOST_TEST(bucket.take(1, start));
  BOOST_TEST(!bucket.take(1, start));
  BOOST_TEST((bucket.ready_at(1, start) == start + 100ms));
  BOOST_TEST(!bucket.take(1, start + 100ms - 1ns));
  BOOST_TEST(bucket.take(1, start + 100ms));
  BOOST_TEST(!bucket.take(2, start + 200ms)); // and it took nothing
  BOOST_TEST(bucket.take(1, start + 200ms));
  BOOST_TEST(bucket.take(3, start + 500ms));
}

BOOST_AUTO_TEST_CASE(without_a_burst_of_its_own_a_rate_has_its_tokens) {
  token_bucket bucket{{5, 10s}, start};
  BOOST_TEST(!bucket.take(6, start));
  BOOST_TEST(bucket.take(5, start));
  BOOST_TEST((bucket.ready_at(1, start) == start + 2s));
  BOOST_TEST((bucket.ready_at(5, start) == start + 10s));
  BOOST_TEST((bucket.ready_at(50, start) == start + 10s)); // a full one
}

BOOST_AUTO_TEST_CASE(nothing_is_lost_or_won_however_often_it_is_asked) {
  const auto seed = troupe::test::test_seed();
  std::mt19937_64 random{seed};
  for (int i = 0; i != 50; ++i) {
    const token_rate rate{1 + random() % 1'000'000'007, 1s * (1 + random() % 7),
                          std::uint64_t{1} << 60U};
    token_bucket often{rate, start};
    often.charge(rate.burst, start);
    auto once = often;
    auto now = start;
    for (int j = 0; j != 3'000; ++j) {
      now += std::chrono::nanoseconds{random() % 1'000'003};
      often.charge(0, now);
    }
    BOOST_TEST(often.tokens(now) == once.tokens(now),
               troupe::test::say_seed(seed));
    __extension__ using wide = __int128;
    const auto exact = static_cast<wide>((now - start).count())
                       * static_cast<wide>(rate.tokens) / rate.per.count();
    BOOST_TEST(often.tokens(now) == static_cast<std::int64_t>(exact));
  }
}

BOOST_AUTO_TEST_CASE(what_ready_at_says_is_the_first_moment) {
  const auto seed = troupe::test::test_seed();
  std::mt19937_64 random{seed};
  for (int i = 0; i != 2'000; ++i) {
    const token_rate rate{1 + random() % 5'000, 1ms * (1 + random() % 20'000),
                          1 + random() % 5'000};
    token_bucket bucket{rate, start};
    auto now = start + std::chrono::nanoseconds{random() % 10'000'000};
    bucket.charge(random() % 20'000, now);
    now += std::chrono::nanoseconds{random() % 1'000'000};
    const auto n = 1 + random() % rate.burst;
    const auto at = bucket.ready_at(n, now);
    BOOST_REQUIRE((at >= now));
    auto early = bucket;
    BOOST_REQUIRE((at == now || !early.take(n, at - 1ns)));
    BOOST_REQUIRE_MESSAGE(bucket.take(n, at), troupe::test::say_seed(seed));
  }
}

BOOST_AUTO_TEST_CASE(a_debt_is_paid_before_anything_else) {
  token_bucket bucket{{1'000, 1s, 100}, start};
  BOOST_TEST(bucket.charge(100, start));
  BOOST_TEST(!bucket.charge(500, start));
  BOOST_TEST(bucket.tokens(start) == -500);
  BOOST_TEST((bucket.ready_at(0, start) == start + 500ms));
  BOOST_TEST((bucket.ready_at(1, start) == start + 501ms));
  BOOST_TEST(!bucket.take(1, start + 500ms));
  BOOST_TEST(bucket.take(1, start + 501ms));
}

BOOST_AUTO_TEST_CASE(huge_gaps_and_numbers_do_not_overflow) {
  constexpr auto huge = ~std::uint64_t{0};
  constexpr auto end = token_bucket::time_point::max();
  token_bucket fast{{huge, 1ns, huge}, token_bucket::time_point{}};
  BOOST_TEST(fast.charge(huge, end));
  BOOST_TEST(!fast.take(huge, end));
  token_bucket slow{{1, std::chrono::nanoseconds::max(), huge},
                    token_bucket::time_point{}};
  for (int i = 0; i != 4; ++i)
    slow.charge(huge, token_bucket::time_point{});
  BOOST_TEST((slow.ready_at(1, token_bucket::time_point{}) == end));
  token_bucket gap{{10, 1s}, start};
  BOOST_TEST(gap.take(10, start));
  BOOST_TEST(gap.tokens(start + 24h * 365 * 200) == 10);
}

BOOST_AUTO_TEST_CASE(time_that_stands_or_goes_back_brings_nothing) {
  token_bucket bucket{{10, 1s}, start};
  BOOST_TEST(bucket.take(10, start));
  BOOST_TEST(!bucket.take(1, start - 1h));
  BOOST_TEST(!bucket.take(1, start));
  BOOST_TEST(bucket.take(1, start + 100ms));
}

BOOST_AUTO_TEST_CASE(another_rate_counts_from_when_it_is_set) {
  token_bucket bucket{{10, 1s}, start};
  BOOST_TEST(bucket.take(10, start));
  bucket.set_rate({1'000, 1s}, start + 500ms);
  BOOST_TEST(bucket.tokens(start + 500ms) == 5);
  BOOST_TEST(bucket.tokens(start + 600ms) == 105);
  bucket.set_rate({1'000, 1s, 20}, start + 600ms);
  BOOST_TEST(bucket.tokens(start + 600ms) == 20);
  bucket.set_rate({}, start + 700ms);
  BOOST_TEST(bucket.take(1'000'000'000, start + 700ms));
  BOOST_TEST((bucket.ready_at(9, start) == start));
  bucket.set_rate({7, 1s}, start + 800ms);
  BOOST_TEST(bucket.tokens(start + 800ms) == 7);
}
