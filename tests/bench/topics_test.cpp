#include "bench/load/bank_topics.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>
#include <vector>

using troupe::bench::bank_topics;

namespace {

std::string topic_of(const bank_topics& topics, std::uint32_t leaf) {
  std::string text(topics.topic_max(), '\0');
  text.resize(topics.write_topic(leaf, text.data()));
  return text;
}

/// The filters of the generator that match a topic.
std::vector<std::string> filters_for(const std::string& topic) {
  const auto leaf = topic.rfind('/');
  const auto device = topic.rfind('/', leaf - 1);
  return {topic, topic.substr(0, device) + "/+" + topic.substr(leaf),
          topic.substr(0, device) + "/#"};
}

} // namespace

BOOST_AUTO_TEST_CASE(the_audience_of_a_leaf_is_who_has_a_filter_for_it) {
  for (const auto& [filters, clients] :
       {std::pair{10'000U, 8U}, {10'000U, 1'000U}, {12'345U, 77U}, {99U, 8U}}) {
    const bank_topics topics{"", filters, clients};
    std::map<std::string, std::uint32_t> owners;
    std::size_t plus = 0;
    std::size_t hash = 0;
    for (std::uint32_t c = 0; c < clients; ++c)
      for (std::uint32_t i = 0; i < topics.filters_of(c); ++i) {
        const auto filter = topics.filter(c, i);
        BOOST_REQUIRE(owners.emplace(filter, c).second); // all different
        plus += filter.find('+') != std::string::npos ? 1 : 0;
        hash += filter.back() == '#' ? 1 : 0;
      }
    BOOST_TEST(owners.size() == filters);
    BOOST_TEST(plus == filters / 100 * 9);
    BOOST_TEST(hash == filters / 100);
    for (std::uint32_t leaf = 0; leaf < topics.leaves(); ++leaf) {
      const auto topic = topic_of(topics, leaf);
      BOOST_REQUIRE(owners.at(topic) == topics.owner(leaf));
      std::set<std::uint32_t> reached;
      std::uint32_t matches = 0;
      for (const auto& filter : filters_for(topic))
        if (const auto at = owners.find(filter); at != owners.end()) {
          ++matches;
          reached.insert(at->second);
        }
      BOOST_REQUIRE(matches == topics.audience(leaf));
      BOOST_REQUIRE(reached.size() == matches); // never the same client twice
    }
  }
}

BOOST_AUTO_TEST_CASE(a_prefix_stands_before_each_topic_and_filter) {
  const bank_topics topics{"load/", 1'000, 8};
  BOOST_TEST(topic_of(topics, 5).starts_with("load/bank/b0/o0/atm/d1/"));
  for (std::uint32_t i = 0; i < topics.filters_of(3); ++i)
    BOOST_TEST(topics.filter(3, i).starts_with("load/bank/b"));
}
