// Random commands: equal shards stay equal, and nothing held is ever lost.

#include "tests/cluster/support.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe::cluster;
using namespace troupe::test;

namespace {

const char* const names[] = {"a", "b", "c", "d"};

/// Any command at all; who sends it need not make sense.
command random_command(std::minstd_rand& random, int step) {
  const std::string who = names[random() % 4];
  const client_ref from{static_cast<std::uint32_t>(random() % 6), 1, 0};
  const auto random_message = [&] {
    return make_message(
      random_topic(random), random() % 9 == 0 ? "" : std::to_string(step),
      {.qos = static_cast<qos>(random() % 3),
       .retain = random() % 3 == 0,
       .expiry = random() % 4 == 0 ? std::optional<std::uint32_t>{random() % 50}
                                   : std::nullopt,
       .publisher = who});
  };
  hold_command hold{who, {}, random() % 3 != 0, from, 1};
  hold.subscription.filter = random_filter(random);
  hold.subscription.options.maximum_qos = static_cast<qos>(1 + random() % 2);
  hold.subscription.identifier = random() % 3;
  if (random() % 3 == 0)
    hold.subscription.share_name = random() % 2 == 0 ? "g" : "h";
  switch (random() % 13) {
  case 0:
    return hold;
  case 1: {
    std::shared_ptr<will_record> will;
    if (random() % 2 == 0)
      will = std::make_shared<will_record>(
        will_record{random_message(), std::chrono::seconds{random() % 20}});
    return claim_command{who, from, random() % 3 == 0,
                         static_cast<std::uint32_t>(random() % 30), will};
  }
  case 2: {
    std::shared_ptr<session_record> record;
    if (random() % 2 == 0)
      record = std::make_shared<session_record>();
    return release_command{
      who, random() % 20, record, static_cast<std::uint32_t>(random() % 30),
      random() % 2 == 0 ? release_command::will_fate::discard
                        : release_command::will_fate::publish};
  }
  case 3:
    return advance_command{who, random() % 400};
  case 4:
    return group_presence_command{hold.subscription.share_name,
                                  hold.subscription.filter, from,
                                  random() % 2 == 0};
  case 5:
    return group_return_command{"g", hold.subscription.filter,
                                random_message()};
  case 6:
    return remove_retained_command{random_topic(random)};
  case 7:
    return time_command{};
  case 8:
    return fetch_read{who, from, random() % 300, 1 + random() % 20};
  case 9:
    return retained_read{random_filter(random), from, 1, {}, 1 + random() % 20};
  default:
    return publish_command{
      random_message(), from, 1,
      random() % 10 == 0 ? static_cast<std::uint32_t>(random() % 20) : 0U,
      true};
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(two_shards_fed_the_same_commands_have_the_same_effects) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  const shard_options options{.shard = 3,
                              .retained_max = 20,
                              .delayed_max = 10,
                              .stored_bytes_max = 5'000};
  for (int round = 0; round < 10; ++round) {
    test_shard one{options};
    test_shard other{options};
    for (int step = 0; step < 2'000; ++step) {
      const auto x = random_command(random, step);
      one.now = other.now += std::chrono::seconds{random() % 3};
      const auto first = one(x);
      const auto second = other(x);
      if (first != second)
        BOOST_TEST(first == second, boost::test_tools::per_element());
      BOOST_REQUIRE_MESSAGE(first == second,
                            "step " << step << " seed " << seed);
      BOOST_REQUIRE((one.state.next_due() == other.state.next_due()));
      BOOST_REQUIRE(one.state.stored_bytes() <= 5'000);
    }
    BOOST_TEST(one.state.stored_count() == other.state.stored_count());
    BOOST_TEST(one.state.session_count() == other.state.session_count());
    BOOST_TEST(one.state.retained_count() == other.state.retained_count());
    BOOST_TEST(one.effects.retained_count
               == static_cast<int>(one.state.retained_count()));
  }
}

BOOST_AUTO_TEST_CASE(a_session_can_fetch_just_what_its_filters_matched) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  struct held_filter {
    std::uint64_t since = 0;
  };
  struct client {
    std::map<std::string, held_filter> filters;
    std::uint64_t taken = 0;
  };
  for (int round = 0; round < 20; ++round) {
    test_shard shard;
    std::map<std::string, client> clients;
    std::map<std::uint64_t, std::string> published; // sequence to topic
    for (int step = 0; step < 500; ++step) {
      const std::string who = names[random() % 4];
      auto& of = clients[who];
      switch (random() % 6) {
      case 0: {
        const auto filter = random_filter(random);
        hold_command hold{who, {}, random() % 3 != 0, {}, 0};
        hold.subscription.filter = filter;
        hold.subscription.options.maximum_qos = qos::at_least_once;
        shard(hold);
        if (hold.holds)
          of.filters.try_emplace(filter, held_filter{published.size()});
        else
          of.filters.erase(filter);
        break;
      }
      case 1: {
        of.taken =
          std::max<std::uint64_t>(of.taken, random() % (published.size() + 1));
        shard(advance_command{who, of.taken});
        break;
      }
      case 2: {
        std::vector<std::uint64_t> wanted;
        for (const auto& [sequence, topic] : published)
          if (sequence > of.taken)
            for (const auto& [filter, held] : of.filters)
              if (sequence > held.since
                  && troupe::protocol::matches(filter, topic)) {
                wanted.push_back(sequence);
                break;
              }
        std::vector<std::uint64_t> got;
        auto after = of.taken;
        for (bool complete = false; !complete;) {
          shard(fetch_read{who, {1, 1, 0}, after, 1 + random() % 9});
          const auto& page = shard.effects.pages.back();
          for (const auto& x : page.messages)
            got.push_back(x.position.sequence);
          after = page.up_to;
          complete = page.complete;
        }
        BOOST_TEST(after == published.size());
        BOOST_TEST((got == wanted), "step " << step << " seed " << seed);
        break;
      }
      default: {
        const auto topic = random_topic(random);
        shard.publish(make_message(topic, "x"));
        published.emplace(published.size() + 1, topic);
      }
      }
    }
    for (auto& [who, of] : clients)
      for (const auto& [filter, held] : of.filters) {
        hold_command last{who, {}, false, {}, 0};
        last.subscription.filter = filter;
        shard(last);
      }
    BOOST_TEST(shard.state.stored_count() == 0U);
    BOOST_TEST(shard.state.stored_bytes() == 0U);
  }
}
