#include "bench/load/connect_worker.hpp"

#include <algorithm>

namespace troupe::bench {

using namespace std::chrono_literals;

connect_worker::connect_worker(const options& o, run_control& control,
                               unsigned number)
  : worker(o, control, number),
    wanted_(slice_of(o.connections, number, o.threads).count),
    concurrency_(
      std::min(wanted_, slice_of(o.concurrency, number, o.threads).count)) {}

void connect_worker::begin(client& c) {
  // An identifier of its own for each connection, so that no session that is
  // still on its way out can slow the next one down.
  c.index = begun_++;
  begun_at_[c.receives] = clock::now();
  open(c);
}

void connect_worker::load() {
  measured_from_ = 0;
  for (std::uint32_t i = 0; i < concurrency_; ++i)
    add_client().receives = i;
  begun_at_.resize(concurrency_);
  if (options_.link.tls.resume)
    collect_tickets();
  first_ = take_sample();
  make(wanted_);
  last_ = take_sample();
}

void connect_worker::make(std::uint32_t count) {
  const auto until = begun_ + count;
  for (auto& c : clients_)
    begin(c);
  standstill watch{options_.timeout};
  while (count_.delivered < count && !control_.stopped()) {
    loop_->turn(clock::now() + 100ms);
    for (auto* c : std::exchange(to_reopen_, {}))
      if (begun_ < until)
        begin(*c);
    watch.check(count_.connects, "connections");
    show(count_.connects);
  }
}

void connect_worker::collect_tickets() {
  make(concurrency_);
  for (const auto& c : clients_)
    if (!c.ticket && !control_.stopped())
      throw run_error{"--resume: the broker gives no session ticket"};
  count_ = {};
  latency_ = {};
}

void connect_worker::connected(client& c, const connack& answer) {
  worker::connected(c, answer); // throws if it was refused
  ++count_.connects;
  latency_.record((clock::now() - begun_at_[c.receives]).count());
  append_disconnect(c.out);
  loop_->queue(c);
  c.subscribed = 1; // from now on the broker may close
}

void connect_worker::closed(client& c, const std::string& why) {
  if (c.subscribed == 0)
    throw run_error{"connection " + client_id(c) + ": " + why};
  c.subscribed = 0;
  ++count_.expected;
  ++count_.delivered; // one connection is over
  to_reopen_.push_back(&c);
}

} // namespace troupe::bench
