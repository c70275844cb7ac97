#include "bench/load/offline_worker.hpp"

#include <algorithm>

namespace troupe::bench {

using namespace std::chrono_literals;

namespace {

constexpr auto turn_max = 10ms;

} // namespace

offline_worker::offline_worker(const options& o, run_control& control,
                               unsigned number)
  : worker(o, control, number),
    sessions_(o.connections),
    publishers_(o.publishers) {}

void offline_worker::prepare() {
  for (std::uint32_t i = 0; i < publishers_; ++i)
    writers_.add(add_client(), options_.inflight);
  for (std::uint32_t i = 0; i < sessions_; ++i) {
    auto& c = add_client();
    c.receives = i;
    c.durable = true;
  }
  checks_.resize(sessions_);
}

std::string offline_worker::topic(std::uint32_t session) const {
  return options_.topic_prefix + "session/" + std::to_string(session);
}

void offline_worker::visit_all() {
  visiting_ = true;
  standstill watch{options_.timeout};
  std::uint32_t next = 0;
  while (visited_ < sessions_ && !control_.stopped()) {
    for (; next < sessions_ && next - visited_ < options_.connecting; ++next)
      open(session(next));
    loop_->turn(clock::now() + turn_max);
    watch.check(visited_, "sessions");
    show(visited_);
  }
  visiting_ = false;
}

void offline_worker::return_all() {
  returning_ = true;
  std::uint32_t next = 0;
  std::uint64_t before = 0;
  auto moved_at = clock::now();
  const auto all = returning();
  while ((returned_ < all || count_.delivered < count_.expected)
         && !control_.stopped()) {
    for (; next < all && next - returned_ < options_.connecting; ++next)
      open(session(next));
    const auto now = clock::now();
    if (const auto sum = returned_ + count_.delivered; sum != before) {
      before = sum;
      moved_at = now;
    } else if (now - moved_at > options_.drain) {
      break;
    }
    loop_->turn(now + turn_max);
    show(returned_);
  }
}

bool offline_worker::settled() const {
  if (returning_)
    return worker::settled();
  return std::all_of(clients_.begin(), clients_.end(), [](const client& c) {
    return c.fd < 0 || ((!c.window || c.window->empty()) && c.out.empty());
  });
}

void offline_worker::connected(client& c, const connack& answer) {
  worker::connected(c, answer);
  if (c.receives == client::none)
    return;
  if (visiting_) {
    append_subscribe(c.out, options_.version, 1, {topic(c.receives)},
                     options_.qos);
    loop_->queue(c);
    return;
  }
  ++returned_;
  if (!answer.session_present)
    ++count_.absent;
}

void offline_worker::subscribed(client& c, bytes_view reasons) {
  check_suback(reasons);
  append_disconnect(c.out);
  loop_->queue(c);
  c.subscribed = 1; // from now on the broker may close
}

void offline_worker::closed(client& c, const std::string& why) {
  if (!visiting_ || c.subscribed == 0)
    return worker::closed(c, why);
  ++visited_;
  ++count_.connects;
}

void offline_worker::delivered(client& c, const arrival& message) {
  const auto session = message.payload.stream;
  const auto sequence = message.payload.sequence;
  if (session != c.receives || session >= sessions_
      || sequence >= published_to(session))
    return foreign(c);
  arrived_at_ = message.at;
  const auto kind = checks_[session].arrived(sequence);
  if (kind == arrival_kind::duplicate) {
    ++count_.duplicates;
    return;
  }
  if (kind == arrival_kind::out_of_order)
    ++count_.out_of_order;
  ++count_.delivered;
}

void offline_worker::acknowledged(client& c, std::uint16_t packet_id,
                                  std::uint8_t reason) {
  const auto stamp = writers_.sent_at(c, packet_id);
  if (in_window(stamp))
    latency_.record(to_stamp(loop_->read_at()) - stamp);
  worker::acknowledged(c, packet_id, reason);
}

} // namespace troupe::bench
