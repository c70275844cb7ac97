#include "bench/load/filters_worker.hpp"

#include <algorithm>
#include <bit>

namespace troupe::bench {

filters_worker::filters_worker(const options& o, run_control& control,
                               unsigned number)
  : worker(o, control, number),
    topics_(o.topic_prefix, o.filters, o.subscribers),
    publishers_(o.publishers),
    next_at_owner_(topics_.leaves()),
    filling_(o.payload - payload_min, 'x') {}

void filters_worker::prepare() {
  for (std::uint32_t i = 0; i < options_.subscribers; ++i)
    add_client().receives = i;
  for (std::uint32_t i = 0; i < publishers_.size(); ++i) {
    auto& each = publishers_[i];
    each.connection = &add_client();
    each.connection->publishes = i;
    each.cells.resize(std::bit_ceil(4 * options_.outstanding));
  }
}

std::vector<std::string> filters_worker::next_filters(client& c) {
  std::vector<std::string> out;
  if (c.receives == client::none)
    return out;
  const auto end = std::min(topics_.filters_of(c.receives),
                            c.subscribed + options_.filters_per_packet);
  for (; c.subscribed < end; ++c.subscribed)
    out.push_back(topics_.filter(c.receives, c.subscribed));
  return out;
}

void filters_worker::start(instant) {
  running_ = true;
  for (auto& each : publishers_)
    loop_->queue(*each.connection);
}

void filters_worker::write_off() {
  for (auto& each : publishers_) {
    for (auto& one : each.cells)
      one.waiting = 0;
    each.outstanding = 0;
    loop_->queue(*each.connection);
  }
}

std::uint32_t filters_worker::pick_leaf(std::uint32_t publisher_number) {
  // A publisher has every n-th leaf for itself.
  const auto count = static_cast<std::uint32_t>(publishers_.size());
  const auto own = (topics_.leaves() - publisher_number + count - 1) / count;
  return static_cast<std::uint32_t>(random_()) % own * count + publisher_number;
}

void filters_worker::fill(client& c) {
  if (c.publishes != client::none && !c.blocked && running_)
    publish(publishers_[c.publishes], c);
}

void filters_worker::publish(publisher& from, client& c) {
  const auto stamp = to_stamp(clock::now());
  while (from.outstanding < options_.outstanding) {
    auto& next = from.cells[from.published & (from.cells.size() - 1)];
    if (next.waiting > 0)
      return; // an old one is late
    const auto leaf = pick_leaf(c.publishes);
    next = {from.published, leaf, topics_.audience(leaf)};
    const auto header = payload_header{c.publishes, from.published, stamp};
    ++from.published;
    ++from.outstanding;
    ++count_.published;
    count_.expected += next.waiting;
    append_publish(
      c.out, options_.version, topics_.topic_max(),
      [&](char* to) { return topics_.write_topic(leaf, to); }, header,
      filling_);
  }
}

void filters_worker::delivered(client& c, const arrival& message) {
  const auto& header = message.payload;
  if (header.stream >= publishers_.size()
      || header.sequence >= publishers_[header.stream].published)
    return foreign(c);
  auto& from = publishers_[header.stream];
  auto& one = from.cells[header.sequence & (from.cells.size() - 1)];
  if (one.sequence != header.sequence || one.waiting == 0) {
    ++count_.duplicates;
    return;
  }
  count_delivery(message);
  if (c.receives == topics_.owner(one.leaf)) {
    auto& next = next_at_owner_[one.leaf];
    if (header.sequence < next)
      ++count_.out_of_order;
    next = header.sequence + 1;
  }
  if (--one.waiting == 0) {
    --from.outstanding;
    loop_->queue(*from.connection);
  }
}

} // namespace troupe::bench
