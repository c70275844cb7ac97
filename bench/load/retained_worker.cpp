#include "bench/load/retained_worker.hpp"

#include <charconv>

namespace troupe::bench {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t topic_max = 32; ///< without the prefix
constexpr std::uint32_t topics_per_level = 1000;

/// `{prefix}r/12/345`, the topic 12'345.
std::size_t write_topic(std::string_view prefix, std::uint32_t topic,
                        char* to) {
  auto* at = to + prefix.copy(to, prefix.size());
  *at++ = 'r';
  *at++ = '/';
  at = std::to_chars(at, at + 10, topic / topics_per_level).ptr;
  *at++ = '/';
  at = std::to_chars(at, at + 10, topic % topics_per_level).ptr;
  return static_cast<std::size_t>(at - to);
}

} // namespace

retained_worker::retained_worker(const options& o, run_control& control,
                                 unsigned number)
  : worker(o, control, number),
    topics_(o.messages),
    filling_(o.payload - payload_min, 'x') {}

void retained_worker::prepare() {
  for (std::uint32_t i = 0; i < options_.publishers; ++i)
    writers_.add(add_client(), options_.inflight);
  for (std::uint32_t i = 0; i < options_.subscribers; ++i)
    add_client().receives = i;
  seen_.assign(options_.subscribers, std::vector<bool>(topics_));
}

void retained_worker::set_up() {
  control_.phase = "publishing";
  for (std::uint32_t i = 0; i < writers_.size(); ++i)
    loop_->queue(*writers_[i].connection);
  standstill watch{options_.timeout};
  while (count_.acknowledged < topics_ && !control_.stopped()) {
    loop_->turn(clock::now() + 100ms);
    watch.check(count_.acknowledged, "acknowledgements");
    show(clients_.size());
  }
}

void retained_worker::acknowledged(client& c, std::uint16_t packet_id,
                                   std::uint8_t reason) {
  latency_.record(to_stamp(loop_->read_at()) - writers_.sent_at(c, packet_id));
  worker::acknowledged(c, packet_id, reason);
}

void retained_worker::fill(client& c) {
  if (c.publishes == client::none)
    return;
  count_.published += writers_.fill(
    c,
    [this](const writer& from) {
      return from.written < writers_.share(from, topics_);
    },
    [&](const writer& from, std::uint16_t id, std::int64_t stamp) {
      const auto topic = writers_.next(from, topics_).topic;
      const auto& prefix = options_.topic_prefix;
      append_publish(c.out, options_.version, prefix.size() + topic_max,
                     [&](char* to) { return write_topic(prefix, topic, to); },
                     {0, topic, stamp}, filling_,
                     {.qos = 1, .retain = true, .packet_id = id});
    });
}

void retained_worker::load() {
  count_.expected = std::uint64_t{topics_} * options_.subscribers;
  first_ = take_sample();
  for (auto& c : clients_) {
    if (c.receives == client::none)
      continue;
    append_subscribe(c.out, options_.version, 1, {options_.topic_prefix + '#'},
                     options_.qos);
    loop_->queue(c);
  }
  auto moved_at = clock::now();
  std::uint64_t before = 0;
  while (count_.delivered < count_.expected && !control_.stopped()) {
    loop_->turn(clock::now() + 10ms);
    const auto now = clock::now();
    if (count_.delivered != before)
      moved_at = now;
    else if (now - moved_at > options_.drain)
      break;
    before = count_.delivered;
    show(clients_.size());
  }
  last_ = take_sample();
  if (count_.delivered > 0)
    last_.at = arrived_at_;
}

void retained_worker::delivered(client& c, const arrival& message) {
  const auto topic = message.payload.sequence;
  if (c.receives == client::none || message.payload.stream != 0
      || topic >= topics_)
    return foreign(c);
  arrived_at_ = message.at;
  const auto seen = seen_[c.receives][topic];
  if (seen) {
    ++count_.duplicates;
    return;
  }
  seen_[c.receives][topic] = true;
  ++count_.delivered;
}

} // namespace troupe::bench
