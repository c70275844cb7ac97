#include "bench/load/resume_worker.hpp"

namespace troupe::bench {

using namespace std::chrono_literals;

resume_worker::resume_worker(const options& o, run_control& control,
                             unsigned number)
  : offline_worker(o, control, number),
    filling_(o.payload - payload_min, 'x') {}

void resume_worker::set_up() {
  visit_all();
  control_.phase = "publishing";
  const auto total = std::uint64_t{sessions_} * options_.messages;
  standstill watch{options_.timeout};
  for (std::uint32_t i = 0; i < writers_.size(); ++i)
    loop_->queue(*writers_[i].connection);
  while (count_.acknowledged < total && !control_.stopped()) {
    loop_->turn(clock::now() + 100ms);
    watch.check(count_.acknowledged, "acknowledgements");
    show(sessions_);
  }
  count_.expected = options_.check ? total : 0;
}

void resume_worker::fill(client& c) {
  if (c.publishes == client::none)
    return;
  count_.published += writers_.fill(
    c,
    [this](const writer& from) {
      return from.written < writers_.share(from, sessions_) * options_.messages;
    },
    [&](const writer& from, std::uint16_t id, std::int64_t stamp) {
      const auto item = writers_.next(from, sessions_);
      const auto name = topic(item.topic);
      append_publish(c.out, options_.version, name.size(),
                     [&](char* to) { return name.copy(to, name.size()); },
                     {item.topic, item.sequence, stamp}, filling_,
                     {.qos = options_.qos, .packet_id = id});
    });
}

void resume_worker::load() {
  first_ = take_sample();
  return_all();
  last_ = take_sample();
  if (count_.delivered > 0)
    last_.at = arrived_at();
}

} // namespace troupe::bench
