// How a session ends, or goes to sleep in its shard.

#include "actors/connection.hpp"
#include "actors/session.hpp"
#include "protocol/hash.hpp"

#include <algorithm>

namespace troupe::actors {

using protocol::drop_reason;
using protocol::outbound;
using protocol::qos;
using in_flight = protocol::client_session::in_flight;

void session::on_connection_closed(bool discard_will, bool discard) {
  auto& numbers = at().numbers();
  const bool ends = discard || expiry_interval_ == 0;
  leave_groups();
  cluster::release_command release;
  release.client_id = client_id_;
  release.who = self_;
  release.epoch = epoch_;
  release.expiry_interval = expiry_interval_;
  release.will = discard_will ? cluster::release_command::will_fate::discard
                              : cluster::release_command::will_fate::publish;
  if (!ends) {
    if (extras_)
      send_notes();
    hand_groups_over(false);
    release.record = make_record();
  } else {
    hand_groups_over(true);
    rules_.for_each_queued([&](outbound& x) {
      if (!x.message)
        return;
      count(numbers.drop_session_ended);
      if (at().tracing())
        trace_outbound("dropped", *x.message,
                       name_of(drop_reason::session_ended), x.position);
    });
    rules_.for_each_in_flight([&](in_flight& x) {
      done_for_group(x.what);
      const auto why =
        x.what.group != nullptr && x.what.qos == qos::exactly_once
          ? drop_reason::share_member_gone // [MQTT-4.8.2-5]
          : drop_reason::session_ended;
      count_drop(numbers, why);
      if (at().tracing() && x.what.message)
        trace_outbound("dropped", *x.what.message, name_of(why),
                       x.what.position);
    });
    count(discard ? numbers.session_discarded : numbers.session_terminated);
  }
  if (extras_)
    for (auto& x : extras_->groups)
      at().shared().index.forget(*x.group);
  for (auto& x : subscriptions_)
    remove_from_index(x);
  subscriptions_.clear();
  count(numbers.sessions, std::int64_t{-1});
  count(numbers.queued_bytes, -static_cast<std::int64_t>(counted_queue_));
  counted_queue_ = 0;
  at().to_shard(at().shard_of(client_id_), std::move(release));
  const caf::strong_actor_ptr keep{ctrl()};
  at().set_session(self_, nullptr, {});
  quit();
}

void session::leave_groups() {
  auto& index = at().shared().index;
  if (!durable_) // else its shard knows when the session ends
    for (auto& x : subscriptions_)
      if (x.exclusive)
        at().shared().release_exclusive(x.node->text(), hash_);
  if (extras_)
    for (auto& x : extras_->groups)
      if (!x.left) {
        index.leave(*x.group, self_);
        count(at().numbers().subscriptions, std::int64_t{-1});
      }
}

void session::hand_groups_over(bool ends) {
  if (!extras_ || extras_->groups.empty())
    return;
  auto& numbers = at().numbers();
  // QoS 1 of a group goes to another member; QoS 2 stays with this session
  // until it ends [MQTT-4.8.2-4, -5]. A durable member that is the only one
  // keeps what it has.
  const auto another = [&](void* group) {
    const auto& of = *static_cast<shared_group*>(group);
    return !of.members.load(std::memory_order_acquire)->empty();
  };
  const auto give_away = [&](outbound& x) {
    if (x.group == nullptr || x.qos == qos::at_most_once)
      return false;
    auto* group = static_cast<shared_group*>(x.group);
    if (!x.position && !another(group)
        && (!ends || group->durable_members.load() == 0))
      return false;
    count(numbers.handed_over);
    at().redeliver(x.message, x.position, *group, self_, 0);
    return true;
  };
  rules_.for_each_in_flight([&](in_flight& x) {
    if (x.what.qos != qos::exactly_once && give_away(x.what))
      x.now = in_flight::state::settled;
  });
  rules_.for_each_queued([&](outbound& x) {
    // What was not sent yet is free to go elsewhere, QoS 2 included.
    if (give_away(x))
      x.message.reset();
  });
}

std::shared_ptr<cluster::session_record> session::make_record() {
  auto& numbers = at().numbers();
  auto record = std::make_shared<cluster::session_record>();
  if (extras_)
    for (const auto& x : extras_->progress)
      record->cursors.push_back({x.shard, taken_over(x)});
  // From here on the record keeps what is in flight: it is behind the cursors,
  // unless it was put back after a crash and not read again since. Then the
  // states that the session's shard has of it stand.
  const auto ahead = [&](const outbound& x) {
    return x.position && x.group == nullptr
           && std::any_of(record->cursors.begin(), record->cursors.end(),
                          [&](const cluster::cursor& y) {
                            return y.shard == x.position.shard
                                   && y.sequence < x.position.sequence;
                          });
  };
  const auto keep = [&](outbound& x, std::uint16_t identifier, bool released) {
    count(numbers.suspended);
    x.group = nullptr; // it is this session's own now
    x.position = {};
    record->kept.emplace_back(std::move(x), identifier, released);
  };
  if (extras_ && extras_->recovering) // not put back yet
    for (auto& x : extras_->recovering->kept)
      keep(x.what, x.packet_identifier, x.now == in_flight::state::released);
  rules_.for_each_in_flight([&](in_flight& x) {
    if (ahead(x.what))
      count(numbers.handed_over);
    else
      keep(x.what, x.packet_identifier, x.now == in_flight::state::released);
  });
  rules_.for_each_queued([&](outbound& x) {
    if (!x.message)
      return;
    const bool kept_by_shard =
      x.position && extras_ && progress_of(x.position.shard) != nullptr
      && x.qos != qos::at_most_once && x.message->qos() != qos::at_most_once;
    if (kept_by_shard)
      count(numbers.handed_over);
    else if (x.qos == qos::at_most_once)
      count(numbers.drop_session_ended);
    else
      keep(x, 0, false);
  });
  record->next_packet_identifier = rules_.next_packet_identifier();
  return record;
}

} // namespace troupe::actors
