// QoS 2 of durable sessions: its states are committed before they are relied
// on, so that a crash brings nothing twice.

#include "actors/connection.hpp"
#include "actors/session.hpp"
#include "protocol/topic.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace troupe::actors {

using cluster::outbound_state;
using protocol::outbound;
using protocol::qos;
using in_flight = protocol::client_session::in_flight;
using protocol::packet_type;
using protocol::reason_code;

// ---- to the client ---------------------------------------------------------

void session::note(std::uint16_t packet_identifier, shard_position position,
                   outbound_state::state now) {
  using kind = noted_states::item::kind;
  auto& notes = more().notes;
  notes.states.states.push_back({position, packet_identifier, now});
  const auto what = now == outbound_state::state::sent       ? kind::publish
                    : now == outbound_state::state::released ? kind::pubrel
                                                             : kind::nothing;
  notes.unsent += what == kind::publish ? 1 : 0;
  notes.next.push_back({what, packet_identifier, {}});
  note_next();
}

void session::note_sent(in_flight& x) {
  if (x.what.group != nullptr || !x.what.position) {
    auto& states = more().notes.states;
    if (x.what.position) {
      const auto& group = *static_cast<const shared_group*>(x.what.group);
      states.taken.push_back({group.share_name,
                              std::string{group.filter->text()},
                              std::exchange(x.what.position, {})});
    }
    states.kept.push_back(own(x));
  }
  note(x.packet_identifier, x.what.position, outbound_state::state::sent);
}

void session::note_next() {
  auto& notes = extras_->notes;
  notes.ever = true;
  if (!notes.waiting)
    send_notes(); // else with what comes meanwhile
}

void session::bind_to_this(in_flight& x) {
  // A session that ends with its connection: its shard must not give the
  // message to anybody else from now on, a crash included [MQTT-4.8.2-5].
  const auto& group = *static_cast<const shared_group*>(x.what.group);
  const auto position = std::exchange(x.what.position, {});
  at().to_shard(position.shard,
                cluster::group_done_command{
                  group.share_name, std::string{group.filter->text()},
                  position.sequence, self_, x.packet_identifier});
}

void session::on_group_taken(const group_taken& in) {
  if (const auto* open = rules_.in_flight_with(in.packet_identifier);
      open != nullptr && open->now == in_flight::state::sent)
    send_in_flight(*open, false);
}

void session::hold_back(outbound&& qos0) {
  auto& notes = extras_->notes;
  ++notes.unsent;
  notes.next.push_back({noted_states::item::kind::publish, 0, std::move(qos0)});
}

void session::hold_back(std::uint16_t packet_identifier) {
  auto& notes = extras_->notes;
  ++notes.unsent;
  notes.next.push_back(
    {noted_states::item::kind::publish, packet_identifier, {}});
}

bool session::may_start() const noexcept {
  return link_->writable() && (!extras_ || extras_->notes.unsent < most_unsent);
}

void session::send_notes() {
  auto& notes = extras_->notes;
  if (notes.states.states.empty() && notes.states.kept.empty()) {
    send_items(std::exchange(notes.next, {}));
    return;
  }
  notes.waiting = true;
  std::move(notes.next.begin(), notes.next.end(),
            std::back_inserter(notes.under_way));
  notes.next.clear();
  auto command = std::exchange(notes.states, {});
  command.client_id = client_id_;
  command.epoch = epoch_;
  command.who = self_;
  at().to_shard(at().shard_of(client_id_), std::move(command));
}

void session::on_outbound_noted() {
  auto& notes = extras_->notes;
  notes.waiting = false;
  send_items(std::exchange(notes.under_way, {}));
  send_notes();
  if (rules_.queued() != 0)
    pump();
}

void session::send_items(std::vector<noted_states::item>&& items) {
  using kind = noted_states::item::kind;
  for (auto& x : items) {
    if (x.what == kind::nothing)
      continue;
    if (x.what == kind::pubrel) {
      if (rules_.in_flight_with(x.packet_identifier) != nullptr)
        link_->send_ack(packet_type::pubrel, x.packet_identifier,
                        reason_code::success);
      continue;
    }
    --extras_->notes.unsent;
    if (x.qos0.message) {
      in_flight once;
      once.what = std::move(x.qos0);
      send_in_flight(once, false);
    } else if (const auto* open = rules_.in_flight_with(x.packet_identifier);
               open != nullptr && open->now == in_flight::state::sent) {
      send_in_flight(*open, false);
    }
  }
}

cluster::kept_message session::own(const in_flight& x) {
  auto copy = cluster::copy_of(x.what);
  copy.position = {};
  return {std::move(copy), x.packet_identifier,
          x.now == in_flight::state::released};
}

void session::keep_in_flight_of(std::string_view filter) {
  rules_.for_each_in_flight([&](in_flight& x) {
    if (x.what.qos != qos::exactly_once || !x.what.position
        || !protocol::matches(filter, x.what.message->topic()))
      return;
    // The shards forget it with the filter; its delivery goes on
    // [MQTT-3.10.4-3].
    x.what.position = {};
    more().notes.states.kept.push_back(own(x));
  });
  if (extras_ && !extras_->notes.states.kept.empty())
    note_next();
}

void session::send_in_flight(const in_flight& x, bool again) {
  protocol::delivery how;
  how.qos = x.what.qos;
  how.retain = x.what.retain;
  how.dup = again; // [MQTT-3.3.1-1]
  how.packet_identifier = x.packet_identifier;
  std::vector<std::uint32_t> ids;
  if (x.what.subscription_identifier != 0)
    ids.push_back(x.what.subscription_identifier);
  if (x.what.more_identifiers)
    ids.insert(ids.end(), x.what.more_identifiers->begin(),
               x.what.more_identifiers->end());
  how.subscription_identifiers = ids;
  link_->send(*x.what.message, how);
}

// ---- from the client -------------------------------------------------------

void session::note_inbound(std::uint16_t packet_identifier, std::uint16_t shard,
                           bool begins) {
  at().to_shard(at().shard_of(client_id_),
                cluster::inbound_command{client_id_, epoch_, packet_identifier,
                                         shard, begins, self_});
}

void session::on_inbound_noted(const inbound_noted& in) {
  if (!in.begun) {
    link_->send_ack(packet_type::pubcomp, in.packet_identifier,
                    reason_code::success);
    return;
  }
  auto& open = more().uncommitted_qos2;
  const auto at = std::find_if(open.begin(), open.end(), [&](const auto& x) {
    return x.packet_identifier == in.packet_identifier;
  });
  if (at == open.end())
    return;
  link_->send_ack(packet_type::pubrec, at->packet_identifier, at->reason);
  open.erase(at);
}

// ---- after a crash ---------------------------------------------------------

void session::begin_recovery(const std::vector<outbound_state>& states,
                             std::vector<in_flight>&& kept) {
  std::map<std::uint16_t, std::vector<std::uint64_t>> wanted;
  for (const auto& state : states) {
    more().notes.ever = true;
    extras_->known.push_back(state.position);
    if (state.now != outbound_state::state::finished)
      wanted[state.position.shard].push_back(state.position.sequence);
  }
  if (wanted.empty()) {
    restore_in_flight(std::move(kept));
    return;
  }
  auto& x = more();
  x.recovering = std::make_unique<recovering_states>();
  x.recovering->states = states;
  x.recovering->kept = std::move(kept);
  x.recovering->pages = wanted.size();
  for (auto& [shard, sequences] : wanted) {
    std::sort(sequences.begin(), sequences.end());
    cluster::fetch_read read;
    read.client_id = client_id_;
    read.who = self_;
    read.limit = sequences.size();
    read.only = std::move(sequences);
    at().to_shard(shard, std::move(read));
  }
}

void session::end_recovery() {
  const auto from = std::exchange(extras_->recovering, nullptr);
  auto all = std::move(from->kept);
  const auto place = [](const shard_position& x) {
    return std::pair{x.shard, x.sequence};
  };
  std::sort(from->found.begin(), from->found.end(),
            [&](const auto& x, const auto& y) {
              return place(x.position) < place(y.position);
            });
  for (const auto& x : from->states) {
    if (x.now == outbound_state::state::finished)
      continue;
    const auto found =
      std::lower_bound(from->found.begin(), from->found.end(), x.position,
                       [&](const auto& y, const shard_position& at) {
                         return place(y.position) < place(at);
                       });
    bool released = x.now == outbound_state::state::released;
    outbound what;
    if (found != from->found.end()
        && place(found->position) == place(x.position)) {
      what = std::move(*found);
    } else {
      // Its message is gone, but the client may hold the identifier: it is
      // completed without being sent again.
      what.message = protocol::message::make({.topic = "-"});
      released = true;
    }
    what.qos = qos::exactly_once;
    count(at().numbers().routed);
    all.push_back(
      {std::move(what), x.packet_identifier,
       released ? in_flight::state::released : in_flight::state::sent, false});
  }
  restore_in_flight(std::move(all));
  resume_delivery();
}

void session::restore_in_flight(std::vector<in_flight>&& all) {
  if (all.empty())
    return;
  // Identifiers were given in their order, from somewhere on: from behind the
  // widest gap.
  std::sort(all.begin(), all.end(), [](const auto& x, const auto& y) {
    return x.packet_identifier < y.packet_identifier;
  });
  std::size_t first = 0;
  std::size_t widest =
    65'535U + all.front().packet_identifier - all.back().packet_identifier;
  for (std::size_t i = 1; i < all.size(); ++i)
    if (const std::size_t gap =
          all[i].packet_identifier - all[i - 1].packet_identifier;
        gap > widest) {
      widest = gap;
      first = i;
    }
  std::rotate(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(first),
              all.end());
  std::uint16_t before = 0;
  for (auto& x : all)
    if (std::exchange(before, x.packet_identifier) != x.packet_identifier)
      rules_.restore(std::move(x));
}

bool session::delivered_before(shard_position x) {
  auto& known = extras_->known;
  const auto at = std::find_if(known.begin(), known.end(), [&](const auto& y) {
    return y.shard == x.shard && y.sequence == x.sequence;
  });
  if (at == known.end())
    return false;
  known.erase(at);
  return true;
}

} // namespace troupe::actors
