// A set that may say "yes" wrongly, but never "no".

#include "cluster/approximate_set.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

using troupe::cluster::approximate_set;

namespace {

std::string name_of(std::size_t i) {
  return "plant/" + std::to_string(i % 1'000) + "/sensor/"
         + std::to_string(i / 1'000);
}

/// Of names that were not put in.
double wrong_share(const approximate_set& x) {
  constexpr std::size_t asked = 200'000;
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < asked; ++i)
    wrong += x.may_have("other/" + std::to_string(i)) ? 1 : 0;
  return static_cast<double>(wrong) / asked;
}

} // namespace

BOOST_AUTO_TEST_CASE(an_empty_set_has_nothing) {
  approximate_set x;
  BOOST_TEST(x.empty());
  BOOST_TEST(!x.may_have("a"));
  BOOST_TEST(!x.may_have(""));
  BOOST_TEST(x.memory() <= 1'024U);
  x.add("");
  BOOST_TEST(!x.empty());
  BOOST_TEST(x.may_have(""));
}

BOOST_AUTO_TEST_CASE(what_was_put_in_stays_in_and_little_else_seems_to_be) {
  approximate_set x;
  std::size_t added = 0;
  for (const std::size_t count :
       {std::size_t{1'000}, std::size_t{10'000}, std::size_t{100'000},
        std::size_t{1'000'000}}) {
    for (; added < count; ++added)
      x.add(name_of(added));
    std::size_t missing = 0;
    for (std::size_t i = 0; i < count; ++i)
      missing += x.may_have(name_of(i)) ? 0 : 1;
    const auto wrong = wrong_share(x);
    std::printf("%zu names: %.2f bytes each, %.2f %% wrong\n", count,
                static_cast<double>(x.memory()) / static_cast<double>(count),
                100 * wrong);
    BOOST_TEST(missing == 0U);
    BOOST_TEST(wrong < 0.02);
  }
  BOOST_TEST(x.memory() < 6'000'000U);
}

BOOST_AUTO_TEST_CASE(a_name_that_is_in_takes_no_more_room) {
  approximate_set x;
  for (int round = 0; round < 100; ++round)
    for (std::size_t i = 0; i < 1'000; ++i)
      x.add(name_of(i));
  approximate_set once;
  for (std::size_t i = 0; i < 1'000; ++i)
    once.add(name_of(i));
  BOOST_TEST(x.memory() == once.memory());
}

BOOST_AUTO_TEST_CASE(it_may_be_asked_while_names_are_put_in) {
  approximate_set x;
  constexpr std::size_t each = 20'000;
  std::vector<std::thread> threads;
  std::atomic<std::size_t> missing{0};
  for (std::size_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = t * each; i < (t + 1) * each; ++i) {
        x.add(name_of(i));
        missing += x.may_have(name_of(i)) ? 0 : 1;
      }
    });
  for (auto& thread : threads)
    thread.join();
  for (std::size_t i = 0; i < 3 * each; ++i)
    missing += x.may_have(name_of(i)) ? 0 : 1;
  BOOST_TEST(missing == 0U);
}
