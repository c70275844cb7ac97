#include "bench/load/subscribe_worker.hpp"

#include <algorithm>

namespace troupe::bench {

using namespace std::chrono_literals;

subscribe_worker::subscribe_worker(const options& o, run_control& control,
                                   unsigned number)
  : worker(o, control, number),
    wanted_(slice_of(o.connections, number, o.threads).count) {}

void subscribe_worker::prepare() {
  for (std::uint32_t i = 0; i < wanted_; ++i)
    add_client().durable = true;
  asked_at_.resize(wanted_);
}

void subscribe_worker::load() {
  const auto concurrency = std::max(
    1U, slice_of(options_.concurrency, number_, options_.threads).count);
  count_.expected = wanted_;
  first_ = take_sample();
  standstill watch{options_.timeout};
  std::uint32_t next = 0;
  while (count_.delivered < wanted_ && !control_.stopped()) {
    for (; next < wanted_ && next - count_.delivered < concurrency; ++next) {
      auto& c = clients_[next];
      append_subscribe(c.out, options_.version, 1,
                       {options_.topic_prefix + "x/" + client_id(c) + "/#"},
                       options_.qos);
      asked_at_[next] = clock::now();
      loop_->queue(c);
    }
    loop_->turn(clock::now() + 100ms);
    watch.check(count_.delivered, "subscribers");
    show(count_.delivered);
  }
  last_ = take_sample();
}

void subscribe_worker::subscribed(client& c, bytes_view reasons) {
  check_suback(reasons);
  latency_.record((loop_->read_at() - asked_at_[c.index]).count());
  ++count_.delivered;
}

} // namespace troupe::bench
