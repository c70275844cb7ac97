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
  release.epoch = epoch_;
  release.expiry_interval = expiry_interval_;
  release.will = discard_will ? cluster::release_command::will_fate::discard
                              : cluster::release_command::will_fate::publish;
  if (!ends) {
    checkpoint();
    hand_groups_over(false);
    release.record = make_record();
  } else {
    if (durable_)
      end_holds();
    hand_groups_over(true);
    rules_.for_each_queued([&](outbound& x) {
      if (x.message)
        count(numbers.drop_session_ended);
    });
    rules_.for_each_in_flight([&](in_flight& x) {
      count_drop(numbers,
                 x.what.group != nullptr && x.what.qos == qos::exactly_once
                   ? drop_reason::share_member_gone // [MQTT-4.8.2-5]
                   : drop_reason::session_ended);
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
  at().to_shard(at().shard_of(client_id_), std::move(release));
  const caf::strong_actor_ptr keep{ctrl()};
  at().set_session(self_, nullptr, {});
  quit();
}

void session::leave_groups() {
  auto& index = at().shared().index;
  if (expiry_interval_ == 0)
    for (auto& x : subscriptions_)
      if (x.exclusive)
        at().shared().release_exclusive(x.node->text(), hash_);
  if (extras_)
    for (auto& x : extras_->groups)
      if (!x.left) {
        index.leave(*x.group, self_);
        count(at().numbers().subscriptions, std::int64_t{-1});
        if (x.group->durable_members.load() != 0)
          at().for_each_shard_of(
            x.group->filter->text(), [&](std::uint16_t shard) {
              at().to_shard(shard, cluster::group_presence_command{
                                     x.group->share_name,
                                     std::string{x.group->filter->text()},
                                     self_, false});
            });
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
    if (!another(group) && (!ends || group->durable_members.load() == 0))
      return false;
    count(numbers.handed_over);
    at().redeliver(x.message, *group, self_, 0);
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
  for (const auto& x : subscriptions_) {
    const auto entry = x.node->list(at().index()).at(x.slot);
    record->subscriptions.push_back({{},
                                     std::string{x.node->text()},
                                     unpack(x.options),
                                     entry.identifier,
                                     x.exclusive});
  }
  rules_.for_each_in_flight([&](in_flight& x) {
    count(numbers.suspended);
    if (x.now == in_flight::state::waiting)
      x.now = in_flight::state::sent;
    x.what.group = nullptr; // it is this session's own now
    record->in_flight.push_back(std::move(x));
  });
  rules_.for_each_queued([&](outbound& x) {
    if (!x.message)
      return;
    const bool kept_by_shard =
      x.position && extras_ && progress_of(x.position.shard) != nullptr
      && x.qos != qos::at_most_once && x.message->qos() != qos::at_most_once;
    if (kept_by_shard) {
      count(numbers.handed_over);
      return;
    }
    if (x.qos == qos::at_most_once) {
      count(numbers.drop_session_ended);
      return;
    }
    count(numbers.suspended);
    x.group = nullptr;
    record->pending.push_back(std::move(x));
  });
  record->awaiting_release = rules_.awaiting_release();
  record->next_packet_identifier = rules_.next_packet_identifier();
  if (extras_) {
    for (const auto& x : extras_->progress)
      record->cursors.push_back({x.shard, x.reported});
    for (const auto& x : extras_->groups)
      if (!x.left)
        record->subscriptions.push_back(
          {x.group->share_name, std::string{x.group->filter->text()},
           unpack(x.options), x.identifier, false});
  }
  return record;
}

void session::end_holds() {
  cluster::session_record held;
  for (const auto& x : subscriptions_)
    held.subscriptions.push_back(
      {{},
       std::string{x.node->text()},
       unpack(x.held ? x.options : packed_options{0}),
       0,
       x.exclusive});
  if (extras_)
    for (const auto& x : extras_->groups)
      if (x.held)
        held.subscriptions.push_back({x.group->share_name,
                                      std::string{x.group->filter->text()},
                                      unpack(x.options), 0, false});
  end_holds_of(at(), client_id_, held);
}

void end_holds_of(home& at, const std::string& client_id,
                  const cluster::session_record& record) {
  auto& index = at.shared().index;
  for (const auto& x : record.subscriptions) {
    if (x.exclusive)
      at.shared().release_exclusive(x.filter, protocol::hash64(client_id));
    if (x.options.maximum_qos == qos::at_most_once)
      continue; // never held
    at.for_each_shard_of(x.filter, [&](std::uint16_t shard) {
      cluster::hold_command command;
      command.client_id = client_id;
      command.subscription = x;
      command.holds = false;
      at.to_shard(shard, std::move(command));
    });
    if (!x.share_name.empty()) {
      index.unhold(x.share_name, x.filter);
    } else if (auto* node = index.find(x.filter)) {
      index.add_durable(*node, -1);
      index.release(*node);
    }
  }
}

} // namespace troupe::actors
