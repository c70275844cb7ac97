// Sessions that go away and come back, slow readers, and virtual time.

#include "tests/actors/manual_node.hpp"
#include "tests/actors/shapes.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::test;

namespace {

const auto each = boost::test_tools::per_element();
using texts = std::vector<std::string>;

const connect_shape durable{.id = "d", .clean_start = false, .expiry = 1'000};

/// Payloads of each topic in order, "topic/number".
void check_complete(const std::vector<delivered>& got, int topics,
                    int each_of) {
  std::map<std::string, int> next;
  for (const auto& x : got) {
    BOOST_REQUIRE(x.payload == std::to_string(next[x.topic]));
    ++next[x.topic];
  }
  BOOST_TEST(next.size() == static_cast<std::size_t>(topics));
  for (const auto& [topic, count] : next)
    BOOST_TEST(count == each_of, topic << ": " << count);
}

} // namespace

BOOST_AUTO_TEST_CASE(a_durable_session_misses_nothing_whatever_its_queue) {
  on_every_shape([](std::size_t homes, auto delay) {
    for (const std::size_t queue : {4U, 50U, 0U}) {
      auto options = options_with(homes, delay);
      options.mqtt.max_mqueue_len = queue;
      options.mqtt.max_inflight = 8;
      manual_node node{options};
      auto& publisher = node.connect(0, {.id = "p"});
      auto& before = node.connect(homes - 1, durable);
      node.subscribe(before, "t/#");
      before.disconnect();
      node.settle();
      BOOST_TEST(node.offline_sessions() == 1);
      for (int i = 0; i < 50; ++i) {
        for (int topic = 0; topic < 40; ++topic)
          publisher.publish("t/" + std::to_string(topic), std::to_string(i));
        node.settle();
      }
      auto& after = node.connect(0, durable);
      BOOST_TEST(after.session_present);
      // Others come while it catches up.
      for (int i = 50; i < 60; ++i) {
        for (int topic = 0; topic < 40; ++topic)
          publisher.publish("t/" + std::to_string(topic), std::to_string(i));
        node.advance(20ms);
      }
      for (int i = 0; i < 300 && after.got.size() < 2'400; ++i)
        node.advance(100ms);
      check_complete(after.got, 40, 60);
      BOOST_TEST(node["delivery.dropped.queue_full"] == 0U);
      node.advance(2s); // cursors are told once a second
      BOOST_TEST(node.stored() == 0);
    }
  });
}

BOOST_AUTO_TEST_CASE(a_durable_slow_reader_misses_nothing_while_it_is_live) {
  on_every_shape([](std::size_t homes, auto delay) {
    auto options = options_with(homes, delay);
    options.mqtt.max_mqueue_len = 20;
    options.mqtt.max_inflight = 4;
    manual_node node{options};
    auto& publisher = node.connect(0, {.id = "p"});
    auto& slow = node.connect(homes - 1, durable);
    node.subscribe(slow, "t/#");
    slow.acks = false;
    for (int i = 0; i < 50; ++i) {
      for (int topic = 0; topic < 5; ++topic)
        publisher.publish("t/" + std::to_string(topic), std::to_string(i),
                          {.qos = static_cast<qos>(1 + i % 2)});
      node.settle();
      BOOST_TEST(node.largest_queue() <= 20U);
    }
    BOOST_TEST(slow.got.size() == 4U);
    const auto waiting = slow.got; // now it acknowledges
    slow.acks = true;
    for (const auto& x : waiting)
      slow.ack(x);
    for (int i = 0; i < 300 && slow.got.size() < 250; ++i)
      node.advance(100ms);
    check_complete(slow.got, 5, 50);
    BOOST_TEST(node["delivery.dropped.queue_full"] == 0U);
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_4_4_0_1_what_was_in_flight_is_sent_again) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& publisher = node.connect(0, {.id = "p"});
    auto& before = node.connect(homes - 1, durable);
    node.subscribe(before, "t");
    before.acks = false;
    for (int i = 0; i < 10; ++i)
      publisher.publish("t", std::to_string(i),
                        {.qos = static_cast<qos>(1 + i % 2)});
    node.settle();
    for (int i = 0; i < 4; ++i) // 0 to 3 are done, 5 has its PUBREL
      before.ack(before.got[static_cast<std::size_t>(i)]);
    before.ack(before.got[5]);
    node.settle();
    before.drop();
    node.settle();
    auto shape = durable;
    shape.receive_maximum = 2;
    auto& after = node.connect(0, shape);
    node.settle();
    BOOST_TEST(after.payloads() == (texts{"4", "6", "7", "8", "9"}), each);
    for (std::size_t i = 0; i < after.got.size(); ++i) {
      BOOST_TEST(after.got[i].dup);
      const auto at = i == 0 ? 4U : i + 5;
      BOOST_TEST(after.got[i].packet_identifier
                 == before.got[at].packet_identifier);
    }
    BOOST_TEST(node.in_flight() == 0);
    BOOST_TEST(node["messages.acked"] == 10U);
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_10_a_duplicate_after_reconnect_is_dropped) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& reader = node.connect(0, {.id = "s"});
    node.subscribe(reader, "t");
    // PUBLISH, QoS 2, DUP as the second byte says, packet identifier 7
    const auto publish = [](char first) {
      return std::string{first} + std::string{"\x07\x00\x01t\x00\x07\x00x", 8};
    };
    auto& one = node.connect(homes - 1, durable);
    one.releases = false;
    one.send(publish('\x34'));
    node.settle();
    one.drop();
    node.settle();
    auto& other = node.connect(0, durable);
    BOOST_TEST(other.session_present);
    other.send(publish('\x3C'));
    node.settle();
    BOOST_TEST(other.answers.count(7) == 1U);
    BOOST_TEST(reader.got.size() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_23_an_expired_session_is_gone) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& publisher = node.connect(0, {.id = "p"});
    auto& one = node.connect(homes - 1, durable);
    node.subscribe(one, "t/#");
    node.subscribe(one, "t");
    one.drop();
    node.settle();
    publisher.publish("t", "x");
    node.settle();
    BOOST_TEST(node.stored() == 1);
    node.advance(999s);
    BOOST_TEST(node.offline_sessions() == 1);
    node.advance(2s);
    BOOST_TEST(node.offline_sessions() == 0);
    BOOST_TEST(node.stored() == 0);
    BOOST_TEST(node.filters() == 0U);
    BOOST_TEST(!node.connect(0, durable).session_present);
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_4_3_the_last_word_of_a_slow_client_is_heard) {
  for (const bool says_so : {false, true}) {
    manual_node node{options_with(2)};
    auto& reader = node.connect(1, {.id = "reader"});
    node.subscribe(reader, "will");
    auto& slow = node.attach(0, 4'096);
    slow.connect({.id = "slow", .will_topic = "will"});
    node.run_until_idle();
    node.subscribe(slow, "big", {.maximum_qos = qos::at_most_once});
    slow.reads = false;
    auto& publisher = node.connect(1, {.id = "p"});
    for (int i = 0; i < 300; ++i) // so much that it is not read from either
      publisher.publish("big", std::string(8'192, 'x'),
                        {.qos = qos::at_most_once});
    node.settle();
    if (says_so)
      slow.disconnect();
    slow.pump();
    slow.drop();
    node.settle();
    BOOST_TEST(reader.payloads("will").size() == (says_so ? 0U : 1U));
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_3_2_2_a_will_waits_for_its_delay) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& reader = node.connect(0, {.id = "s"});
    node.subscribe(reader, "will/#");
    const auto shape = [](const char* id, std::uint32_t after) {
      return connect_shape{.id = id,
                           .expiry = 1'000,
                           .will_topic = std::string{"will/"} + id,
                           .will_delay = after};
    };
    for (const auto* id : {"now", "later", "never", "back"}) {
      auto& x = node.connect(homes - 1, shape(id, *id == 'n' ? 0U : 300U));
      if (std::string_view{id} == "never")
        x.disconnect();
      node.settle();
      x.drop();
    }
    node.settle();
    BOOST_TEST(reader.payloads("will/now").size() == 1U);
    BOOST_TEST(reader.got.size() == 1U);
    node.advance(299s);
    auto& back =
      node.connect(0, {.id = "back", .clean_start = false, .expiry = 1'000});
    BOOST_TEST(back.session_present);
    node.advance(10s);
    BOOST_TEST(reader.payloads("will/later").size() == 1U);
    node.advance(2'000s);
    BOOST_TEST(reader.got.size() == 2U);
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_22_a_silent_client_is_closed_by_keep_alive) {
  manual_node node{options_with(2)};
  auto& reader = node.connect(0, {.id = "s"});
  node.subscribe(reader, "will");
  auto& silent =
    node.connect(1, {.id = "c", .keep_alive = 60, .will_topic = "will"});
  auto& busy = node.connect(1, {.id = "b", .keep_alive = 60});
  for (int i = 0; i < 3; ++i) {
    busy.ping();
    node.advance(29s);
  }
  BOOST_TEST(silent.live());
  busy.ping();
  node.advance(4s);
  BOOST_TEST(!silent.live());
  BOOST_TEST((silent.disconnected == reason_code::keep_alive_timeout));
  BOOST_TEST(reader.payloads() == texts{"gone"}, each);
  node.advance(80s);
  BOOST_TEST(busy.live());
  node.advance(11s);
  BOOST_TEST(!busy.live());
  node.advance(std::chrono::hours{1});
  BOOST_TEST(reader.live()); // Keep Alive 0
}

BOOST_AUTO_TEST_CASE(who_closes_before_its_connack_costs_no_turns) {
  manual_node node{options_with(1, 5ms)};
  auto& hasty = node.attach(0);
  hasty.connect({.id = "h", .expiry = 100});
  node.run_until_idle(); // the claim is in the log
  hasty.publish("t", "x", {.qos = qos::at_most_once});
  node.run_until_idle(); // which is not read yet
  hasty.drop();
  node.run_until_idle(); // and would fail if the end were looked at for ever
  node.settle();
  BOOST_TEST(node.offline_sessions() == 1);
}

BOOST_AUTO_TEST_CASE(who_sends_no_connect_is_closed_after_the_idle_timeout) {
  manual_node node{options_with(1)};
  auto& x = node.attach(0);
  node.advance(14s);
  BOOST_TEST(x.live());
  node.advance(2s);
  BOOST_TEST(x.closed);
  BOOST_TEST(node["connections.closed.no_connect"] == 1U);
}

BOOST_AUTO_TEST_CASE(a_slow_reader_is_bounded_and_drops_are_counted) {
  on_every_shape([](std::size_t homes, auto delay) {
    auto options = options_with(homes, delay);
    manual_node node{options};
    auto& publisher = node.connect(0, {.id = "p"});
    auto& slow = node.connect(homes - 1, {.id = "s"});
    node.subscribe(slow, "t");
    slow.acks = false; // 32 are in flight, 1,000 wait
    for (int i = 0; i < 3'000; ++i) {
      publisher.publish("t", std::to_string(i));
      if (i % 100 == 0)
        node.run_until_idle();
    }
    node.settle();
    BOOST_TEST(slow.got.size() == 32U);
    BOOST_TEST(node.queued() == 1'000);
    BOOST_TEST(node["delivery.dropped.queue_full"] == 3'000U - 1'032U);
    slow.acks = true;
    const auto waiting = slow.got;
    for (const auto& x : waiting)
      slow.ack(x);
    node.settle();
    BOOST_TEST(slow.got.size() == 1'032U);
    BOOST_TEST(slow.got.back().payload == "2999");
  });
}

BOOST_AUTO_TEST_CASE(a_reader_whose_socket_is_full_costs_a_bounded_queue) {
  auto options = options_with(2);
  options.mqtt.max_mqueue_len = 100;
  manual_node node{options};
  auto& publisher = node.connect(0, {.id = "p"});
  auto& slow = node.attach(1, 4'096);
  slow.connect({.id = "s"});
  node.settle();
  node.subscribe(slow, "t");
  slow.reads = false;
  const std::string large(100'000, 'x');
  for (int i = 0; i < 300; ++i) {
    publisher.publish("t", large, {.qos = qos::at_most_once});
    node.run_until_idle();
  }
  BOOST_TEST(node.queued() == 100);
  const auto dropped = node["delivery.dropped.qos0_msg"];
  BOOST_TEST(dropped > 150U);
  slow.reads = true;
  node.run_until_idle();
  BOOST_TEST(slow.got.size() == 300U - dropped);
  slow.reads = false;
  for (int i = 0; i < 20; ++i)
    publisher.publish("t", large, {.qos = qos::at_most_once});
  node.advance(16s);
  BOOST_TEST(node["connections.closed.send_timeout"] == 1U);
}

BOOST_AUTO_TEST_CASE(an_ordered_shutdown_leaves_no_actor) {
  on_every_shape([](std::size_t homes, auto delay) {
    manual_node node{options_with(homes, delay)};
    auto& publisher = node.connect(0, {.id = "p"});
    for (std::size_t i = 0; i < 20; ++i) {
      auto& x =
        node.connect(i % homes, {.id = "c" + std::to_string(i),
                                 .expiry = i % 2 == 0 ? 100U : 0U,
                                 .will_topic = i % 3 == 0 ? "will" : ""});
      node.subscribe(x, "t/#");
      node.subscribe(x, "$share/g/t/+");
      x.acks = i % 4 != 0;
    }
    for (int i = 0; i < 100; ++i)
      publisher.publish("t/1", std::to_string(i), {.retain = i % 7 == 0});
    node.attach(0); // has not sent anything
    node.attach(homes - 1).connect({.id = "c3"});
    node.shut_down();
    BOOST_TEST(node.running_actors() == 0U);
  });
}
