#include "bench/load/durable_worker.hpp"

namespace troupe::bench {

void durable_worker::prepare() {
  offline_worker::prepare();
  packets_.reserve(sessions_);
  for (std::uint32_t i = 0; i < sessions_; ++i)
    packets_.emplace_back(options_.version, topic(i), options_.qos,
                          options_.payload);
}

void durable_worker::start(instant) {
  running_ = true;
  for (std::uint32_t i = 0; i < writers_.size(); ++i)
    loop_->queue(*writers_[i].connection);
}

void durable_worker::fill(client& c) {
  if (c.publishes == client::none)
    return;
  const auto count = writers_.fill(
    c, [this](const writer&) { return running_; },
    [&](const writer& from, std::uint16_t id, std::int64_t stamp) {
      packets_[c.publishes].append(c.out, {c.publishes, from.written, stamp},
                                   id);
    });
  count_.published += count;
  count_.expected += count;
}

void durable_worker::drain() {
  worker::drain(); // the acknowledgements
  if (options_.check) {
    return_all();
    worker::drain();
  } else {
    count_.delivered = count_.acknowledged;
  }
}

} // namespace troupe::bench
