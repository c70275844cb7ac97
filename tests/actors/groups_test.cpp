// Shared groups: every message to one member, none lost with a member.

#include "tests/actors/manual_node.hpp"
#include "tests/actors/shapes.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace troupe::test;

namespace {

/// How often each payload came, over all of `who`.
std::map<std::string, int> counts(const std::vector<client*>& who) {
  std::map<std::string, int> all;
  for (const auto* x : who)
    for (const auto& m : x->got)
      ++all[m.payload];
  return all;
}

void publish(manual_node& node, client& who, int from, int to,
             qos level = qos::at_least_once) {
  for (int i = from; i < to; ++i) {
    who.publish("t", std::to_string(i), {.qos = level});
    if (i % 10 == 0)
      node.run_until_idle();
  }
  node.settle();
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_a_message_goes_to_one_member_of_each_group) {
  on_every_shape([](std::size_t homes, auto delay) {
    for (const std::uint32_t expiry : {0U, 100U}) {
      manual_node node{options_with(homes, delay)};
      auto& publisher = node.connect(0, {.id = "p"});
      std::vector<client*> one;
      std::vector<client*> other;
      for (std::size_t i = 0; i < 6; ++i) {
        auto& x = node.connect(
          i % homes, {.id = "c" + std::to_string(i), .expiry = expiry});
        node.subscribe(x, i < 3 ? "$share/g/t" : "$share/h/#");
        (i < 3 ? one : other).push_back(&x);
      }
      publish(node, publisher, 0, 90);
      publish(node, publisher, 90, 100, qos::exactly_once);
      for (const auto& group : {one, other}) {
        const auto all = counts(group);
        BOOST_TEST(all.size() == 100U);
        for (const auto& [payload, count] : all)
          BOOST_TEST(count == 1);
        for (const auto* x : group)
          BOOST_TEST(x->got.size() > 10U);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(what_a_member_did_not_acknowledge_goes_to_another_one) {
  on_every_shape([](std::size_t homes, auto delay) {
    for (const std::uint32_t expiry : {0U, 100U}) {
      manual_node node{options_with(homes, delay)};
      auto& publisher = node.connect(0, {.id = "p"});
      auto& dying = node.connect(homes - 1, {.id = "a", .expiry = expiry});
      auto& other = node.connect(0, {.id = "b", .expiry = expiry});
      node.subscribe(dying, "$share/g/t");
      node.subscribe(other, "$share/g/t");
      dying.acks = false;
      publish(node, publisher, 0, 200); // more than its window
      BOOST_TEST(dying.got.size() == 32U);
      dying.drop();
      node.settle();
      const auto all = counts({&other});
      BOOST_TEST(all.size() == 200U);
      for (const auto& [payload, count] : all)
        BOOST_TEST(count == 1);
      BOOST_TEST(node["messages.shared.redelivered"] > 0U);
    }
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_4_qos_2_stays_with_the_session_it_went_to) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& publisher = node.connect(0, {.id = "p"});
    auto& dying = node.connect(homes - 1, {.id = "a", .expiry = 100});
    auto& other = node.connect(0, {.id = "b", .expiry = 100});
    node.subscribe(dying, "$share/g/t");
    node.subscribe(other, "$share/g/t");
    dying.acks = false;
    publish(node, publisher, 0, 20, qos::exactly_once);
    const auto sent = dying.got.size();
    BOOST_TEST(sent > 0U);
    dying.drop();
    node.settle();
    BOOST_TEST(other.got.size() == 20U - sent);
    auto& back =
      node.connect(0, {.id = "a", .clean_start = false, .expiry = 100});
    node.settle();
    BOOST_TEST(back.got.size() == sent);
    for (const auto& [payload, count] : counts({&back, &other}))
      BOOST_TEST(count == 1);
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_5_qos_2_ends_with_the_session_it_went_to) {
  manual_node node{options_with(2)};
  auto& publisher = node.connect(0, {.id = "p"});
  auto& dying = node.connect(1, {.id = "a"});
  auto& other = node.connect(0, {.id = "b"});
  node.subscribe(dying, "$share/g/t");
  node.subscribe(other, "$share/g/t");
  dying.acks = false;
  publish(node, publisher, 0, 20, qos::exactly_once);
  const auto sent = dying.got.size();
  dying.drop();
  node.settle();
  BOOST_TEST(other.got.size() == 20U - sent);
  BOOST_TEST(node["delivery.dropped.share_member_gone"] == sent);
}

BOOST_AUTO_TEST_CASE(a_durable_group_misses_nothing_while_nobody_is_online) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& publisher = node.connect(0, {.id = "p"});
    for (const auto* id : {"a", "b"}) {
      auto& x = node.connect(homes - 1, {.id = id, .expiry = 100});
      node.subscribe(x, "$share/g/+");
      x.acks = false;
    }
    publish(node, publisher, 0, 20);
    std::vector<client*> members;
    for (const auto* id : {"a", "b"}) { // taken over and ended at once
      members.push_back(
        &node.connect(0, {.id = id, .clean_start = false, .expiry = 100}));
      members.back()->drop();
    }
    node.settle();
    BOOST_TEST(node.offline_sessions() == 2);
    publish(node, publisher, 20, 50);
    for (const auto* id : {"a", "b"})
      members.push_back(&node.connect(
        homes - 1, {.id = id, .clean_start = false, .expiry = 100}));
    node.settle();
    BOOST_TEST(counts(members).size() == 50U);
    BOOST_TEST(node.stored() == 0);
  });
}

BOOST_AUTO_TEST_CASE(a_group_keeps_its_messages_while_all_members_are_full) {
  on_every_shape([](std::size_t homes, auto delay) {
    auto options = options_with(homes, delay);
    options.mqtt.max_mqueue_len = 10;
    options.mqtt.max_inflight = 2;
    manual_node node{options};
    auto& publisher = node.connect(0, {.id = "p"});
    std::vector<client*> members;
    for (std::size_t i = 0; i < 3; ++i) {
      members.push_back(&node.connect(
        i % homes, {.id = "c" + std::to_string(i), .expiry = 100}));
      node.subscribe(*members.back(), "$share/g/t");
      members.back()->acks = false;
    }
    publish(node, publisher, 0, 100);
    BOOST_TEST(node.queued() == 30);
    for (auto* x : members) {
      x->acks = true;
      const auto waiting = x->got;
      for (const auto& m : waiting)
        x->ack(m);
    }
    node.advance(20s);
    const auto all = counts(members);
    BOOST_TEST(all.size() == 100U);
    BOOST_TEST(node["delivery.dropped.queue_full"] == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_group_that_becomes_durable_loses_and_doubles_nothing) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& publisher = node.connect(homes - 1, {.id = "p"});
    auto& always = node.connect(0, {.id = "a"});
    node.subscribe(always, "$share/g/t");
    auto& holder = node.connect(0, {.id = "h", .expiry = 100});
    node.subscribe(holder, "t"); // so that all goes through the shard
    auto& durable = node.connect(homes - 1, {.id = "d", .expiry = 100});
    for (int i = 0; i < 300; ++i) {
      publisher.publish("t", std::to_string(i));
      if (i % 20 == 5)
        durable.subscribe("$share/g/t");
      if (i % 20 == 15)
        durable.unsubscribe("$share/g/t");
      if (i % 3 == 0)
        node.advance(1ms);
    }
    node.settle();
    const auto all = counts({&always, &durable});
    BOOST_TEST(all.size() == 300U);
    for (const auto& [payload, count] : all)
      BOOST_TEST(count == 1, payload << " came " << count << " times");
  });
}
