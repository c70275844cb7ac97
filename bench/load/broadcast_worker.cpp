#include "bench/load/broadcast_worker.hpp"

#include <algorithm>
#include <limits>

namespace troupe::bench {

using namespace std::chrono_literals;

void broadcast_worker::prepare() {
  offline_worker::prepare();
  packet_ = {options_.version, topic(0), options_.qos, options_.payload};
  seen_.resize(std::size_t{returning()} * writers_.size());
}

void broadcast_worker::set_up() {
  visit_all();
  wait_until_quiet(); // what the sessions cost is over
}

std::string broadcast_worker::topic(std::uint32_t) const {
  return options_.topic_prefix + "broadcast";
}

void broadcast_worker::start(instant at) {
  began_ = at;
  running_ = true;
  advance(at);
}

std::uint64_t broadcast_worker::due(instant now) const {
  if (options_.rate <= 0)
    return std::numeric_limits<std::uint64_t>::max();
  const seconds_f passed = now - began_;
  return static_cast<std::uint64_t>(passed.count() * options_.rate) + 1;
}

instant broadcast_worker::advance(instant now) {
  for (std::uint32_t i = 0; i < writers_.size(); ++i)
    loop_->queue(*writers_[i].connection);
  if (options_.rate <= 0)
    return instant::max();
  const seconds_f next{static_cast<double>(due(now)) / options_.rate};
  return began_ + to_nanoseconds(next);
}

void broadcast_worker::fill(client& c) {
  if (c.publishes == client::none)
    return;
  const auto most = due(clock::now());
  writers_.fill(
    c, [&](const writer&) { return running_ && count_.published < most; },
    [&](const writer& from, std::uint16_t id, std::int64_t stamp) {
      packet_.append(c.out, {c.publishes, from.written, stamp}, id);
      ++count_.published;
    });
}

void broadcast_worker::load() {
  control_.written_before = control_.broker.written();
  offline_worker::load();
}

void broadcast_worker::drain() {
  // Nothing is on its way to anybody yet: the acknowledgements only.
  offline_worker::drain();
  wait_until_quiet();
  control_.written_after = control_.broker.written();
  control_.quiet_at = clock::now();
  count_.expected = count_.published * returning();
  return_all();
  offline_worker::drain();
}

void broadcast_worker::wait_until_quiet() {
  control_.phase = "waiting for the broker to write everything";
  auto before = control_.broker.written();
  auto moved_at = clock::now();
  while (clock::now() - moved_at < to_nanoseconds(options_.quiet)
         && !control_.stopped()) {
    loop_->turn(clock::now() + 100ms);
    if (const auto now = control_.broker.written(); now != before) {
      before = now;
      moved_at = clock::now();
    }
  }
}

void broadcast_worker::delivered(client& c, const arrival& message) {
  const auto from = message.payload.stream;
  const auto sequence = message.payload.sequence;
  if (c.receives >= returning() || from >= writers_.size()
      || sequence >= writers_[from].written)
    return foreign(c);
  const auto kind =
    seen_[std::size_t{c.receives} * writers_.size() + from].arrived(sequence);
  if (kind == arrival_kind::duplicate) {
    ++count_.duplicates;
    return;
  }
  if (kind == arrival_kind::out_of_order)
    ++count_.out_of_order;
  ++count_.delivered;
}

} // namespace troupe::bench
