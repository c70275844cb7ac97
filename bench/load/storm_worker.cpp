#include "bench/load/storm_worker.hpp"

#include "bench/load/driver.hpp"

#include <algorithm>

namespace troupe::bench {

using namespace std::chrono_literals;

namespace {

/// Opened between two looks at what has come meanwhile.
constexpr std::uint32_t opened_per_turn = 256;

} // namespace

storm_worker::storm_worker(const options& o, run_control& control,
                           unsigned number)
  : worker(o, control, number),
    at_once_(o.at_once == 0 ? o.connections : o.at_once) {}

void storm_worker::prepare() {
  for (std::uint32_t i = 0; i < options_.connections; ++i)
    add_client();
  served_.resize(options_.connections);
}

std::string storm_worker::filter(const client& c, std::uint32_t number) const {
  return options_.topic_prefix + "storm/" + std::to_string(c.index) + '/'
         + std::to_string(number);
}

std::vector<std::string> storm_worker::next_filters(client& c) {
  if (c.subscribed == options_.subscribers)
    return {};
  return {filter(c, c.subscribed++)};
}

void storm_worker::await_input() {
  say("ready");
  while (!input_ready() && !control_.stopped())
    loop_->turn(clock::now() + 10ms);
}

void storm_worker::open_more(instant now) {
  const auto open_one = [this](client& c) {
    ++in_the_making_;
    open(c);
  };
  auto left = opened_per_turn;
  for (; left > 0 && next_ < clients_.size() && in_the_making_ < at_once_;
       --left)
    open_one(clients_[next_++]);
  for (; left > 0 && !to_retry_.empty() && to_retry_.front().until <= now
         && in_the_making_ < at_once_;
       --left) {
    auto& c = *to_retry_.front().who;
    to_retry_.pop_front();
    open_one(c);
  }
}

void storm_worker::load() {
  if (options_.on_input)
    await_input();
  count_.expected = clients_.size();
  measured_from_ = 0;
  first_ = take_sample();
  cut_at_ = first_.at;
  storming_ = true;
  for (auto& c : clients_)
    loop_->abandon(c);
  standstill watch{options_.timeout};
  while (count_.delivered < clients_.size() && !control_.stopped()) {
    const auto now = clock::now();
    open_more(now);
    const bool more = next_ < clients_.size() && in_the_making_ < at_once_;
    const auto until =
      to_retry_.empty()
        ? now + 100ms
        : std::min<instant>(now + 100ms, to_retry_.front().until);
    loop_->turn(more ? now : until);
    watch.check(count_.delivered, "clients that came back");
    show(count_.delivered);
  }
  last_ = take_sample();
  if (options_.on_input)
    say("served");
}

void storm_worker::greet(client& c) {
  worker::greet(c);
  c.subscribed = 0;
}

void storm_worker::connected(client& c, const connack& answer) {
  if (!storming_)
    return worker::connected(c, answer);
  if (answer.reason != 0)
    return; // the broker closes, then it comes again
  ++count_.connects;
  for (std::uint32_t i = 0; i < options_.subscribers; ++i)
    append_subscribe(c.out, options_.version, static_cast<std::uint16_t>(i + 1),
                     {filter(c, i)}, options_.qos);
  loop_->queue(c);
}

void storm_worker::subscribed(client& c, bytes_view reasons) {
  if (!storming_)
    return worker::subscribed(c, reasons);
  check_suback(reasons);
  if (++c.subscribed < options_.subscribers)
    return;
  served_[c.index] = true;
  --in_the_making_;
  ++count_.delivered;
  latency_.record((loop_->read_at() - cut_at_).count());
}

void storm_worker::closed(client& c, const std::string& why) {
  if (!storming_ || served_[c.index])
    return worker::closed(c, why);
  --in_the_making_;
  ++count_.retries;
  to_retry_.push_back({&c, clock::now() + to_nanoseconds(options_.retry)});
}

} // namespace troupe::bench
