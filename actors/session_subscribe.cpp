// SUBSCRIBE, UNSUBSCRIBE and the retained messages that follow.

#include "actors/connection.hpp"
#include "actors/session.hpp"
#include "cluster/retained_scan.hpp"

#include <algorithm>

namespace troupe::actors {

using protocol::protocol_version;
using protocol::qos;
using protocol::reason_code;
using protocol::subscription_filter;

namespace {

/// Takes the request out of the list once nothing is waited for any more.
template <class Requests>
auto find_request(Requests& all, std::uint32_t token) {
  return std::find_if(all.begin(), all.end(),
                      [&](const auto& x) { return x.token == token; });
}

} // namespace

reason_code session::on_subscribe(const protocol::subscribe_packet& in,
                                  const std::vector<bool>& denied) {
  // [MQTT-3.8.3-4]: checked for all before any takes effect.
  bool no_local_shared = false;
  protocol::for_each_subscription(
    in, [&](const protocol::subscription_request& x) {
      no_local_shared |= x.options.no_local && x.filter.starts_with("$share/");
    });
  if (no_local_shared)
    return reason_code::protocol_error;
  pending_request request{
    more().next_token++, true, in.packet_identifier, 0, {}, {}};
  request.reasons.reserve(in.filter_count);
  protocol::for_each_subscription(
    in, [&](const protocol::subscription_request& x) {
      const auto at_filter = request.reasons.size();
      const auto answer =
        at_filter < denied.size() && denied[at_filter]
          ? reason_code::not_authorized
          : subscribe_one(x, in.subscription_identifier, request);
      if (static_cast<unsigned>(answer) >= 0x80)
        count(at().numbers().subscribe_error);
      else
        count(at().numbers().client_subscribe);
      request.reasons.push_back(answer);
    });
  if (request.waiting == 0)
    finish(request);
  else
    more().requests.push_back(std::move(request));
  return reason_code::success;
}

reason_code session::subscribe_one(const protocol::subscription_request& in,
                                   std::uint32_t identifier,
                                   pending_request& request) {
  const auto& limits = link_->limits();
  const auto parsed = protocol::parse_subscription_filter(in.filter);
  if (!parsed)
    return parsed.error();
  auto what = parsed.value();
  if (protocol::level_count(what.filter) > limits.max_topic_levels)
    return reason_code::topic_filter_invalid;
  if (!limits.wildcard_subscription && protocol::has_wildcard(what.filter))
    return reason_code::wildcard_subscriptions_not_supported;
  if (what.what == subscription_filter::kind::shared
      && !limits.shared_subscription)
    return reason_code::shared_subscriptions_not_supported;
  std::string room;
  what.filter = mounted(what.filter, room);
  if (what.what == subscription_filter::kind::exclusive) {
    if (!limits.exclusive_subscription)
      return reason_code::topic_filter_invalid;
    if (!at().shared().hold_exclusive(what.filter, hash_))
      return reason_code::quota_exceeded;
  }
  if (durable_ && at().shared().disk_full.load(std::memory_order_relaxed))
    return reason_code::quota_exceeded;
  if (limits.max_subscriptions != 0
      && subscription_count() >= limits.max_subscriptions)
    return reason_code::quota_exceeded;
  auto options = in.options;
  options.maximum_qos =
    std::min(options.maximum_qos, static_cast<qos>(limits.max_qos_allowed));
  if (what.what == subscription_filter::kind::shared)
    subscribe_group(what, pack(options), identifier, request);
  else
    subscribe_plain(what, options, identifier, request);
  return static_cast<reason_code>(options.maximum_qos);
}

session::subscription* session::find(const filter_node& node) noexcept {
  // The shorter of two lists tells: this session's or the filter's.
  for (auto& x : subscriptions_)
    if (x.node == &node)
      return &x;
  return nullptr;
}

void session::add_to_index(filter_node& node, packed_options options,
                           std::uint32_t identifier, bool exclusive) {
  auto& list = node.list(at().index());
  const bool first = list.empty();
  const auto slot = list.add(this, options, identifier);
  if (subscriptions_.size() == subscriptions_.capacity())
    subscriptions_.reserve(
      subscriptions_.size()
      + std::max<std::size_t>(1, subscriptions_.size() / 4));
  subscriptions_.push_back({&node, slot, options, exclusive});
  // Also when the bit is set already: results found before do not hold.
  if (first)
    at().shared().index.set_reactor(node, at().index(), true);
  count(at().numbers().subscriptions, std::int64_t{1});
}

void session::remove_from_index(subscription& x) {
  auto& list = x.node->list(at().index());
  if (auto* moved = list.remove(x.slot))
    moved->subscription_moved(*x.node, x.slot);
  if (list.empty())
    at().shared().index.set_reactor(*x.node, at().index(), false);
  at().shared().index.release(*x.node);
  count(at().numbers().subscriptions, std::int64_t{-1});
}

void session::subscription_moved(const filter_node& node,
                                 std::uint32_t slot) noexcept {
  if (auto* x = find(node))
    x->slot = slot;
}

void session::keep_subscription(const cluster::subscription_record& what,
                                bool subscribes, bool held_before,
                                pending_request& request) {
  cluster::subscribe_command command;
  command.client_id = client_id_;
  command.epoch = epoch_;
  command.subscription = what;
  command.subscribes = subscribes;
  command.who = self_;
  command.token = request.token;
  ++request.waiting;
  const bool holds = subscribes && what.held();
  if (holds || held_before)
    at().for_each_shard_of(what.filter, [&](std::uint16_t shard) {
      ++request.waiting;
      if (holds && what.share_name.empty())
        make_progress(shard);
    });
  at().to_shard(at().shard_of(client_id_), std::move(command));
}

void session::subscribe_plain(const subscription_filter& parsed,
                              const protocol::subscription_options& options,
                              std::uint32_t identifier,
                              pending_request& request) {
  auto& index = at().shared().index;
  const auto packed = pack(options);
  const bool exclusive = parsed.what == subscription_filter::kind::exclusive;
  auto* existing = [&]() -> subscription* {
    auto* node = index.find(parsed.filter);
    return node == nullptr ? nullptr : find(*node);
  }();
  const bool fresh = existing == nullptr;
  const bool held_before = !fresh && (existing->options & 3U) != 0;
  if (fresh) {
    add_to_index(index.acquire(parsed.filter), packed, identifier, exclusive);
  } else { // [MQTT-3.8.4-3]: replaces the old one
    existing->node->list(at().index())
      .change(existing->slot, packed, identifier);
    existing->options = packed;
    if (std::exchange(existing->exclusive, exclusive) && !exclusive)
      at().shared().release_exclusive(parsed.filter, hash_);
  }
  if (durable_)
    keep_subscription(
      {{}, std::string{parsed.filter}, options, identifier, exclusive}, true,
      held_before, request);
  using protocol::retain_handling;
  if (options.handling == retain_handling::send_on_subscribe
      || (options.handling == retain_handling::send_on_new_subscription
          && fresh))
    begin_retained(parsed.filter, packed, identifier, request);
}

void session::subscribe_group(const subscription_filter& parsed,
                              packed_options options, std::uint32_t identifier,
                              pending_request& request) {
  auto& index = at().shared().index;
  auto& group =
    index.join(parsed.share_name, parsed.filter, {self_, options, identifier});
  auto& all = more().groups;
  auto at_group = std::find_if(
    all.begin(), all.end(), [&](const auto& x) { return x.group == &group; });
  bool held_before = false;
  if (at_group == all.end()) {
    all.push_back({&group, options, false, identifier});
    at_group = std::prev(all.end());
    count(at().numbers().subscriptions, std::int64_t{1});
  } else if (at_group->left) {
    // `join` counted a second reference; the one of the former membership is
    // given back now that this one keeps the group alive.
    at_group->left = false;
    index.forget(group);
    count(at().numbers().subscriptions, std::int64_t{1});
  } else {
    held_before = (at_group->options & 3U) != 0;
  }
  at_group->options = options;
  at_group->identifier = identifier;
  if (durable_)
    keep_subscription({std::string{parsed.share_name},
                       std::string{parsed.filter}, unpack(options), identifier,
                       false},
                      true, held_before, request);
  if (group.durable_members.load() != 0)
    at().for_each_shard_of(parsed.filter, [&](std::uint16_t shard) {
      at().to_shard(
        shard, cluster::group_online_command{std::string{parsed.share_name},
                                             std::string{parsed.filter}});
    });
}

void session::on_hold_committed(const hold_committed& in) {
  if (auto* progress = progress_of(in.shard);
      progress != nullptr && !progress->catching_up)
    progress->taken = std::max(progress->taken, in.start);
  part_of_request_done(in.token);
}

void session::on_subscription_kept(const subscription_kept& in) {
  part_of_request_done(in.token);
}

void session::part_of_request_done(std::uint32_t token) {
  auto& all = more().requests;
  const auto request = find_request(all, token);
  if (request == all.end() || --request->waiting != 0)
    return;
  auto complete = std::move(*request);
  all.erase(request);
  finish(complete);
}

void session::finish(pending_request& request) {
  if (!request.subscribe && request.packet_identifier == 0)
    return; // nobody asked for it
  if (!request.subscribe) {
    link_->send_unsuback(request.packet_identifier, request.reasons);
    return;
  }
  if (version_ != protocol_version::mqtt_5_0)
    for (auto& x : request.reasons)
      if (static_cast<unsigned>(x) >= 0x80)
        // MQTT 3.1 knows no failure: granted, and nothing is delivered.
        x = version_ == protocol_version::mqtt_3_1
              ? reason_code::granted_qos_0
              : reason_code::unspecified_error;
  link_->send_suback(request.packet_identifier, request.reasons);
  for (const auto token : request.reads)
    for (auto& x : extras_->readings)
      if (x.token == token) {
        read_retained(x);
        break;
      }
}

// ---- retained messages -----------------------------------------------------

void session::begin_retained(std::string_view filter, packed_options options,
                             std::uint32_t identifier,
                             pending_request& request) {
  if (!link_->limits().retain_available || !link_->limits().retainer_enable)
    return;
  const auto first = next_retained_shard(filter, 0);
  if (first == shard_position::none)
    return;
  auto& x = more();
  const auto token = x.next_token++;
  // Live copies that come before the shard has read are remembered from here
  // on, so that a message does not come twice.
  x.readings.push_back({token,
                        std::string{filter},
                        options,
                        identifier,
                        first,
                        false,
                        false,
                        {},
                        {}});
  request.reads.push_back(token);
}

std::uint16_t session::next_retained_shard(std::string_view filter,
                                           std::size_t from) const {
  const auto& counts = at().shared().retained_in_shard;
  if (!protocol::has_wildcard(filter)) {
    const auto only = at().shard_of(filter);
    return from == 0 && counts[only].load() > 0 ? only : shard_position::none;
  }
  for (auto shard = from; shard < counts.size(); ++shard)
    if (counts[shard].load() > 0)
      return static_cast<std::uint16_t>(shard);
  return shard_position::none;
}

void session::read_retained(retained_reading& x) {
  x.parked = false;
  cluster::retained_read read;
  read.filter = x.filter;
  read.who = self_;
  read.token = x.token;
  read.after = x.after;
  read.limit = std::clamp<std::size_t>(queue_goal() / 4, 1, 500);
  at().to_shard(x.shard, std::move(read));
}

void session::on_retained(cluster::retained_page& page) {
  if (durable_)
    checkpoint_soon(); // no shard keeps these for it
  auto& all = more().readings;
  const auto reading = find_request(all, page.token);
  if (reading == all.end())
    return;
  const auto granted = static_cast<qos>(reading->options & 3U);
  for (auto& row : page.rows) {
    const bool live = std::any_of(
      reading->seen.begin(), reading->seen.end(), [&](const auto& x) {
        return x.shard == page.shard && x.sequence == row.sequence;
      });
    if (live)
      continue;
    if (rules_.queue_full()) { // the rest of the page is read again
      reading->parked = true;
      return;
    }
    reading->after = cluster::retained_key(row.message->topic());
    count(at().numbers().routed);
    protocol::outbound out;
    out.message = std::move(row.message);
    out.qos = std::min(out.message->qos(), granted);
    out.retain = true;
    out.subscription_identifier = reading->identifier;
    send_or_queue(std::move(out));
  }
  reading->after = page.next;
  if (page.next.empty()) {
    const auto following =
      next_retained_shard(reading->filter, reading->shard + 1U);
    if (following == shard_position::none) {
      if (reading != std::prev(all.end()))
        *reading = std::move(all.back());
      all.pop_back();
      if (all.empty())
        all.shrink_to_fit();
      return;
    }
    reading->shard = following;
  }
  if (room_for_page())
    read_retained(*reading);
  else
    reading->parked = true;
}

// ---- UNSUBSCRIBE -----------------------------------------------------------

reason_code session::on_unsubscribe(const protocol::unsubscribe_packet& in) {
  pending_request request{
    more().next_token++, false, in.packet_identifier, 0, {}, {}};
  protocol::for_each_filter(in, [&](std::string_view filter) {
    request.reasons.push_back(unsubscribe_one(filter, request));
  });
  if (request.waiting == 0)
    finish(request);
  else
    more().requests.push_back(std::move(request));
  return reason_code::success;
}

reason_code session::unsubscribe_one(std::string_view text,
                                     pending_request& request) {
  const auto parsed = protocol::parse_subscription_filter(text);
  if (!parsed)
    return parsed.error();
  auto what = parsed.value();
  std::string room;
  what.filter = mounted(what.filter, room);
  count(at().numbers().client_unsubscribe);
  return remove(what, request);
}

std::size_t session::drop_subscriptions(
  const std::function<bool(std::string_view, qos)>& which) {
  std::vector<subscription_info> dropped;
  for (auto& x : describe_subscriptions())
    if (which(x.filter, x.options.maximum_qos))
      dropped.push_back(std::move(x));
  if (dropped.empty())
    return 0;
  pending_request request{more().next_token++, false, 0, 0, {}, {}};
  for (const auto& x : dropped) {
    using kind = subscription_filter::kind;
    subscription_filter what;
    what.share_name = x.share_name;
    what.filter = x.filter;
    what.what = x.share_name.empty() ? kind::plain : kind::shared;
    if (remove(what, request) != reason_code::success) {
      what.what = kind::exclusive;
      remove(what, request);
    }
    at().log({.level = log_level::warning,
              .cause = "subscription.removed",
              .text = "it is not allowed any more and was taken away",
              .client = client_id_,
              .topic = x.filter});
  }
  if (request.waiting != 0)
    more().requests.push_back(std::move(request));
  return dropped.size();
}

reason_code session::remove(const subscription_filter& what,
                            pending_request& request) {
  auto& index = at().shared().index;
  if (what.what == subscription_filter::kind::shared) {
    for (auto& x : more().groups) {
      if (x.left || x.group->share_name != what.share_name
          || x.group->filter->text() != what.filter)
        continue;
      x.left = true; // its messages in flight are still completed
      index.leave(*x.group, self_);
      count(at().numbers().subscriptions, std::int64_t{-1});
      if (durable_)
        keep_subscription({x.group->share_name, std::string{what.filter},
                           unpack(x.options), 0, false},
                          false, (x.options & 3U) != 0, request);
      return reason_code::success;
    }
    return reason_code::no_subscription_existed;
  }
  auto* node = index.find(what.filter);
  auto* x = node == nullptr ? nullptr : find(*node);
  if (x == nullptr
      || x->exclusive != (what.what == subscription_filter::kind::exclusive))
    return reason_code::no_subscription_existed;
  if (durable_)
    keep_in_flight_of(what.filter);
  if (durable_)
    keep_subscription(
      {{}, std::string{what.filter}, unpack(x->options), 0, x->exclusive},
      false, (x->options & 3U) != 0, request);
  if (x->exclusive)
    at().shared().release_exclusive(what.filter, hash_);
  std::erase_if(more().readings, [&](const retained_reading& reading) {
    return reading.filter == what.filter;
  });
  remove_from_index(*x);
  *x = subscriptions_.back();
  subscriptions_.pop_back();
  return reason_code::success;
}

} // namespace troupe::actors
