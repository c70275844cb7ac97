// What goes to a client.

#include "actors/connection.hpp"
#include "actors/session.hpp"

#include <algorithm>

namespace troupe::actors {

using protocol::drop_reason;
using protocol::outbound;
using protocol::qos;

bool session::takes_from(const shared_group& group) const noexcept {
  return !rules_.queue_full() && extras_
         && std::any_of(extras_->groups.begin(), extras_->groups.end(),
                        [&](const group_subscription& x) {
                          return x.group == &group
                                 && !x.left; // [MQTT-3.10.4-2]
                        });
}

void session::deliver(const message_ptr& message, message_ptr* last,
                      shard_position position, packed_options options,
                      std::uint32_t identifier, shared_group* group,
                      std::span<const std::uint32_t> more_identifiers) {
  auto& numbers = at().numbers();
  const auto& limits = link_->limits();
  if (((options & 4U) != 0 || limits.ignore_loop_deliver)
      && published(*message)) {
    count(numbers.routed);
    count(numbers.drop_no_local);
    if (at().tracing())
      trace_outbound("dropped", *message, name_of(drop_reason::no_local));
    return;
  }
  outbound x;
  const auto granted = static_cast<qos>(options & 3U);
  x.qos = limits.upgrade_qos ? granted : std::min(message->qos(), granted);
  x.retain = (options & 8U) != 0 && message->retain();
  if (position && extras_) {
    for (auto& reading : extras_->readings)
      if (message->retain())
        reading.seen.push_back(position);
    if (durable_ && message->qos() != qos::at_most_once
        && x.qos != qos::at_most_once && group == nullptr)
      if (auto* progress = progress_of(position.shard)) {
        if (!progress->catching_up && rules_.queue_full()) {
          progress->catching_up = true; // its shard keeps what follows
        }
        if (progress->catching_up) {
          count(numbers.catch_up_skipped);
          if (at().tracing())
            trace_outbound("left to its shard", *message,
                           "the queue is full, or what came before is read",
                           position);
          return;
        }
        progress->taken = std::max(progress->taken, position.sequence);
        checkpoint_soon();
      }
  }
  count(numbers.routed);
  if (x.qos == qos::at_most_once && identifier == 0 && more_identifiers.empty()
      && group == nullptr && !behind_notes() && rules_.queued() == 0
      && !at().watchful() && link_->writable() && !message->has_expiry()
      && link_->packet_limit() == protocol::no_packet_limit) {
    count(numbers.messages_delivered);
    count(numbers.qos0_sent);
    protocol::delivery how;
    how.qos = x.qos;
    how.retain = x.retain;
    link_->send(*message, how);
    return;
  }
  x.message = last != nullptr && message->source() == nullptr ? std::move(*last)
                                                              : message.kept();
  x.position = position;
  x.group = group;
  x.subscription_identifier = identifier;
  if (!more_identifiers.empty())
    x.more_identifiers = std::make_unique<std::vector<std::uint32_t>>(
      more_identifiers.begin(), more_identifiers.end());
  send_or_queue(std::move(x));
}

void session::count_queue() noexcept {
  const auto now = rules_.queued_bytes();
  if (now == counted_queue_)
    return;
  count(at().numbers().queued_bytes,
        static_cast<std::int64_t>(now)
          - static_cast<std::int64_t>(counted_queue_));
  counted_queue_ = now;
}

void session::note_if_slow(const protocol::message& what) {
  const auto took = at().now() - what.received_at();
  if (!what.is_live() || !at().slow_subs().is_slow(took))
    return;
  count(at().numbers().slow_deliveries);
  at().slow_subs().note(client_id_, what.topic(), took, at().now());
}

void session::send_or_queue(outbound&& x) {
  if (at().watchful() && at().sheds_qos0() && x.qos == qos::at_most_once
      && (link_->blocked() || rules_.queued() != 0)) {
    count(at().numbers().overload_shed);
    lose(std::move(x), drop_reason::qos0_slow);
    return;
  }
  const bool waits_for_others = extras_ && extras_->recovering;
  if (rules_.queued() == 0 && may_start()
      && (x.qos == qos::at_most_once
          || (rules_.may_send() && !waits_for_others))) {
    bool lost = false;
    if (expired_or_too_large(x, lost))
      return;
    send_now(std::move(x));
    return;
  }
  if (at().tracing())
    trace_outbound("queued", *x.message,
                   rules_.queued() != 0 ? "others wait before it"
                   : !link_->writable() ? "the socket takes no more"
                                        : "no quota is left, or a state is "
                                          "being written",
                   x.position);
  rules_.enqueue(std::move(x), [this](outbound&& lost, drop_reason why) {
    lose(std::move(lost), why);
  });
  count_queue();
}

bool session::expired_or_too_large(const outbound& x, bool& lost) {
  if (x.message->expired(at().now())) {
    count(at().numbers().drop_expired); // [MQTT-3.3.2-5]
    if (at().tracing())
      trace_outbound("dropped", *x.message, name_of(drop_reason::expired),
                     x.position);
    done_for_group(x);
    return lost = true;
  }
  if (link_->packet_limit() == protocol::no_packet_limit)
    return false;
  protocol::delivery how;
  how.topic_prefix = link_->prefix_of(x.message->topic());
  how.qos = x.qos;
  std::vector<std::uint32_t> ids;
  if (x.subscription_identifier != 0)
    ids.push_back(x.subscription_identifier);
  if (x.more_identifiers)
    ids.insert(ids.end(), x.more_identifiers->begin(),
               x.more_identifiers->end());
  how.subscription_identifiers = ids;
  if (protocol::encoded_message_size(*x.message, how, version_)
      <= link_->packet_limit())
    return false;
  count(at().numbers().drop_too_large); // [MQTT-3.1.2-25]
  if (at().tracing())
    trace_outbound("dropped", *x.message, name_of(drop_reason::too_large),
                   x.position);
  done_for_group(x);
  return lost = true;
}

void session::send_now(outbound&& x) {
  auto& numbers = at().numbers();
  protocol::delivery how;
  how.qos = x.qos;
  how.retain = x.retain;
  std::uint32_t one = x.subscription_identifier;
  std::vector<std::uint32_t> many;
  if (x.more_identifiers) {
    many.push_back(one);
    many.insert(many.end(), x.more_identifiers->begin(),
                x.more_identifiers->end());
    how.subscription_identifiers = many;
  } else if (one != 0) {
    how.subscription_identifiers = {&one, 1};
  }
  count(numbers.messages_delivered);
  if (x.qos == qos::at_most_once) {
    count(numbers.qos0_sent);
    done_for_group(x);
    if (at().notes_slow())
      note_if_slow(*x.message);
    if (behind_notes())
      hold_back(std::move(x));
    else
      link_->send(*x.message, how);
    return;
  }
  count(x.qos == qos::at_least_once ? numbers.qos1_sent : numbers.qos2_sent);
  const auto* message = x.message.get(); // kept in flight from here on
  const bool noted = x.qos == qos::exactly_once && durable_;
  const bool binds =
    x.qos == qos::exactly_once && x.group != nullptr && x.position;
  how.packet_identifier = rules_.start(std::move(x));
  if (noted) // a crash must not give it another Packet Identifier
    note_sent(*rules_.in_flight_with(how.packet_identifier));
  else if (binds)
    bind_to_this(*rules_.in_flight_with(how.packet_identifier));
  else if (behind_notes())
    hold_back(how.packet_identifier);
  else
    link_->send(*message, how);
}

void session::pump() {
  if (extras_ && extras_->recovering)
    return; // nothing goes before what was sent already
  auto& numbers = at().numbers();
  while (link_->writable())
    if (const auto* again = rules_.take_resend()) {
      count(numbers.messages_resent);
      send_in_flight(*again, true);
    } else {
      break;
    }
  outbound x;
  while (may_start() && rules_.take_queued(x)) {
    bool lost = false;
    if (!expired_or_too_large(x, lost))
      send_now(std::move(x));
    x = {};
  }
  count_queue();
  if (extras_ && room_for_page()) {
    for (auto& reading : extras_->readings)
      if (reading.parked)
        read_retained(reading);
    fetch_what_was_missed();
  }
}

void session::lose(outbound&& x, drop_reason why) {
  if (x.group != nullptr && x.qos != qos::at_most_once) {
    count(at().numbers().handed_over);
    if (at().tracing())
      trace_outbound("handed over", *x.message, name_of(why), x.position);
    at().redeliver(x.message, x.position, *static_cast<shared_group*>(x.group),
                   self_, 0);
    return;
  }
  if (at().tracing() && x.message)
    trace_outbound("dropped", *x.message, name_of(why), x.position);
  done_for_group(x);
  count_drop(at().numbers(), why);
}

void session::settle(outbound& x, bool refused) {
  count(refused ? at().numbers().drop_refused : at().numbers().messages_acked);
  if (at().watchful() && x.message) {
    if (at().notes_slow())
      note_if_slow(*x.message);
    if (at().tracing())
      trace_outbound(refused ? "dropped" : "acknowledged", *x.message,
                     refused ? name_of(drop_reason::refused)
                             : std::string_view{},
                     x.position);
  }
  done_for_group(x);
  if (!durable_)
    return;
  // Shards keep, and write, what is not reported as done. A report looks at all
  // that is in flight or waits: with more of that it is made more rarely.
  constexpr std::size_t many = 256;
  if (++more().settled >= many + rules_.in_flight_count() + rules_.queued())
    checkpoint();
  else
    checkpoint_soon();
}

void session::done_for_group(const outbound& x) {
  if (x.group == nullptr || !x.position)
    return;
  const auto& group = *static_cast<const shared_group*>(x.group);
  at().to_shard(x.position.shard,
                cluster::group_done_command{group.share_name,
                                            std::string{group.filter->text()},
                                            x.position.sequence});
}

// ---- what the shard keeps --------------------------------------------------

session::shard_progress* session::progress_of(std::uint16_t shard) noexcept {
  for (auto& x : extras_->progress)
    if (x.shard == shard)
      return &x;
  return nullptr;
}

session::shard_progress& session::make_progress(std::uint16_t shard) {
  auto& all = more().progress;
  if (auto* found = progress_of(shard))
    return *found;
  all.push_back({shard, 0, 0, false, false});
  return all.back();
}

std::size_t session::queue_goal() const noexcept {
  const auto most = link_->limits().max_mqueue_len;
  return most == 0 ? 1'000 : most;
}

bool session::room_for_page() const noexcept {
  return rules_.queued() * 2 < queue_goal() && !rules_.queue_full();
}

void session::fetch_what_was_missed() {
  for (auto& x : extras_->progress)
    if (x.catching_up && !x.fetching) {
      x.fetching = true;
      cluster::fetch_read read;
      read.client_id = client_id_;
      read.who = self_;
      read.after = x.taken;
      read.limit = std::clamp<std::size_t>(queue_goal() / 4, 16, 1'000);
      at().to_shard(x.shard, std::move(read));
    }
}

void session::on_fetched(cluster::fetched_page& page) {
  if (page.only) {
    auto& x = *extras_->recovering;
    std::move(page.messages.begin(), page.messages.end(),
              std::back_inserter(x.found));
    if (--x.pages == 0)
      end_recovery();
    return;
  }
  auto& progress = make_progress(page.shard);
  progress.fetching = false;
  bool whole = true;
  for (auto& x : page.messages) {
    // Pages of several shards come at once: what finds no room stays there.
    whole = !rules_.queue_full();
    if (!whole)
      break;
    if (delivered_before(x.position)) {
      progress.taken = std::max(progress.taken, x.position.sequence);
      continue;
    }
    count(at().numbers().routed);
    if (at().tracing() && x.message)
      trace_outbound("read of its shard", *x.message, {}, x.position);
    progress.taken = std::max(progress.taken, x.position.sequence);
    send_or_queue(std::move(x));
  }
  if (whole)
    progress.taken = std::max(progress.taken, page.up_to);
  progress.catching_up = !whole || !page.complete;
  checkpoint_soon();
  if (progress.catching_up)
    pump();
}

void session::checkpoint_soon() {
  if (extras_ && !std::exchange(extras_->checkpoint_due, true))
    at().checkpoint_later(self_);
}

std::uint64_t session::taken_over(const shard_progress& x) {
  auto up_to = x.taken;
  rules_.for_each_queued([&](outbound& waiting) {
    if (waiting.position && waiting.position.shard == x.shard
        && waiting.group == nullptr)
      up_to = std::min(up_to, waiting.position.sequence - 1);
  });
  return up_to;
}

void session::checkpoint() {
  if (!extras_ || extras_->recovering)
    return;
  extras_->checkpoint_due = false;
  extras_->settled = 0;
  cluster::checkpoint_command command;
  for (auto& x : extras_->progress) {
    auto up_to = taken_over(x);
    rules_.for_each_in_flight([&](protocol::client_session::in_flight& sent) {
      if (sent.what.position && sent.what.position.shard == x.shard
          && sent.what.group == nullptr)
        up_to = std::min(up_to, sent.what.position.sequence - 1);
    });
    if (up_to <= x.reported)
      continue;
    x.reported = up_to;
    if (extras_->notes.ever)
      command.cursors.push_back({x.shard, up_to});
    else
      at().to_shard(x.shard, cluster::advance_command{client_id_, up_to});
  }
  if (!durable_)
    return;
  // What no shard keeps, the session's own shard does.
  const auto keep = [&](const outbound& x, std::uint16_t id, bool released) {
    if (x.position || !x.message || x.qos == qos::at_most_once)
      return;
    command.kept.emplace_back(cluster::copy_of(x), id, released);
  };
  using in_flight = protocol::client_session::in_flight;
  rules_.for_each_in_flight([&](in_flight& x) {
    keep(x.what, x.packet_identifier, x.now == in_flight::state::released);
  });
  rules_.for_each_queued([&](outbound& x) { keep(x, 0, false); });
  const bool had = std::exchange(extras_->keeps, !command.kept.empty());
  if (command.cursors.empty() && command.kept.empty() && !had)
    return;
  command.client_id = client_id_;
  command.epoch = epoch_;
  at().to_shard(at().shard_of(client_id_), std::move(command));
}

} // namespace troupe::actors
