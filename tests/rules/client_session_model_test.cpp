// Random events, compared with a model that keeps everything in plain maps.

#include "tests/rules/support.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <list>
#include <set>

using namespace troupe::test;
namespace protocol = troupe::protocol;
using ack = client_session::ack;
using inbound = client_session::inbound;
using in_flight = client_session::in_flight;

namespace {

/// MQTT's rules said slowly.
struct model {
  struct entry {
    std::uint16_t id;
    std::string name;
    qos level;
    in_flight::state now;
    bool uses_quota;
  };
  std::list<entry> open; // in the order of their first sending
  std::deque<std::pair<std::string, qos>> queue;
  std::set<std::uint16_t> inbound_ids;
  std::size_t quota = 0;
  std::size_t queue_max = 0;
  std::size_t inbound_max = 0;

  std::size_t used() const {
    std::size_t n = 0;
    for (const auto& x : open)
      n += x.uses_quota ? 1 : 0;
    return n;
  }
  bool any_waiting() const {
    return std::any_of(open.begin(), open.end(), [](const auto& x) {
      return x.now == in_flight::state::waiting;
    });
  }
  bool may_send() const { return used() < quota && !any_waiting(); }
  entry* find(std::uint16_t id) {
    for (auto& x : open)
      if (x.id == id && x.now != in_flight::state::waiting)
        return &x;
    return nullptr;
  }
  void settle(std::uint16_t id) {
    open.remove_if([&](const entry& x) { return x.id == id; });
  }
  names enqueue(const std::string& name, qos level) {
    names lost;
    if (queue_max != 0 && queue.size() >= queue_max) {
      auto at = std::find_if(queue.begin(), queue.end(), [](const auto& x) {
        return x.second == qos::at_most_once;
      });
      if (at != queue.end()) {
        lost.push_back(at->first + " slow");
      } else if (level == qos::at_most_once) {
        return {name + " slow"};
      } else {
        at = queue.begin();
        lost.push_back(at->first + " full");
      }
      queue.erase(at);
    }
    queue.emplace_back(name, level);
    return lost;
  }
};

class both_of {
public:
  explicit both_of(std::uint32_t seed) : random_(seed) { connect(); }

  void event() {
    ++events_;
    const auto dice = random_() % 100;
    if (dice < 40)
      deliver();
    else if (dice < 85)
      acknowledge();
    else if (dice < 97)
      publish_qos2();
    else if (dice == 97)
      reconnect();
    else
      rules_.shrink();
    compare();
  }

private:
  void connect() {
    protocol::client_session_options options;
    options.send_quota = static_cast<std::uint16_t>(1 + random_() % 12);
    options.queue_max = random_() % 8;
    options.awaiting_release_max = static_cast<std::uint16_t>(random_() % 6);
    rules_ = client_session{};
    rules_.configure(options);
    model_.quota = options.send_quota;
    model_.queue_max = options.queue_max;
    model_.inbound_max = options.awaiting_release_max;
  }

  /// The record of a session travels as a broker would carry it.
  void reconnect() {
    std::vector<in_flight> kept;
    rules_.for_each_in_flight([&](in_flight& x) {
      if (x.now == in_flight::state::waiting)
        x.now = in_flight::state::sent;
      kept.push_back(std::move(x));
    });
    const auto next = rules_.next_packet_identifier();
    const auto awaiting = rules_.awaiting_release();
    connect();
    rules_.set_next_packet_identifier(next);
    for (auto& x : kept)
      rules_.restore(std::move(x));
    rules_.restore_awaiting_release(awaiting);
    model_.queue.clear();
    for (auto& x : model_.open) {
      x.uses_quota = false;
      if (x.now == in_flight::state::sent)
        x.now = in_flight::state::waiting;
    }
    pump();
  }

  void deliver() {
    const auto level = static_cast<qos>(random_() % 3);
    const auto name = std::to_string(++made_);
    if (rules_.queued() == 0
        && (level == qos::at_most_once || rules_.may_send())) {
      if (level != qos::at_most_once)
        start(item(name, level));
      return;
    }
    losses lost;
    rules_.enqueue(item(name, level), lost);
    BOOST_REQUIRE(lost.all == model_.enqueue(name, level));
  }

  void start(outbound&& x) {
    BOOST_REQUIRE(model_.may_send());
    const auto name = name_of(x);
    const auto level = x.qos;
    const auto id = rules_.start(std::move(x));
    BOOST_REQUIRE(id != 0);
    for (const auto& open : model_.open)
      BOOST_REQUIRE(open.id != id); // [MQTT-2.2.1-4]
    model_.open.push_back({id, name, level, in_flight::state::sent, true});
  }

  void pump() {
    while (const auto* again = rules_.take_resend()) {
      const auto first =
        std::find_if(model_.open.begin(), model_.open.end(), [](auto& x) {
          return x.now == in_flight::state::waiting;
        });
      BOOST_REQUIRE((first != model_.open.end()));
      BOOST_REQUIRE(first->id == again->packet_identifier);
      BOOST_REQUIRE(first->name == name_of(again->what));
      BOOST_REQUIRE(model_.used() < model_.quota);
      first->now = in_flight::state::sent;
      first->uses_quota = true;
    }
    BOOST_REQUIRE((!model_.any_waiting() || model_.used() >= model_.quota));
    outbound x;
    while (rules_.take_queued(x)) {
      BOOST_REQUIRE(!model_.queue.empty());
      BOOST_REQUIRE(model_.queue.front().first == name_of(x));
      model_.queue.pop_front();
      if (x.qos != qos::at_most_once)
        start(std::move(x));
      x = {};
    }
    BOOST_REQUIRE((model_.queue.empty() || !model_.may_send()));
  }

  std::uint16_t any_identifier() {
    if (model_.open.empty() || random_() % 10 == 0)
      return static_cast<std::uint16_t>(random_());
    auto at = model_.open.begin();
    std::advance(at, random_() % model_.open.size());
    return at->id;
  }

  void acknowledge() {
    const auto id = any_identifier();
    auto* x = model_.find(id);
    const auto kind = random_() % 3;
    const bool failed = random_() % 8 == 0;
    auto wanted = ack::unknown;
    if (x != nullptr && kind == 0 && x->level == qos::at_least_once)
      wanted = ack::settled;
    if (x != nullptr && kind == 1 && x->level == qos::exactly_once) {
      if (x->now == in_flight::state::released)
        wanted = failed ? ack::unknown : ack::repeated;
      else
        wanted = failed ? ack::settled : ack::release;
    }
    if (x != nullptr && kind == 2 && x->now == in_flight::state::released)
      wanted = ack::settled;
    const auto answer = kind == 0   ? rules_.on_puback(id)
                        : kind == 1 ? rules_.on_pubrec(id, failed)
                                    : rules_.on_pubcomp(id);
    BOOST_REQUIRE((answer.what == wanted));
    if (wanted == ack::release)
      x->now = in_flight::state::released;
    if (wanted == ack::settled) {
      BOOST_REQUIRE(name_of(answer.settled) == x->name);
      model_.settle(id);
      pump();
    }
  }

  void publish_qos2() {
    const auto id = static_cast<std::uint16_t>(1 + random_() % 9);
    auto& known = model_.inbound_ids;
    if (random_() % 2 == 0) {
      BOOST_REQUIRE(rules_.on_pubrel(id) == (known.erase(id) != 0));
      return;
    }
    auto wanted = inbound::fresh;
    if (known.contains(id))
      wanted = inbound::duplicate;
    else if (model_.inbound_max != 0 && known.size() >= model_.inbound_max)
      wanted = inbound::too_many;
    else
      known.insert(id);
    BOOST_REQUIRE((rules_.on_publish_qos2(id) == wanted));
  }

  void compare() {
    BOOST_REQUIRE(rules_.may_send() == model_.may_send());
    BOOST_REQUIRE(rules_.unacknowledged() == model_.used());
    BOOST_REQUIRE(rules_.in_flight_count() == model_.open.size());
    BOOST_REQUIRE(rules_.queued() == model_.queue.size());
    BOOST_REQUIRE(rules_.awaiting_release().size()
                  == model_.inbound_ids.size());
    if (events_ % 64 != 0)
      return;
    auto at = model_.open.begin();
    rules_.for_each_in_flight([&](in_flight& x) {
      BOOST_REQUIRE((at != model_.open.end()));
      BOOST_REQUIRE(x.packet_identifier == at->id);
      BOOST_REQUIRE(name_of(x.what) == at->name);
      BOOST_REQUIRE((x.now == at->now));
      ++at;
    });
  }

  std::minstd_rand random_;
  client_session rules_;
  model model_;
  std::uint64_t events_ = 0;
  std::uint64_t made_ = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE(random_events_lead_to_what_the_model_says) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  BOOST_TEST_CONTEXT("TROUPE_TEST_SEED=" << seed) {
    both_of both{seed};
    for (int i = 0; i < 200'000; ++i)
      both.event();
  }
}
