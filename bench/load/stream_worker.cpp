#include "bench/load/stream_worker.hpp"

#include <algorithm>
#include <bit>

namespace troupe::bench {

namespace {

/// Bits that tell duplicates in a group: as far back as that many messages.
constexpr std::uint32_t group_history = 1U << 16;
/// A paced publisher stops to append when that much could not be written.
constexpr std::size_t backlog_max = 1U << 20;

audience audience_of(mode what) {
  if (what == mode::fan_out)
    return audience::all;
  return what == mode::shared ? audience::group : audience::one;
}

} // namespace

stream_worker::stream_worker(const options& o, run_control& control,
                             unsigned number)
  : worker(o, control, number),
    audience_(audience_of(o.what)) {}

std::string stream_worker::topic(std::uint32_t stream_number) const {
  const auto text = std::to_string(slice_.first + stream_number);
  switch (options_.what) {
  case mode::fan_in:
    return options_.topic_prefix + "in/" + text;
  case mode::fan_out:
    return options_.topic_prefix + "out";
  case mode::shared:
    return options_.topic_prefix + "shared/" + text;
  case mode::idle:
    return options_.topic_prefix + "idle/" + text;
  default:
    if (options_.topic_per_client) // the publishers come after the subscribers
      return options_.topic_prefix + client_id(receivers_ + stream_number) + "/"
             + text;
    return options_.topic_prefix + "pair/" + text;
  }
}

std::string stream_worker::filter(std::uint32_t receiver) const {
  switch (options_.what) {
  case mode::fan_in:
    return options_.topic_prefix + "in/+";
  case mode::shared:
    return "$share/g/" + options_.topic_prefix + "shared/+";
  default:
    return topic(receiver);
  }
}

void stream_worker::prepare() {
  const auto& o = options_;
  const bool by_topic = o.what == mode::pairs || o.what == mode::idle;
  slice_ =
    slice_of(by_topic ? o.connections : o.publishers, number_, o.threads);
  receivers_ = by_topic ? slice_.count : o.subscribers;
  streams_.resize(slice_.count);
  checks_.resize(audience_ == audience::one ? streams_.size()
                                            : streams_.size() * receivers_);
  prepare_clients(receivers_, o.what == mode::idle);
}

void stream_worker::prepare_clients(std::uint32_t receivers,
                                    bool one_for_both) {
  for (std::uint32_t i = 0; i < receivers; ++i) {
    auto& c = add_client();
    c.receives = i;
    c.durable = options_.durable;
  }
  for (std::uint32_t i = 0; i < streams_.size(); ++i) {
    // An idle client publishes to the one half way round.
    const auto other =
      static_cast<std::uint32_t>((i + streams_.size() / 2) % streams_.size());
    auto& c = one_for_both ? clients_[other] : add_client();
    auto& to = streams_[i];
    c.publishes = i;
    if (options_.qos > 0)
      c.window = std::make_unique<send_window>(options_.inflight);
    to.publisher = &c;
    if (!loads())
      continue;
    to.packet = publish_template{options_.version, topic(i), options_.qos,
                                 options_.payload};
    if (audience_ == audience::all)
      to.waiting.resize(std::bit_ceil(options_.outstanding));
    if (audience_ == audience::group)
      to.arrived.resize(group_history / 64);
  }
}

std::vector<std::string> stream_worker::next_filters(client& c) {
  if (c.receives == client::none || c.subscribed > 0)
    return {};
  c.subscribed = 1;
  return {filter(c.receives)};
}

bool stream_worker::loads() const {
  return options_.what != mode::idle || options_.rate > 0;
}

void stream_worker::start(instant at) {
  started_ = at;
  running_ = true;
  if (options_.rate > 0) {
    // Each worker has its share of the streams and so of the rate.
    const auto all = options_.what == mode::pairs || options_.what == mode::idle
                       ? options_.connections
                       : options_.publishers;
    const auto share = static_cast<double>(streams_.size()) / all;
    interval_ns_ = 1e9 / (options_.rate * share);
    return;
  }
  for (auto& each : streams_)
    loop_->queue(*each.publisher);
}

instant stream_worker::advance(instant now) {
  if (interval_ns_ <= 0)
    return instant::max();
  for (;;) {
    const auto due = intended(next_stream_, next_sequence_);
    if (due > now)
      return due;
    auto& each = streams_[next_stream_];
    ++each.due;
    loop_->queue(*each.publisher);
    if (++next_stream_ == streams_.size()) {
      next_stream_ = 0;
      ++next_sequence_;
    }
  }
}

void stream_worker::stop(instant at) {
  advance(at - nanoseconds{1}); // what is late is still to be sent
  running_ = false;
}

void stream_worker::write_off() {
  for (auto& each : streams_) {
    each.settled = each.published;
    std::fill(each.waiting.begin(), each.waiting.end(), 0);
    loop_->queue(*each.publisher);
  }
}

bool stream_worker::settled() const {
  return worker::settled()
         && std::all_of(
           streams_.begin(), streams_.end(), [](const stream& each) {
             return each.published >= each.due || each.publisher->fd < 0;
           });
}

unsigned stream_worker::wanted(const stream& from) const {
  if (interval_ns_ > 0)
    return from.publisher->out.view().size() < backlog_max
             ? from.due - from.published
             : 0;
  if (!running_)
    return 0;
  // After a stall, `settled` may run ahead: what was given up came after all.
  const auto outstanding =
    from.published - std::min(from.settled, from.published);
  return options_.outstanding - std::min(options_.outstanding, outstanding);
}

void stream_worker::fill(client& c) {
  if (c.publishes != client::none && !c.blocked)
    publish(streams_[c.publishes], c);
}

void stream_worker::publish(stream& from, client& c) {
  auto left = wanted(from);
  if (left == 0)
    return;
  const auto now = clock::now();
  const auto local = c.publishes;
  auto header = payload_header{
    .stream = slice_.first + local, .sequence = 0, .stamp = to_stamp(now)};
  const auto before = from.published;
  for (; left > 0 && (!c.window || c.window->can_open()); --left) {
    header.sequence = from.published++;
    if (interval_ns_ > 0) {
      header.stamp = to_stamp(intended(local, header.sequence));
      if (in_window(header.stamp))
        lag_.record(to_stamp(now) - header.stamp);
    }
    if (audience_ == audience::all && interval_ns_ <= 0)
      from.waiting[header.sequence & (from.waiting.size() - 1)] = receivers_;
    if (audience_ == audience::group)
      from.arrived[header.sequence % group_history / 64] &=
        ~(std::uint64_t{1} << (header.sequence % 64));
    from.packet.append(c.out, header, c.window ? c.window->open() : 0);
  }
  const auto count = from.published - before;
  count_.published += count;
  count_.expected +=
    std::uint64_t{count} * (audience_ == audience::all ? receivers_ : 1);
}

void stream_worker::delivered(client& c, const arrival& message) {
  const auto local = message.payload.stream - slice_.first;
  if (local >= streams_.size()
      || message.payload.sequence >= streams_[local].published) {
    foreign(c);
    return;
  }
  auto& from = streams_[local];
  switch (audience_) {
  case audience::one:
    return arrived_at_one(c, from, message);
  case audience::all:
    return arrived_at_all(c, from, message);
  case audience::group:
    return arrived_in_group(c, from, message);
  }
}

bool stream_worker::count(arrival_kind kind, const arrival& message) {
  if (kind == arrival_kind::duplicate) {
    ++count_.duplicates;
    return false;
  }
  if (kind == arrival_kind::out_of_order)
    ++count_.out_of_order;
  count_delivery(message);
  return true;
}

void stream_worker::arrived_at_one(client& c, stream& from,
                                   const arrival& message) {
  const auto local = number(from);
  if (options_.what != mode::fan_in && c.receives != local)
    return foreign(c); // it came to the wrong one
  auto& check = checks_[local];
  count(check.arrived(message.payload.sequence), message);
  if (interval_ns_ > 0)
    return;
  from.settled = std::max(from.settled, check.next());
  loop_->queue(*from.publisher);
}

void stream_worker::arrived_at_all(client& c, stream& from,
                                   const arrival& message) {
  auto& check = checks_[check_index(c, from)];
  const auto before = std::max(check.next(), from.settled);
  count(check.arrived(message.payload.sequence), message);
  if (interval_ns_ > 0)
    return;
  // What this receiver has, or has missed, it no longer waits for.
  const auto mask = from.waiting.size() - 1;
  for (auto i = before; i < check.next(); ++i)
    --from.waiting[i & mask];
  const auto settled_before = from.settled;
  while (from.settled < from.published
         && from.waiting[from.settled & mask] == 0)
    ++from.settled;
  if (from.settled != settled_before)
    loop_->queue(*from.publisher);
}

void stream_worker::arrived_in_group(client& c, stream& from,
                                     const arrival& message) {
  const auto sequence = message.payload.sequence;
  auto& word = from.arrived[sequence % group_history / 64];
  const auto bit = std::uint64_t{1} << (sequence % 64);
  if ((word & bit) != 0 || from.published - sequence > group_history) {
    ++count_.duplicates;
    return;
  }
  word |= bit;
  // Each member sees a stream in its order, with gaps.
  auto& check = checks_[check_index(c, from)];
  count(check.arrived(sequence) == arrival_kind::in_order
          ? arrival_kind::in_order
          : arrival_kind::out_of_order,
        message);
  ++from.settled; // a number only: they arrive in any order
  loop_->queue(*from.publisher);
}

} // namespace troupe::bench
