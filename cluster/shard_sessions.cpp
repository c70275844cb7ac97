// What a shard keeps for the Client Identifiers that hash to it.

#include "cluster/shard_state_machine.hpp"
#include "protocol/topic.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace troupe::cluster {

namespace {

/// The messages in `kept` are kept by the record itself now. What is finished
/// had the same identifier before, and stays known. One pass, since there may
/// be tens of thousands of both.
void forget_open(session_record& of, const std::vector<kept_message>& kept) {
  if (kept.empty() || of.outbound.empty())
    return;
  std::vector<bool> is_kept(0x1'0000); // by Packet Identifier
  for (const auto& x : kept)
    is_kept[x.packet_identifier] = true;
  std::erase_if(of.outbound, [&](const outbound_state& y) {
    return is_kept[y.packet_identifier]
           && y.now != outbound_state::state::finished;
  });
}

} // namespace

// ---- owners ----------------------------------------------------------------

void shard_state_machine::on(claim_command& x, time_point now) {
  claim_granted answer;
  auto* row = sessions_.find(x.client_id);
  if (row != nullptr && x.clean_start) {
    end_session(x.client_id, now); // the old session ends here
    row = nullptr;
  }
  if (row != nullptr) {
    at_.offline -= row->owned ? 0 : 1;
    answer.record = std::make_shared<session_record>(*row->record);
    answer.session_present = true;
  } else if (x.expiry_interval != 0 || x.will != nullptr) {
    row = &sessions_.change(x.client_id);
    *row = {};
    row->record = std::make_shared<session_record>();
    row->incarnation = at_.last_epoch + 1;
    ++at_.sessions;
  }
  if (row != nullptr) {
    sessions_.change(x.client_id);
    row->will = x.will; // a will that still waited is replaced [MQTT-3.1.3-9]
    arm(x.client_id, *row, &session_row::will_due, never);
    arm(x.client_id, *row, &session_row::expires, never);
    if (!std::exchange(row->owned, true))
      owned_.set_blindly(x.client_id, true);
    row->epoch = answer.epoch = ++at_.last_epoch;
    answer.incarnation = row->incarnation;
    row->expiry_interval = x.expiry_interval;
  }
  effects_.granted(x.who, x.client_id, answer);
}

void shard_state_machine::on(release_command& x, time_point now) {
  if (auto* row = owned_row(x.client_id, x.epoch)) {
    row->expiry_interval = x.expiry_interval;
    if (x.will == release_command::will_fate::discard)
      row->will.reset();
    if (x.record == nullptr) {
      end_session(x.client_id, now);
    } else {
      // What was in flight is in the record now, below its cursors.
      forget_open(*row->record, x.record->kept);
      row->record->kept = std::move(x.record->kept);
      row->record->next_packet_identifier = x.record->next_packet_identifier;
      move_cursors(x.client_id, *row->record, x.record->cursors);
      leave(x.client_id, *row, now);
    }
  }
  effects_.released(x.client_id);
}

void shard_state_machine::leave(const std::string& client_id, session_row& row,
                                time_point now) {
  row.owned = false;
  owned_.set_blindly(client_id, false);
  ++at_.offline;
  if (row.will != nullptr && row.will->delay.count() == 0) {
    publish_will(client_id, row, now);
  } else if (row.will != nullptr) {
    arm(client_id, row, &session_row::will_due, now + row.will->delay);
  }
  if (row.expiry_interval != never_expires)
    arm(client_id, row, &session_row::expires,
        now + std::chrono::seconds{row.expiry_interval});
}

void shard_state_machine::arm(const std::string& client_id, session_row& row,
                              time_point session_row::*of, time_point due) {
  const auto kind =
    of == &session_row::expires ? timer_kind::session : timer_kind::will;
  if (row.*of == due)
    return;
  if (row.*of != never)
    timers_.remove({row.*of, kind, client_id});
  row.*of = due;
  if (due != never)
    timers_.add({due, kind, client_id});
}

/// @param row  to be changed.
void shard_state_machine::publish_will(const std::string& client_id,
                                       session_row& row, time_point now) {
  arm(client_id, row, &session_row::will_due, never);
  const auto will = std::exchange(row.will, nullptr);
  if (will == nullptr)
    return;
  publish_command publish;
  publish.message = will->message;
  if (will->message->has_expiry()) { // it begins when the will is published
    protocol::message_options made;
    made.topic = will->message->topic();
    made.payload = will->message->payload();
    made.properties = {will->message->properties()};
    made.qos = will->message->qos();
    made.retain = will->message->retain();
    made.message_expiry_interval = will->message->expiry_interval();
    made.received_at = now;
    made.publisher = will->message->publisher();
    publish.message = protocol::message::make(made);
  }
  const auto to = shard_of(will->message->topic(), options_.shards);
  forward(to, std::move(publish));
}

void shard_state_machine::end_session(const std::string& client_id,
                                      time_point now) {
  auto& row = sessions_.change(client_id);
  publish_will(client_id, row, now);
  arm(client_id, row, &session_row::expires, never);
  if (row.record->published_qos2)
    for (std::size_t i = 0; i < options_.shards; ++i)
      forward(static_cast<std::uint16_t>(i),
              inbound_forget_command{client_id, row.incarnation});
  for (const auto& x : row.record->subscriptions) {
    if (x.held())
      forward_holds(client_id, x, false, {}, 0);
    if (x.exclusive)
      keep_exclusive(client_id, x.filter, false);
  }
  --at_.sessions;
  if (row.owned) {
    owned_.set_blindly(client_id, false);
  } else {
    --at_.offline;
    effects_.session_ended(client_id, *row.record);
  }
  sessions_.erase(client_id);
}

void shard_state_machine::keep_exclusive(const std::string& client_id,
                                         const std::string& filter, bool kept) {
  const auto key = client_id + '\0' + filter;
  if (kept)
    exclusive_.change(key);
  else
    exclusive_.erase(key);
  effects_.exclusive_kept(client_id, filter, kept);
}

std::optional<std::string>
shard_state_machine::owned_behind(const std::string& after,
                                  std::vector<std::string>& into) {
  // What changed is in memory, the others are in the page of the disk.
  std::set<std::string> names;
  std::optional<std::string> next;
  if (owned_page_) {
    if (owned_page_->more_owned)
      next = owned_page_->owned.back();
    for (const auto& x : owned_page_->owned)
      if (!owned_.is_here(x))
        names.insert(x);
  }
  for (auto at = owned_.rows().upper_bound(after);
       at != owned_.rows().end() && (!next || at->first <= *next); ++at)
    if (at->second.row)
      names.insert(at->first);
  for (const auto& x : names) {
    if (into.size() == row_wants::owned_at_once)
      return into.back();
    into.push_back(x);
  }
  return next;
}

void shard_state_machine::on(restart_command& x, time_point now) {
  std::vector<std::string> owned;
  const auto next = owned_behind(x.after, owned);
  owned_page_.reset();
  for (const auto& name : owned) {
    auto& row = sessions_.change(name);
    leave(name, row, now);
    if (row.expiry_interval == 0)
      end_session(name, now);
  }
  if (next)
    effects_.propose_next(restart_command{*next});
}

// ---- what an owner changes -------------------------------------------------

void shard_state_machine::on(subscribe_command& x, time_point) {
  auto* row = owned_row(x.client_id, x.epoch);
  if (row == nullptr)
    return; // nobody waits for it any more
  auto& all = row->record->subscriptions;
  const auto& wanted = x.subscription;
  const auto old = std::find_if(all.begin(), all.end(), [&](const auto& y) {
    return y.share_name == wanted.share_name && y.filter == wanted.filter;
  });
  const bool was_held = old != all.end() && old->held();
  if (x.subscribes) {
    const bool was_exclusive = old != all.end() && old->exclusive;
    if (wanted.exclusive != was_exclusive)
      keep_exclusive(x.client_id, wanted.filter, wanted.exclusive);
    if (old == all.end())
      all.push_back(wanted);
    else
      *old = wanted; // [MQTT-3.8.4-3]
    if (wanted.held() || was_held)
      forward_holds(x.client_id, wanted, wanted.held(), x.who, x.token);
  } else if (old != all.end()) {
    if (old->exclusive)
      keep_exclusive(x.client_id, old->filter, false);
    all.erase(old);
    if (was_held)
      forward_holds(x.client_id, wanted, false, x.who, x.token);
  }
  effects_.subscribed(x.who, x.token);
}

void shard_state_machine::forward_holds(const std::string& client_id,
                                        const subscription_record& what,
                                        bool holds, client_ref who,
                                        std::uint32_t token) {
  for_each_shard_of(what.filter, options_.shards, [&](std::uint16_t shard) {
    forward(shard, hold_command{client_id, what, holds, who, token});
  });
}

session_row* shard_state_machine::owned_row(const std::string& client_id,
                                            std::uint64_t epoch) {
  const auto* row = sessions_.find(client_id);
  if (row == nullptr || row->epoch != epoch || !row->owned)
    return nullptr;
  return &sessions_.change(client_id);
}

void shard_state_machine::on(checkpoint_command& x, time_point) {
  if (auto* row = owned_row(x.client_id, x.epoch)) {
    row->record->kept = std::move(x.kept);
    move_cursors(x.client_id, *row->record, x.cursors);
  }
}

void shard_state_machine::move_cursors(const std::string& client_id,
                                       session_record& of,
                                       const std::vector<cursor>& to) {
  for (const auto& x : to) {
    auto& known = sequence_of(of.cursors, x.shard);
    if (x.sequence <= known)
      continue;
    known = x.sequence;
    std::erase_if(of.outbound, [&](const outbound_state& y) {
      return y.position.shard == x.shard && y.position.sequence <= x.sequence;
    });
    forward(x.shard, advance_command{client_id, x.sequence});
  }
}

// ---- QoS 2 -----------------------------------------------------------------

void shard_state_machine::on(inbound_command& x, time_point) {
  auto* row = owned_row(x.client_id, x.epoch);
  if (row == nullptr)
    return;
  auto& open = row->record->awaiting_release;
  const auto at = std::find_if(open.begin(), open.end(), [&](const auto& y) {
    return y.packet_identifier == x.packet_identifier;
  });
  if (x.begins) {
    row->record->published_qos2 = true;
    if (at == open.end())
      open.push_back({x.packet_identifier, x.shard});
    effects_.inbound_begun(x.who, x.packet_identifier);
    return;
  }
  if (at == open.end()) {
    effects_.inbound_ended(x.who, x.packet_identifier);
    return;
  }
  const auto shard = at->shard;
  open.erase(at);
  forward(shard,
          inbound_end_command{
            {x.client_id, row->incarnation, x.packet_identifier}, x.who});
}

void shard_state_machine::on(inbound_end_command& x, time_point) {
  forget_inbound(x.what);
  effects_.inbound_ended(x.who, x.what.packet_identifier);
}

void shard_state_machine::forget_inbound(const inbound_identity& x) {
  const std::pair key{x.client_id, x.packet_identifier};
  if (const auto at = inbound_.find(key);
      at != inbound_.end() && at->second == x.incarnation) {
    note(changed_inbound_, key);
    inbound_.erase(at);
  }
}

void shard_state_machine::on(inbound_forget_command& x, time_point) {
  auto at = inbound_.lower_bound({x.client_id, 0});
  while (at != inbound_.end() && at->first.first == x.client_id)
    if (at->second <= x.incarnation) {
      note(changed_inbound_, at->first);
      at = inbound_.erase(at);
    } else {
      ++at;
    }
}

bool shard_state_machine::seen_before(const inbound_identity& x) {
  const std::pair key{x.client_id, x.packet_identifier};
  auto& incarnation = inbound_[key];
  if (incarnation == x.incarnation)
    return true;
  if (incarnation > x.incarnation)
    return false; // late, of a life that has ended
  incarnation = x.incarnation;
  note(changed_inbound_, key);
  return false;
}

void shard_state_machine::on(outbound_command& x, time_point) {
  if (auto* row = owned_row(x.client_id, x.epoch)) {
    auto& record = *row->record;
    for (const auto& fresh : x.states) {
      using state = outbound_state::state;
      // Of an earlier connection: the record itself keeps the message.
      const auto kept = std::find_if(
        record.kept.begin(), record.kept.end(), [&](const kept_message& y) {
          return y.packet_identifier == fresh.packet_identifier
                 && y.what.qos == protocol::qos::exactly_once;
        });
      if (kept != record.kept.end()) {
        if (fresh.now == state::finished)
          record.kept.erase(kept);
        else
          kept->released = fresh.now == state::released;
        continue;
      }
      if (!fresh.position)
        continue; // with `kept`
      const auto at = std::find_if(
        record.outbound.begin(), record.outbound.end(), [&](const auto& y) {
          return y.position.shard == fresh.position.shard
                 && y.position.sequence == fresh.position.sequence;
        });
      if (at == record.outbound.end())
        record.outbound.push_back(fresh);
      else
        *at = fresh;
    }
    forget_open(record, x.kept);
    for (auto& fresh : x.kept) {
      // A checkpoint may have brought it already; or it is what an earlier
      // message with this identifier left.
      std::erase_if(record.kept, [&](const kept_message& y) {
        return y.packet_identifier == fresh.packet_identifier;
      });
      record.kept.push_back(std::move(fresh));
    }
    for (auto& place : x.taken)
      forward(place.position.shard,
              group_done_command{place.share_name, place.filter,
                                 place.position.sequence});
  }
  effects_.outbound_noted(x.who);
}

} // namespace troupe::cluster
