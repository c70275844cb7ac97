// I1 to I3 from the clients' side: durable sessions that come, go, move and
// stall get everything once it was acknowledged, in order.

#include "tests/actors/manual_node.hpp"
#include "tests/actors/shapes.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>

using namespace troupe::test;

namespace {

struct subscriber {
  std::string id;
  std::string filter;
  client* now = nullptr;
  std::vector<client*> all;
};

class world {
public:
  world(std::size_t homes, std::chrono::milliseconds delay, std::uint32_t seed)
    : random_(seed),
      node_(options(homes, delay)) {
    static constexpr const char* filters[] = {"t/#", "t/+", "t/1", "#"};
    for (std::size_t i = 0; i < 4; ++i) {
      subscribers_.push_back(
        {"s" + std::to_string(i), filters[i], nullptr, {}});
      join(subscribers_.back(), true);
      node_.subscribe(*subscribers_.back().now, filters[i]);
    }
    for (std::size_t i = 0; i < 2; ++i)
      publishers_.push_back(
        &node_.connect(i % homes, {.id = "p" + std::to_string(i)}));
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto dice = random_() % 20;
      auto& x = subscribers_[random_() % subscribers_.size()];
      if (dice < 12)
        publish();
      else if (dice == 12)
        x.now->acks = false;
      else if (dice <= 14)
        resume(*x.now);
      else if (dice == 15)
        x.now->drop();
      else if (dice <= 17)
        join(x, false);
      else
        node_.advance(std::chrono::milliseconds{random_() % 300});
      if (random_() % 4 == 0)
        node_.run_until_idle();
    }
  }

  void finish() {
    node_.settle();
    for (auto& x : subscribers_)
      join(x, true);
    for (int i = 0; i < 60; ++i)
      node_.advance(500ms);
    for (const auto* x : publishers_)
      BOOST_TEST(x->completed == published_[x]);
    for (const auto& x : subscribers_)
      check(x);
    BOOST_TEST(node_["delivery.dropped.queue_full"] == 0U);
    BOOST_TEST(node_.queued() == 0);
    BOOST_TEST(node_.in_flight() == 0);
    BOOST_TEST(node_.stored() == 0);
  }

private:
  static troupe::actors::node_options options(std::size_t homes,
                                              std::chrono::milliseconds delay) {
    auto made = options_with(homes, delay);
    made.mqtt.max_mqueue_len = 10;
    made.mqtt.max_inflight = 4;
    made.mqtt.max_awaiting_rel = 0;
    return made;
  }

  void join(subscriber& x, bool wait) {
    x.now = &node_.attach(random_() % node_.homes());
    x.now->connect(
      {.id = x.id,
       .clean_start = false,
       .expiry = 100'000,
       .receive_maximum = static_cast<std::uint16_t>(1 + random_() % 6)});
    x.all.push_back(x.now);
    if (wait)
      node_.settle();
  }

  static void resume(client& x) {
    x.acks = true;
    const auto all = x.got;
    for (const auto& m : all) // again is harmless: unknown by then
      x.ack(m);
  }

  void publish() {
    const auto p = random_() % publishers_.size();
    const auto topic = "t/" + std::to_string(random_() % 3);
    const auto number = next_[{p, topic}]++;
    publishers_[p]->publish(topic,
                            std::to_string(p) + ' ' + std::to_string(number),
                            {.qos = static_cast<qos>(1 + random_() % 2),
                             .retain = random_() % 10 == 0});
    ++published_[publishers_[p]];
  }

  void check(const subscriber& x) {
    std::map<std::pair<std::size_t, std::string>, int> next;
    std::size_t disorder = 0;
    std::size_t twice = 0;
    std::map<std::uint64_t, const delivered*> arrived;
    for (const auto* connection : x.all)
      for (const auto& m : connection->got)
        if (!m.retain) // replayed with the SUBSCRIBE
          arrived.emplace(m.arrival, &m);
    for (const auto& [arrival, m] : arrived) {
      const auto p = static_cast<std::size_t>(m->payload[0] - '0');
      const auto number = std::stoi(m->payload.substr(2));
      auto& wanted = next[{p, m->topic}];
      disorder += number > wanted ? 1 : 0; // lost or overtaken
      twice += number < wanted && !m->dup ? 1 : 0;
      wanted = std::max(wanted, number + 1);
    }
    BOOST_TEST(disorder == 0U, x.id << ": " << disorder);
    BOOST_TEST(twice == 0U, x.id << ": " << twice);
    for (const auto& [key, count] : next_)
      if (x.filter != "t/1" || key.second == "t/1")
        BOOST_TEST(next[key] == count,
                   x.id << ' ' << key.second << " of " << key.first);
  }

  std::minstd_rand random_;
  manual_node node_;
  std::vector<subscriber> subscribers_;
  std::vector<client*> publishers_;
  std::map<const client*, std::size_t> published_;
  std::map<std::pair<std::size_t, std::string>, int> next_;
};

} // namespace

BOOST_AUTO_TEST_CASE(durable_sessions_get_everything_in_order) {
  on_every_shape_at_random([](auto homes, auto delay, auto seed) {
    world all{homes, delay, seed};
    all.run(2'000);
    all.finish();
  });
}
