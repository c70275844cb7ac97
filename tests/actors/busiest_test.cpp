// The most frequent names of a stream, in bounded memory.

#include "actors/busiest.hpp"
#include "actors/inquiries.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>

using namespace troupe;
using actors::busiest_names;

BOOST_AUTO_TEST_CASE(a_few_names_are_counted_exactly) {
  busiest_names names(4);
  for (int i = 0; i < 5; ++i)
    names.add("often", 10);
  names.add("once", 7);
  names.add("twice", 1);
  names.add("twice", 2);
  BOOST_TEST(names.missed() == 0U);
  const auto top = names.take(2);
  BOOST_TEST_REQUIRE(top.size() == 2U);
  BOOST_TEST(top[0].name == "often");
  BOOST_TEST(top[0].messages == 5U);
  BOOST_TEST(top[0].bytes == 50U);
  BOOST_TEST(top[1].name == "twice");
  BOOST_TEST(top[1].bytes == 3U);
  BOOST_TEST(names.take(2).empty()); // counting begins again
}

BOOST_AUTO_TEST_CASE(frequent_names_survive_among_ever_new_ones) {
  std::minstd_rand random(1);
  busiest_names names(64);
  std::map<std::string, std::uint64_t> truth;
  std::uint64_t all = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto dice = random() % 100;
    const auto name = dice < 10   ? std::string{"tenth"}
                      : dice < 15 ? std::string{"twentieth"}
                                  : "rare/" + std::to_string(i);
    names.add(name, 1);
    ++truth[name];
    ++all;
  }
  const auto missed = names.missed();
  BOOST_TEST(missed > 0U);
  BOOST_TEST(missed <= all / 64); // the bound of the method
  const auto top = names.take(2);
  BOOST_TEST_REQUIRE(top.size() == 2U);
  BOOST_TEST(top[0].name == "tenth");
  BOOST_TEST(top[1].name == "twentieth");
  for (const auto& x : top) {
    BOOST_TEST(x.messages <= truth[x.name]);
    BOOST_TEST(x.messages + missed >= truth[x.name]);
    BOOST_TEST(x.bytes <= truth[x.name]);
  }
}

BOOST_AUTO_TEST_CASE(names_of_one_frequency_leave_room_for_new_ones) {
  busiest_names names(8);
  for (int i = 0; i < 10'000; ++i)
    names.add(std::to_string(i), 1);
  BOOST_TEST(names.take(100).size() <= 16U);
}

BOOST_AUTO_TEST_CASE(an_inquiry_gets_answers_until_it_wants_no_more) {
  actors::inquiries open;
  int answers = 0;
  const auto who =
    open.add(3, [&](actors::client_event&) { return ++answers < 2; });
  BOOST_TEST(actors::inquiries::is_one(who));
  BOOST_TEST(who.reactor == 3U);
  BOOST_TEST(!actors::inquiries::is_one({7, 1, 0}));
  actors::client_event event{actors::publish_acked{}};
  open.handle(who, event);
  BOOST_TEST(open.size() == 1U);
  open.handle(who, event);
  open.handle(who, event); // too late
  BOOST_TEST(answers == 2);
  BOOST_TEST(open.size() == 0U);
  const auto other = open.add(0, [](actors::client_event&) { return true; });
  BOOST_TEST((other != who));
  open.remove(other);
  BOOST_TEST(open.size() == 0U);
}
