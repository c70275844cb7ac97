// What shards forward to each other is applied once and in order, whatever
// happens on the way.

#include "tests/cluster/test_cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;
using fate = release_command::will_fate;

namespace {

const auto each = boost::test_tools::per_element();

command claim(const std::string& name, bool clean_start = false,
              std::shared_ptr<will_record> will = nullptr) {
  return claim_command{name, {1, 1, 0}, clean_start, 100, std::move(will)};
}

command subscribe(const std::string& name, std::uint64_t epoch,
                  const std::string& filter, std::uint32_t token,
                  bool subscribes = true) {
  subscribe_command x;
  x.client_id = name;
  x.epoch = epoch;
  x.subscription.filter = filter;
  x.subscription.options.maximum_qos = qos::at_least_once;
  x.subscribes = subscribes;
  x.who = {1, 1, 0};
  x.token = token;
  return x;
}

/// Lines of all shards that begin so.
std::size_t count(const test_cluster& node, const std::string& beginning) {
  std::size_t made = 0;
  for (const auto& [shard, all] : node.history)
    for (const auto& line : all)
      made += line.starts_with(beginning) ? 1 : 0;
  return made;
}

command forwarded_hold(std::uint64_t sequence) {
  forward_command x{1, sequence, std::make_shared<boxed_command>()};
  hold_command hold{
    "c", {}, true, {1, 1, 0}, static_cast<std::uint32_t>(sequence)};
  hold.subscription.filter = "t";
  x.what->what = hold;
  return x;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_subscription_is_in_force_when_all_its_shards_hold_it) {
  test_cluster node;
  const auto home = node.shard_of("c");
  node.send(home, claim("c"));
  node.send(home, subscribe("c", 1, "t/+", 7));
  BOOST_TEST(count(node, "subscribed 1 7") == 1U);
  BOOST_TEST(count(node, "held") == 0U);
  BOOST_TEST(node.outbox_size() == 4U);
  node.carry();
  BOOST_TEST(count(node, "held 1 7 0") == 4U);
  BOOST_TEST(node.outbox_size() == 0U);
  const auto topic = node.name_in(2, "t/");
  node[2].publish(make_message(topic, "x"));
  BOOST_TEST(node.send(2, fetch_read{"c", {1, 1, 0}})
               == lines{"fetched 1 to 1 complete 1:x"},
             each);
  // What the session is done with goes the same way.
  node.send(home, checkpoint_command{"c", 1, {}, {{2, 1}}});
  node.carry();
  BOOST_TEST(node[2].state.stored_count() == 0U);
  node.send(home, subscribe("c", 1, "t/+", 8, false));
  node.carry();
  BOOST_TEST(count(node, "held 1 8") == 4U);
  for (std::size_t i = 0; i < node.size(); ++i)
    BOOST_TEST(node[i].effects.kept_filters.empty());
}

BOOST_AUTO_TEST_CASE(a_forward_is_applied_once_and_not_before_its_elders) {
  test_shard shard;
  BOOST_TEST(shard(forwarded_hold(2)).empty()); // 1 has yet to come
  BOOST_TEST(shard(forwarded_hold(1)) == (lines{"held 1 1 0", "forwarded 1 1"}),
             each);
  BOOST_TEST(shard(forwarded_hold(3)).empty());
  BOOST_TEST(shard(forwarded_hold(2)) == (lines{"held 1 2 0", "forwarded 1 2"}),
             each);
  // Its confirmation may have been lost.
  BOOST_TEST(shard(forwarded_hold(1)) == lines{"forwarded 1 1"}, each);
  BOOST_TEST(shard(forwarded_hold(2)) == lines{"forwarded 1 2"}, each);
  auto other = std::get<forward_command>(forwarded_hold(1));
  other.from = 2; // each shard counts for itself
  BOOST_TEST(shard(other) == (lines{"held 1 1 0", "forwarded 2 1"}), each);
}

BOOST_AUTO_TEST_CASE(a_confirmation_covers_what_was_forwarded_before) {
  test_cluster node{2};
  const auto home = node.shard_of("c");
  const auto other = static_cast<std::uint16_t>(1 - home);
  node.send(home, claim("c"));
  for (std::uint32_t i = 1; i < 4; ++i)
    node.send(home, subscribe("c", 1, "t/+", i));
  BOOST_TEST(node.outbox_size() == 6U);
  node.send(home, forwarded_command{other, 2});
  BOOST_TEST(node.outbox_size() == 4U);
  node.send(home, forwarded_command{other, 1});
  BOOST_TEST(node.outbox_size() == 4U);
  node.send(home, forwarded_command{other, 3});
  node.send(home, forwarded_command{home, 3});
  BOOST_TEST(node.outbox_size() == 0U);
}

BOOST_AUTO_TEST_CASE(forwards_are_applied_once_in_order_over_any_network) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  int sent_again = 0;
  for (const faults how : {faults{.delays = true}, faults{.duplicates = true},
                           faults{.drops = true}, faults{true, true, true}}) {
    test_cluster node{4, static_cast<std::uint32_t>(random())};
    const auto home = node.shard_of("c");
    node.send(home, claim("c"));
    bool held = false;
    for (std::uint32_t token = 1; token < 100; ++token) {
      held = random() % 2 == 0;
      node.send(home, subscribe("c", 1, "#", token, held));
      for (auto i = random() % 4; i > 0 && !node.network.empty(); --i)
        node.carry_one(how);
    }
    node.send(home, subscribe("c", 1, "#", 100, true));
    sent_again += node.settle(how);
    std::map<std::uint16_t, std::vector<unsigned long>> tokens;
    for (const auto& [shard, all] : node.history)
      for (const auto& line : all)
        if (line.starts_with("held 1 "))
          tokens[shard].push_back(std::stoul(line.substr(7)));
    BOOST_TEST(tokens.size() == 4U);
    for (const auto& [shard, got] : tokens) {
      BOOST_TEST((got == tokens.at(home)), "shard " << shard);
      BOOST_TEST(std::is_sorted(got.begin(), got.end()));
      BOOST_TEST((std::adjacent_find(got.begin(), got.end()) == got.end()));
      BOOST_TEST(got.back() == 100U);
      BOOST_TEST(node[shard].effects.kept_filters.size() == 1U);
    }
  }
  BOOST_TEST(sent_again > 0);
}

BOOST_AUTO_TEST_CASE(a_crash_between_two_shards_loses_and_repeats_nothing) {
  for (int crashes = 0; crashes < 8; ++crashes) {
    test_cluster node;
    const auto home = node.shard_of("c");
    const auto to = node.shard_of("will");
    auto will = std::make_shared<will_record>();
    will->message = make_message("will", "gone");
    node.send(home, claim("c", false, will));
    if (crashes & 1)
      node[home].snapshot();
    node.send(home,
              release_command{"c", {1, 1, 0}, 1, nullptr, 0, fate::publish});
    if (crashes & 2)
      node.network.clear(); // before it was sent
    else
      node.carry_one({}); // before it was confirmed
    if (crashes & 4)
      node[to].snapshot();
    node.network.clear();
    node.crash(home);
    node.crash(to);
    node.settle();
    BOOST_TEST(count(node, "route will gone") == 1U);
  }
}

BOOST_AUTO_TEST_CASE(random_crashes_leave_sessions_and_shards_of_one_mind) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  const std::string names[] = {"a", "b", "c", "d", "e"};
  for (int round = 0; round < 15; ++round) {
    test_cluster node{4, static_cast<std::uint32_t>(random())};
    std::map<std::string, std::uint64_t> epochs; // of live owners
    std::map<std::string, std::uint64_t> incarnations;
    int wills = 0;
    const faults how{random() % 2 == 0, random() % 2 == 0, random() % 2 == 0};
    for (int step = 0; step < 1'500; ++step) {
      const auto& name = names[random() % std::size(names)];
      const auto home = node.shard_of(name);
      const auto live = epochs.find(name);
      switch (random() % 12) {
      case 0: {
        if (live != epochs.end())
          break;
        std::shared_ptr<will_record> will;
        if (random() % 2 == 0) {
          will = std::make_shared<will_record>();
          will->delay = std::chrono::seconds{random() % 10};
          will->message =
            make_message(random_topic(random), text("will", ++wills));
        }
        node.send(home, claim_command{name,
                                      {1, 1, 0},
                                      random() % 3 == 0,
                                      static_cast<std::uint32_t>(random() % 15),
                                      will});
        const auto& grant = node[home].effects.grants.back();
        if (grant.epoch != 0) {
          epochs[name] = grant.epoch;
          incarnations[name] = grant.incarnation;
        }
        break;
      }
      case 1: {
        if (live == epochs.end())
          break;
        release_command x{name,
                          {1, 1, 0},
                          live->second,
                          nullptr,
                          static_cast<std::uint32_t>(random() % 15),
                          random() % 3 == 0 ? fate::discard : fate::publish};
        if (random() % 3 != 0)
          x.record = std::make_shared<session_record>();
        node.send(home, x);
        epochs.erase(name);
        break;
      }
      case 2:
      case 3:
      case 4:
        if (live != epochs.end())
          node.send(home, subscribe(name, live->second, random_filter(random),
                                    1, random() % 4 != 0));
        break;
      case 5:
        if (live != epochs.end()) {
          const auto id = static_cast<std::uint16_t>(1 + random() % 4);
          const auto topic = random_topic(random);
          publish_command x{make_message(topic, "x"), {1, 1, 0}, 0, 0, true};
          x.inbound = inbound_identity{name, incarnations[name], id};
          node.send(home, inbound_command{name,
                                          live->second,
                                          id,
                                          node.shard_of(topic),
                                          random() % 2 == 0,
                                          {1, 1, 0}});
          node.send(node.shard_of(topic), x);
        }
        break;
      case 6:
        if (live != epochs.end()) {
          const auto shard = static_cast<std::uint16_t>(random() % 4);
          node.send(home, checkpoint_command{
                            name, live->second, {}, {{shard, random() % 50}}});
        }
        break;
      case 7: {
        const auto topic = random_topic(random);
        node.send(node.shard_of(topic),
                  publish_command{
                    make_message(topic, std::to_string(step)), {}, 0, 0, true});
        break;
      }
      case 8:
        node.wait(std::chrono::seconds{random() % 4});
        break;
      case 9:
        node[random() % 4].snapshot();
        break;
      case 10: {
        if (random() % 4 != 0)
          break;
        const auto shard = static_cast<std::uint16_t>(random() % 4);
        if (random() % 2 == 0)
          node.network.clear();
        node.crash(shard);
        break;
      }
      default:
        for (auto i = random() % 8; i > 0 && !node.network.empty(); --i)
          node.carry_one(how);
      }
      // Who owned a session is gone; its state is not.
      if (random() % 200 == 0) {
        for (std::uint16_t i = 0; i < 4; ++i) {
          node.crash(i);
          node.send(i, restart_command{});
        }
        epochs.clear();
      }
    }
    node.settle(how);

    // A session's subscriptions are held where their topics are, and no other.
    std::set<std::string> wanted;
    std::set<std::string> found;
    std::map<std::string, std::uint64_t> lives;
    for (std::uint16_t i = 0; i < 4; ++i) {
      node[i].snapshot();
      for (const auto& x : node[i].rows.sessions) {
        lives[x.first] = x.second.incarnation;
        for (const auto& y : x.second.record->subscriptions)
          for_each_shard_of(y.filter, 4, [&](std::uint16_t shard) {
            wanted.insert(text(shard, ' ', x.first, ' ', y.filter));
          });
      }
    }
    for (std::uint16_t i = 0; i < 4; ++i) {
      for (const auto& [key, x] : node[i].rows.holders)
        found.insert(text(i, ' ', key.second, ' ',
                          node[i].rows.filters.at(key.first).filter));
      BOOST_TEST(node[i].rows.forwards.empty());
    }
    BOOST_TEST(found == wanted, each);
    // A will goes once to where it belongs, or was discarded.
    for (int i = 1; i <= wills; ++i) {
      std::size_t sent = 0;
      const auto payload = text("will", i);
      for (const auto& x : node.forwarded)
        sent += x.starts_with("publish ") && x.ends_with(' ' + payload);
      std::size_t routed = 0;
      for (const auto& [shard, all] : node.history)
        for (const auto& x : all)
          routed += x.starts_with("route ")
                    && x.find(' ' + payload + ' ') != std::string::npos;
      BOOST_TEST(sent <= 1U);
      BOOST_TEST(routed == sent, payload << " seed " << seed);
    }
    for (auto& [name, live] : epochs)
      BOOST_TEST(lives.contains(name));
  }
}
