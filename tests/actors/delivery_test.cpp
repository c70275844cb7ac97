// From publisher to subscriber, across reactors and shards.

#include "tests/actors/manual_node.hpp"
#include "tests/actors/shapes.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

using namespace troupe::test;
namespace protocol = troupe::protocol;

namespace {

const auto each = boost::test_tools::per_element();
using texts = std::vector<std::string>;

texts numbered(int from, int to) {
  texts all;
  for (int i = from; i < to; ++i)
    all.push_back(std::to_string(i));
  return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_qos_reaches_subscribers_of_all_reactors) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    std::vector<client*> subscribers;
    for (std::size_t i = 0; i < 6; ++i) {
      auto& x = node.connect(i % homes, {.id = "s" + std::to_string(i),
                                         .expiry = i % 2 == 0 ? 0U : 100U});
      node.subscribe(x, i < 3 ? "t/+" : "t/1",
                     {.maximum_qos = static_cast<qos>(i % 3)});
      subscribers.push_back(&x);
    }
    auto& publisher = node.connect(homes - 1, {.id = "p"});
    for (int i = 0; i < 30; ++i)
      publisher.publish("t/1", std::to_string(i),
                        {.qos = static_cast<qos>(i % 3)});
    node.settle();
    BOOST_TEST(publisher.completed == 20U);
    for (std::size_t i = 0; i < 6; ++i) {
      BOOST_TEST(subscribers[i]->payloads() == numbered(0, 30), each);
      for (std::size_t k = 0; k < subscribers[i]->got.size(); ++k)
        BOOST_TEST((subscribers[i]->got[k].qos
                    == static_cast<qos>(std::min(i % 3, k % 3))));
    }
    BOOST_TEST(node.in_flight() == 0);
    BOOST_TEST(node["delivery.routed"] == 180U);
    node.shut_down();
    BOOST_TEST(node.running_actors() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_4_6_0_5_order_is_kept_between_both_paths) {
  // RETAIN sends a message through its shard; what follows must not overtake.
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    std::vector<client*> subscribers;
    for (std::size_t i = 0; i < homes; ++i) {
      subscribers.push_back(&node.connect(i, {.id = "s" + std::to_string(i)}));
      node.subscribe(*subscribers.back(), "t");
    }
    auto& publisher = node.connect(0, {.id = "p"});
    client* durable = nullptr;
    for (int i = 0; i < 300; ++i) {
      publisher.publish("t", std::to_string(i),
                        {.qos = static_cast<qos>(i * 7 % 3),
                         .retain = i % 11 == 3 || i % 50 > 45});
      if (i % 13 == 0)
        node.run_until_idle();
      if (i == 150) { // one whose messages have to be kept
        durable = &node.attach(homes - 1);
        durable->connect({.id = "d", .expiry = 100});
        durable->subscribe(
          "t", {.handling = protocol::retain_handling::do_not_send});
      }
    }
    node.settle();
    BOOST_TEST(publisher.completed == 200U);
    for (auto* x : subscribers)
      BOOST_TEST(x->payloads() == numbered(0, 300), each);
    const auto got = durable->payloads();
    BOOST_REQUIRE(!got.empty());
    BOOST_TEST(got == numbered(std::stoi(got.front()), 300), each);
  });
}

BOOST_AUTO_TEST_CASE(
  mqtt5_4_6_0_5_order_is_kept_for_who_subscribes_meanwhile_and_comes_back) {
  // The publications come in at any time while the filter comes into force.
  // They wait for the client's quota when its connection ends; the shards have
  // those that were logged, the session has the others.
  on_every_shape([](std::size_t homes, auto delay) {
    for (const std::string filter : {"t/1", "t/+"})
      for (auto before = 0ms; before < 16ms; ++before)
        BOOST_TEST_CONTEXT(filter << " after " << before.count() << " ms") {
          manual_node node{options_with(homes, delay)};
          const auto back = [&](bool anew) -> client& {
            return node.connect(homes - 1,
                                {.id = "s",
                                 .clean_start = anew,
                                 .expiry = 100,
                                 .receive_maximum = anew ? std::uint16_t{1}
                                                         : std::uint16_t{100}});
          };
          auto& subscriber = back(true);
          subscriber.acks = false;
          node.subscribe(subscriber, "first");
          auto& publisher = node.connect(0, {.id = "p", .expiry = 100});
          publisher.publish("first", "");
          node.settle();
          subscriber.subscribe(filter, {.maximum_qos = qos::at_least_once});
          node.run_until_idle();
          node.advance(before);
          for (int i = 0; i < 6; ++i) // QoS 2 is logged whoever subscribes
            publisher.publish(
              "t/1", std::to_string(i),
              {.qos = i % 3 == 0 ? qos::exactly_once : qos::at_least_once});
          node.settle();
          BOOST_TEST(publisher.completed == 7U);
          subscriber.drop();
          node.settle();
          auto& again = back(false);
          node.settle();
          const auto got = again.payloads("t/1");
          BOOST_TEST(std::is_sorted(got.begin(), got.end()));
        }
  });
}

BOOST_AUTO_TEST_CASE(a_publish_after_a_suback_reaches_the_subscriber) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& publisher = node.connect(0, {.id = "p"});
    for (std::uint32_t i = 0; i < 12; ++i) {
      auto& x = node.connect(
        i % homes, {.id = "s" + std::to_string(i), .expiry = i % 2 * 100});
      node.subscribe(x, i % 4 < 2 ? "#" : "a/b");
      publisher.publish("a/b", std::to_string(i),
                        {.qos = static_cast<qos>(i % 3)});
      node.settle();
      BOOST_TEST(x.payloads() == texts{std::to_string(i)}, each);
    }
  });
}

BOOST_AUTO_TEST_CASE(
  mqtt5_3_1_4_3_a_takeover_moves_a_session_between_reactors) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& publisher = node.connect(0, {.id = "p"});
    client* last = nullptr;
    texts got;
    for (int round = 0; round < 6; ++round) {
      auto& x = node.connect(static_cast<std::size_t>(round) % homes,
                             {.id = "d", .clean_start = false, .expiry = 100});
      BOOST_TEST(x.session_present == (round != 0));
      if (round == 0)
        node.subscribe(x, "t");
      if (last != nullptr) {
        BOOST_TEST((last->disconnected == reason_code::session_taken_over));
        BOOST_TEST(last->closed);
        BOOST_TEST(x.payloads() == numbered(10 * round - 5, 10 * round), each);
      }
      for (int i = 0; i < 10; ++i) {
        publisher.publish("t", std::to_string(10 * round + i));
        x.acks = i < 5; // the others stay in flight
        node.settle();
      }
      last = &x;
    }
    BOOST_TEST(node["session.takenover"] == 5U);
    BOOST_TEST(node["session.created"] == 2U);
  });
}

BOOST_AUTO_TEST_CASE(many_claims_of_one_identifier_leave_one_connection) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    std::vector<client*> all;
    for (std::size_t i = 0; i < 20; ++i) {
      auto& x = node.attach(i % homes);
      x.connect({.id = "c", .clean_start = i % 3 == 0, .expiry = 100});
      all.push_back(&x);
      if (i % 4 == 0)
        node.run_until_idle();
      if (i % 7 == 0)
        x.drop(); // some do not wait for their answer
    }
    node.settle();
    std::size_t live = 0;
    for (auto* x : all)
      live += x->live() ? 1 : 0;
    BOOST_TEST(live == 1U);
    node.shut_down();
    BOOST_TEST(node.running_actors() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_small_credit_stalls_reading_and_recovers) {
  on_every_shape([](std::size_t homes, auto delay) {
    auto options = options_with(homes, delay);
    options.actors.credit = 8;
    manual_node node{options};
    std::vector<client*> subscribers;
    for (std::size_t i = 0; i < homes; ++i) {
      subscribers.push_back(&node.connect(i, {.id = "s" + std::to_string(i)}));
      node.subscribe(*subscribers.back(), "t");
    }
    auto& direct = node.connect(0, {.id = "direct"});
    auto& by_shard = node.connect(homes - 1, {.id = "shard"});
    for (int i = 0; i < 500; ++i) {
      direct.publish("t", "d" + std::to_string(i));
      by_shard.publish("t", "s" + std::to_string(i), {.retain = true});
      if (i % 20 == 0)
        node.run_until_idle();
    }
    for (int i = 0; i < 20; ++i)
      node.settle();
    BOOST_TEST(direct.completed == 500U);
    BOOST_TEST(by_shard.completed == 500U);
    BOOST_TEST(node.credit_stalls() > 0U);
    for (auto* x : subscribers)
      BOOST_TEST(x->got.size() == 1'000U);
  });
}

BOOST_AUTO_TEST_CASE(all_retained_messages_pass_a_small_queue) {
  for (const std::size_t queue : {10U, 100U, 0U}) {
    for (const auto delay : {0ms, 5ms}) {
      auto options = options_with(2, delay);
      options.mqtt.max_mqueue_len = queue;
      options.mqtt.max_inflight = 8;
      manual_node node{options};
      auto& publisher = node.connect(0, {.id = "p"});
      for (int i = 0; i < 10'000; ++i) {
        publisher.publish("r/" + std::to_string(i % 10) + '/'
                            + std::to_string(i),
                          "x", {.qos = qos::at_least_once, .retain = true});
        if (i % 500 == 0)
          node.settle();
      }
      node.settle();
      BOOST_TEST(node.retained() == 10'000);
      auto& reader = node.connect(1, {.id = "s"});
      // Ten readings at once, all of them of many pages.
      for (int i = 0; i < 10; ++i)
        reader.subscribe("r/" + std::to_string(i) + "/+");
      for (int i = 0; i < 400 && reader.got.size() < 10'000; ++i)
        node.advance(100ms);
      std::set<std::string> topics;
      for (const auto& x : reader.got)
        topics.insert(x.topic);
      BOOST_TEST(topics.size() == 10'000U);
      BOOST_TEST(reader.got.size() == 10'000U);
      BOOST_TEST(node["delivery.dropped.queue_full"] == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_retained_message_and_its_live_copy_come_once) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& publisher = node.connect(0, {.id = "p"});
    auto& reader = node.connect(homes - 1, {.id = "s"});
    reader.subscribe("t/#");
    for (int i = 0; i < 50; ++i) {
      publisher.publish("t/" + std::to_string(i), "x", {.retain = true});
      node.advance(1ms);
    }
    node.settle();
    BOOST_TEST(reader.got.size() == 50U);
  });
}

BOOST_AUTO_TEST_CASE(a_socket_that_breaks_while_it_is_written_ends_one_client) {
  for (const bool overlap : {false, true}) {
    auto options = options_with(1);
    options.actors.flush_each_message = true;
    manual_node node{options};
    auto& publisher = node.connect(0, {.id = "p"});
    std::vector<client*> subscribers;
    for (int i = 0; i < 8; ++i) {
      subscribers.push_back(&node.connect(0, {.id = "s" + std::to_string(i)}));
      node.subscribe(*subscribers.back(), "t");
      if (overlap)
        node.subscribe(*subscribers.back(), i % 2 == 0 ? "+" : "#");
    }
    // The publication is looked at before the end of these sockets is.
    publisher.publish("t", "x", {.qos = qos::at_most_once});
    publisher.publish("t", "y");
    publisher.pump();
    for (int i = 0; i < 8; i += 3)
      subscribers[static_cast<std::size_t>(i)]->drop();
    node.settle();
    for (std::size_t i = 0; i < 8; ++i)
      BOOST_TEST(subscribers[i]->got.size() == (i % 3 == 0 ? 0U : 2U));
    node.shut_down();
    BOOST_TEST(node.running_actors() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(large_messages_arrive_whole_whoever_reads_slowly) {
  // At QoS 0 they are borrowed from where they were read, until a receiver is
  // slow: what waits must be its own.
  on_every_shape([](std::size_t homes, auto delay) {
    auto options = options_with(homes, delay);
    options.actors.read_buffer = options.actors.read_budget = 4'096;
    options.actors.bytes_per_turn = 4'096;
    options.mqtt.max_mqueue_len = 0;
    manual_node node{options};
    auto& slow = node.attach(0, 4'096);
    slow.connect({.id = "slow"});
    node.run_until_idle();
    node.subscribe(slow, "big/#", {.maximum_qos = qos::at_most_once});
    auto& named = node.connect(0, {.id = "named"});
    node.subscribe(named, "big/#", {.identifier = 7});
    auto& fast = node.connect(homes - 1, {.id = "fast"});
    node.subscribe(fast, "big/#");
    auto& publisher = node.connect(homes / 2, {.id = "p"});
    texts expected;
    slow.reads = false;
    for (int i = 0; i < 200; ++i) {
      const auto size = 300 + static_cast<std::size_t>(i) * 97 % 9'000;
      expected.push_back(std::to_string(i)
                         + std::string(size, static_cast<char>('a' + i % 26)));
      publisher.publish(
        "big/" + std::to_string(i % 3), expected.back(),
        {.qos = i % 5 == 4 ? qos::at_least_once : qos::at_most_once});
      if (i % 9 == 0)
        node.run_until_idle();
    }
    node.settle();
    BOOST_TEST(fast.payloads() == expected, each);
    BOOST_TEST(named.payloads() == expected, each);
    BOOST_TEST(named.got.front().identifiers == std::vector<std::uint32_t>{7},
               each);
    slow.reads = true;
    node.settle();
    BOOST_TEST(slow.payloads() == expected, each);
  });
}

BOOST_AUTO_TEST_CASE(who_takes_nothing_is_not_read_from_without_end) {
  manual_node node(options_with(1));
  auto& one = node.attach(0, 4'608);
  one.connect({.id = "one"});
  node.run_until_idle();
  BOOST_REQUIRE(one.connacks == 1U);
  one.reads = false;
  std::string pings; // PINGREQ is two bytes, and so is its answer
  for (int i = 0; i < 50'000; ++i)
    pings += std::string_view{"\xC0\0", 2};
  for (int i = 0; i < 40; ++i) {
    one.send(pings);
    node.run_until_idle();
  }
  BOOST_TEST(node["packets.pingreq.received"] < 800'000U);
  one.reads = true;
  node.run_until_idle();
  BOOST_TEST(one.pings == 2'000'000U);
}
