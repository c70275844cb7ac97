// The ledger: after any traffic, what came in is what went somewhere.

#include "tests/actors/manual_node.hpp"
#include "tests/actors/shapes.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <random>
#include <set>

using namespace troupe::test;

namespace {

std::uint64_t dropped(const manual_node& node) {
  std::uint64_t all = 0;
  for (const auto* why :
       {"queue_full", "qos0_msg", "expired", "too_large", "no_local",
        "session_ended", "refused", "share_member_gone"})
    all += node[std::string{"delivery.dropped."} + why];
  return all;
}

/// [I11]: each side is counted where it happens, none is derived.
void check_ledger(const manual_node& node) {
  const auto began = node["delivery.routed"] + node["delivery.resumed"];
  const auto live =
    static_cast<std::uint64_t>(node.in_flight() + node.queued());
  const auto ended = node["messages.acked"] + node["messages.qos0.sent"]
                     + dropped(node) + node["delivery.handed_over"]
                     + node["delivery.suspended"] + live;
  BOOST_TEST(began == ended,
             "routed " << node["delivery.routed"] << " resumed "
                       << node["delivery.resumed"] << " acked "
                       << node["messages.acked"] << " qos0 "
                       << node["messages.qos0.sent"] << " dropped "
                       << dropped(node) << " handed over "
                       << node["delivery.handed_over"] << " suspended "
                       << node["delivery.suspended"] << " live " << live);
  BOOST_TEST(node["messages.received"]
             == node["messages.qos2.duplicates"]
                  + node["messages.publish.routed"]
                  + node["messages.dropped.no_subscribers"]
                  + node["messages.publish.refused"]);
}

/// Clients that do anything at any time.
class crowd {
public:
  crowd(std::size_t homes, std::chrono::milliseconds delay, std::uint32_t seed)
    : random_(seed),
      node_(options(homes, delay)),
      live_(12, nullptr) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step(i);
      if (one_of(6) == 0)
        node_.run_until_idle();
      if (one_of(25) == 0)
        node_.advance(std::chrono::milliseconds{one_of(1'500)});
      if (i % 200 == 199) {
        node_.settle();
        check_ledger(node_);
      }
    }
  }

  /// All read and acknowledge again; the histories are compared.
  void finish() {
    for (auto* x : all_)
      if (x->live()) {
        x->reads = true;
        calm(*x);
      }
    for (int i = 0; i < 30; ++i)
      node_.advance(1s);
    check_ledger(node_);
    BOOST_TEST(node_.queued() == 0);
    std::uint64_t got_qos0 = 0;
    for (const auto* x : all_) {
      for (const auto& m : x->got)
        got_qos0 += m.qos == qos::at_most_once ? 1 : 0;
    }
    // What the node put into sockets that were closed was not read.
    BOOST_TEST(got_qos0 <= node_["messages.qos0.sent"]);
    node_.shut_down();
    check_ledger(node_);
    BOOST_TEST(node_.running_actors() == 0U);
  }

private:
  static troupe::actors::node_options options(std::size_t homes,
                                              std::chrono::milliseconds delay) {
    auto made = options_with(homes, delay);
    made.mqtt.max_mqueue_len = 12;
    made.mqtt.max_inflight = 5;
    made.mqtt.max_awaiting_rel = 20;
    made.actors.credit = 200;
    return made;
  }

  std::uint32_t one_of(std::uint32_t n) {
    return static_cast<std::uint32_t>(random_()) % n;
  }

  void calm(client& x) {
    x.acks = true;
    const auto all = x.got;
    for (const auto& m : all) // again is harmless: unknown by then
      if (m.qos != qos::at_most_once)
        x.ack(m);
  }

  void step(int i) {
    const auto at = one_of(static_cast<std::uint32_t>(live_.size()));
    auto*& x = live_[at];
    if (x == nullptr || !x->live()) {
      x = &node_.attach(one_of(static_cast<std::uint32_t>(node_.homes())));
      all_.push_back(x);
      connect_shape shape{.id = "c" + std::to_string(at)};
      shape.clean_start = one_of(4) == 0;
      shape.expiry = at % 3 == 0 ? 0 : 1 + one_of(20);
      if (one_of(3) == 0)
        shape.will_topic = topic();
      shape.will_delay = one_of(3);
      if (one_of(5) == 0)
        shape.maximum_packet_size = 60;
      x->connect(shape);
      return;
    }
    switch (one_of(24)) {
    case 0:
      x->drop();
      break;
    case 1:
      x->disconnect(one_of(2) == 0 ? reason_code::normal_disconnection
                                   : reason_code::disconnect_with_will_message);
      break;
    case 2:
    case 3:
      x->subscribe(filter(), {.maximum_qos = static_cast<qos>(one_of(3)),
                              .identifier = one_of(4)});
      break;
    case 4:
      x->subscribe("t/" + std::to_string(one_of(4)),
                   {.maximum_qos = static_cast<qos>(one_of(3)),
                    .no_local = one_of(2) == 0});
      break;
    case 5:
      x->unsubscribe(filter());
      break;
    case 6:
      x->acks = false;
      break;
    case 7:
      calm(*x);
      break;
    case 8:
      x->reads = !x->reads;
      break;
    case 9: // takes over from another place
      x = nullptr;
      break;
    case 10:
      if (!x->got.empty() && x->got.back().qos != qos::at_most_once)
        x->ack(x->got.back(), reason_code::quota_exceeded);
      break;
    case 11:
      x->publish("$delayed/2/" + topic(), "later");
      break;
    case 12:
      x->publish("$SYS/not/allowed", "x");
      break;
    default:
      x->publish(topic(), std::to_string(i) + std::string(one_of(80), '.'),
                 {.qos = static_cast<qos>(one_of(3)),
                  .retain = one_of(8) == 0,
                  .expiry = one_of(5) == 0
                              ? std::optional<std::uint32_t>{one_of(3)}
                              : std::nullopt});
    }
  }

  std::string topic() { return "t/" + std::to_string(one_of(4)); }
  std::string filter() {
    static constexpr const char* all[] = {
      "t/+", "#", "t/1", "t/2", "$share/g/t/+", "$share/g/t/1", "$share/h/#"};
    return all[one_of(std::size(all))];
  }

  std::minstd_rand random_;
  manual_node node_;
  std::vector<client*> live_;
  std::vector<client*> all_;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_quiet_exchange_balances_and_agrees_with_its_clients) {
  for (const std::size_t homes : {1U, 2U, 3U}) {
    manual_node node{options_with(homes, 5ms)};
    std::vector<client*> readers;
    for (std::size_t i = 0; i < 4; ++i) {
      readers.push_back(&node.connect(
        i % homes, {.id = "s" + std::to_string(i), .expiry = i < 2 ? 0U : 9U}));
      node.subscribe(*readers.back(), "t/#",
                     {.maximum_qos = static_cast<qos>(i % 3)});
    }
    auto& publisher = node.connect(0, {.id = "p"});
    for (int i = 0; i < 300; ++i)
      publisher.publish(i % 5 == 0 ? "nobody" : "t/x", "x",
                        {.qos = static_cast<qos>(i % 3)});
    node.settle();
    std::size_t got = 0;
    std::size_t acked = 0;
    for (const auto* x : readers) {
      got += x->got.size();
      acked += x->acked;
    }
    BOOST_TEST(got == 4U * 240);
    BOOST_TEST(node["delivery.routed"] == got);
    BOOST_TEST(node["messages.delivered"] == got);
    BOOST_TEST(node["messages.acked"] == acked);
    BOOST_TEST(node["messages.qos0.sent"] == got - acked);
    BOOST_TEST(node["messages.received"] == 300U);
    BOOST_TEST(node["messages.publish.routed"] == 240U);
    BOOST_TEST(node["messages.dropped.no_subscribers"] == 60U);
    BOOST_TEST(publisher.completed == 200U);
    check_ledger(node);
  }
}

BOOST_AUTO_TEST_CASE(random_traffic_balances) {
  on_every_shape_at_random([](auto homes, auto delay, auto seed) {
    crowd all{homes, delay, seed};
    all.run(3'000);
    all.finish();
  });
}
