// What the clients of a simulation do.

#include "tests/simulator/simulation.hpp"

#include <array>

namespace troupe::simulator {

using protocol::retain_handling;

namespace {

constexpr std::array filters{"t/0", "t/1", "t/+", "t/#",
                             "+/0", "r/+", "r/1", "d/#"};

/// Always the same for a client and a filter: a subscription is not changed.
protocol::qos qos_of(const client& x, std::string_view filter) {
  return static_cast<protocol::qos>(
    protocol::hash64(filter, static_cast<std::uint64_t>(x.shape().id[0])) % 3);
}

} // namespace

void simulation::client_acts() {
  const auto at = one_of(static_cast<std::uint32_t>(clients_.size()));
  auto& x = *clients_[at];
  if (!x.open()) {
    if (at == watcher_ || chance(50))
      come(x);
  } else if (!x.connected() || x.leaves()) {
    if (chance(10))
      break_connection(x);
  } else if (at == watcher_) {
    if (chance(5))
      break_connection(x);
  } else if (at == reader_) {
    reader_acts(x);
  } else if (at >= first_member_) {
    member_acts(x);
  } else {
    general_acts(x);
  }
}

void simulation::come(client& x) {
  std::optional<std::uint32_t> will_delay;
  if (clients_[watcher_].get() != &x && chance(40))
    will_delay = one_of(3);
  const auto& id = x.shape().id;
  const bool clean = (id == "a" || id == "d") && chance(20);
  x.connect(
    machine_.attach(one_of(static_cast<std::uint32_t>(machine_.reactors()))),
    clean, will_delay);
}

void simulation::break_connection(client& x) {
  note(x.shape().id + " breaks");
  x.cut(one_of(80), chance(50));
}

void simulation::member_acts(client& x) {
  const bool first = x.shape().share == "one";
  const auto dice = one_of(100);
  if (dice < 45)
    x.subscribe(first ? "jobs/0/+" : "jobs/1/+",
                first ? qos::at_least_once : qos::exactly_once,
                retain_handling::do_not_send);
  else if (dice < 70)
    x.be_slow(chance(50));
  else if (dice < 85)
    break_connection(x);
  else if (dice < 92)
    come(x);
  else
    x.disconnect(reason_code::normal_disconnection);
}

void simulation::reader_acts(client& x) {
  if (seen_.members[reader_].subscriptions.empty())
    x.subscribe("r/#", static_cast<protocol::qos>(one_of(3)),
                retain_handling::send_on_subscribe);
  else if (chance(20))
    x.disconnect(reason_code::normal_disconnection);
}

void simulation::general_acts(client& x) {
  const auto dice = one_of(100);
  const std::string filter =
    filters[one_of(static_cast<std::uint32_t>(filters.size()))];
  if (dice < 60) {
    publish(x);
  } else if (dice < 72) {
    x.subscribe(filter, qos_of(x, filter),
                x.durable() && chance(40) ? retain_handling::send_on_subscribe
                                          : retain_handling::do_not_send);
  } else if (dice < 75) {
    x.unsubscribe(filter);
  } else if (dice < 85) {
    x.be_slow(chance(50));
  } else if (dice < 92) {
    break_connection(x);
  } else if (dice < 95) {
    note(x.shape().id + " comes from elsewhere");
    come(x);
  } else {
    x.disconnect(chance(70) ? reason_code::normal_disconnection
                            : reason_code::disconnect_with_will_message);
  }
}

void simulation::publish(client& x) {
  for (auto left = chance(20) ? 5U : 1U; left != 0; --left) {
    if (x.under_way() > 12)
      return;
    publish_shape how;
    how.qos = static_cast<protocol::qos>(one_of(3));
    const auto dice = one_of(100);
    std::string topic;
    if (dice < 55) {
      topic = "t/" + std::to_string(one_of(3));
      if (chance(5))
        how.expiry = 1 + one_of(4);
    } else if (dice < 70) {
      topic = "r/" + std::to_string(one_of(3));
      how.retain = true;
    } else if (dice < 95) {
      topic =
        "jobs/" + std::to_string(one_of(2)) + '/' + std::to_string(one_of(2));
    } else {
      topic = "d/" + std::to_string(one_of(2));
      how.delay = 1 + one_of(3);
    }
    x.publish(topic, how);
  }
}

} // namespace troupe::simulator
