// The way of messages, commands and events to where they are to be.

#include "actors/connection.hpp"
#include "actors/home.hpp"
#include "actors/messages.hpp"
#include "actors/session.hpp"
#include "protocol/hash.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <bit>

namespace troupe::actors {

const match_result& home::match(std::string_view topic) {
  const auto& filters = shared_.index;
  if (cache_.empty()) {
    count(numbers_.match_cache_misses);
    uncached_.clear();
    filters.match(topic, uncached_);
    return uncached_;
  }
  const auto version = filters.version();
  // A publisher mostly stays with its topic for a while.
  if (last_match_ != nullptr && last_match_->version == version
      && last_match_->topic == topic) {
    count(numbers_.match_cache_hits);
    return last_match_->result;
  }
  const auto hash = protocol::hash64(topic);
  auto& entry = cache_[hash % cache_.size()];
  last_match_ = &entry;
  if (entry.version == version && entry.hash == hash && entry.topic == topic) {
    count(numbers_.match_cache_hits);
    return entry.result;
  }
  count(numbers_.match_cache_misses);
  entry.result.clear();
  filters.match(topic, entry.result);
  entry.version = version;
  entry.hash = hash;
  entry.topic = topic;
  return entry.result;
}

batch& home::outbox(std::size_t to) {
  auto& box = outboxes_[to];
  if (!box) {
    box = std::make_shared<batch>();
    box->from = static_cast<std::uint16_t>(index());
  }
  return *box;
}

bool home::route(message_ptr message, shard_position position,
                 const match_result& to, session* publisher) {
  bool somebody = to.reactors != 0;
  auto left = to.reactors;
  if ((left & 1U << index()) != 0) {
    left &= ~(1U << index());
    const bool last = left == 0 && to.groups.empty();
    deliver_here(message, last ? &message : nullptr, position, to.nodes);
  }
  for (auto* group : to.groups)
    somebody |= route_to_group(message, {}, *group, publisher, {}, 0);
  while (left != 0) {
    const auto bit = left & (~left + 1);
    left &= ~bit;
    auto& box = outbox(static_cast<std::size_t>(std::countr_zero(bit)));
    const auto first = static_cast<std::uint32_t>(box.nodes.size());
    for (auto* node : to.nodes)
      if ((node->reactors.load(std::memory_order_relaxed) & bit) != 0)
        box.nodes.push_back(node);
    const auto count_of = static_cast<std::uint32_t>(box.nodes.size()) - first;
    to_subscribers item{{}, position, first, count_of};
    // The last one gets our reference: counting costs more than it seems,
    // when another processor holds the message's memory.
    if (left != 0)
      item.message = message;
    else
      std::swap(item.message, message);
    box.items.emplace_back(std::move(item));
  }
  return somebody;
}

void home::deliver_here(const message_ptr& message, message_ptr* last,
                        shard_position position,
                        std::span<filter_node* const> nodes) {
  if (nodes.size() == 1) {
    const auto& list = nodes[0]->list(index());
    if (list.size() != 1)
      last = nullptr;
    list.for_each([&](const subscriber_list::entry& x) {
      x.who->deliver(message, last, position, x.options, x.identifier, nullptr);
    });
    return;
  }
  // Overlapping filters: one copy with the highest QoS and all Subscription
  // Identifiers [MQTT-3.3.4-2 to -4].
  std::size_t used = 0;
  for (auto* node : nodes)
    node->list(index()).for_each([&](const subscriber_list::entry& x) {
      if ((x.options & 4) != 0 && x.who->published(*message))
        return;
      for (std::size_t k = 0; k < used; ++k)
        if (overlaps_[k].who == x.who) {
          auto& merged = overlaps_[k];
          const auto qos =
            std::max<unsigned>(merged.options & 3U, x.options & 3U);
          merged.options = static_cast<packed_options>(
            qos | (merged.options & 8U) | (x.options & 8U));
          if (x.identifier != 0 && merged.identifier == 0)
            merged.identifier = x.identifier;
          else if (x.identifier != 0)
            merged.more.push_back(x.identifier);
          return;
        }
      if (used == overlaps_.size())
        overlaps_.emplace_back();
      auto& fresh = overlaps_[used++];
      fresh.who = x.who;
      fresh.options = x.options;
      fresh.identifier = x.identifier;
      fresh.more.clear();
    });
  for (std::size_t k = 0; k < used; ++k) {
    auto& x = overlaps_[k];
    x.who->deliver(message, nullptr, position, x.options, x.identifier, nullptr,
                   x.more);
  }
}

std::size_t home::pick(const shared_group& group, const group_members& members,
                       const message_ptr& message, session* publisher) {
  const auto size = members.size();
  switch (mqtt().shared_subscription_strategy) {
  case share_strategy::random:
  case share_strategy::local: // every member of a node is local to it
    return random_() % size;
  case share_strategy::round_robin_per_group:
    return const_cast<shared_group&>(group).turn.fetch_add(
             1, std::memory_order_relaxed)
           % size;
  case share_strategy::hash_clientid:
    return message->publisher() % size;
  case share_strategy::hash_topic:
    return protocol::hash64(message->topic()) % size;
  case share_strategy::sticky:
    if (publisher != nullptr) {
      auto& favourite = publisher->group_cursor(group).favourite;
      const auto at =
        std::find_if(members.begin(), members.end(),
                     [&](const group_member& x) { return x.who == favourite; });
      if (at != members.end())
        return static_cast<std::size_t>(at - members.begin());
      const auto chosen = random_() % size;
      favourite = members[chosen].who;
      return chosen;
    }
    return message->publisher() % size;
  case share_strategy::round_robin:
    if (publisher != nullptr) {
      auto& cursor = publisher->group_cursor(group);
      if (!cursor.started) { // publishers start at different members
        cursor.started = true;
        cursor.next = static_cast<std::uint32_t>(random_());
      }
      return cursor.next++ % size;
    }
    return random_() % size;
  }
  return 0;
}

bool home::route_to_group(const message_ptr& message, shard_position position,
                          shared_group& group, session* publisher,
                          client_ref except, std::uint32_t attempts) {
  const auto& members = *group.members.load(std::memory_order_acquire);
  if (members.empty() || attempts > members.size())
    return false;
  auto at = pick(group, members, message, publisher);
  if (attempts != 0) // the one behind whoever could not take it
    for (std::size_t i = 0; i < members.size(); ++i)
      if (members[i].who == except)
        at = i + 1;
  at %= members.size();
  if (members[at].who == except)
    at = (at + 1) % members.size();
  if (members[at].who == except)
    return false;
  to_member what{message, position, &group, members[at], attempts};
  if (what.member.who.reactor == index()) {
    if (!deliver_to_member(what))
      redeliver(message, position, group, what.member.who, attempts);
  } else {
    outbox(what.member.who.reactor).items.emplace_back(std::move(what));
  }
  return true;
}

bool home::deliver_to_member(to_member& what) {
  auto* to = session_of(what.member.who);
  if (to == nullptr || !to->takes_from(*what.group))
    return false;
  to->deliver(what.message, &what.message, what.position, what.member.options,
              what.member.identifier, what.group);
  return true;
}

void home::redeliver(const message_ptr& message, shard_position position,
                     shared_group& group, client_ref from,
                     std::uint32_t attempts) {
  count(numbers_.shared_redelivered);
  if (route_to_group(message, position, group, nullptr, from, attempts + 1))
    return;
  // Nobody else: a durable group's shard keeps it; otherwise the one it came
  // from may be the only member, whose queue is full.
  if (group.durable_members.load(std::memory_order_acquire) != 0) {
    cluster::group_return_command back;
    back.share_name = group.share_name;
    back.filter = std::string{group.filter->text()};
    back.message = message.kept();
    back.sequence = position.sequence;
    to_shard(shard_of(message->topic()), std::move(back));
    return;
  }
  count(numbers_.routed);
  const auto why = session_of(from) != nullptr
                     ? protocol::drop_reason::queue_full
                     : protocol::drop_reason::session_ended;
  count_drop(numbers_, why);
  if (tracing())
    trace_message("dropped", *message, position, name_of(why));
}

void home::publish(const message_ptr& message) {
  const auto& to = match(message->topic());
  if (message->retain() || to.durable) {
    cluster::publish_command command;
    command.message = message;
    to_shard(shard_of(message->topic()), std::move(command));
    return;
  }
  route(message, {}, to, nullptr);
}

void home::to_shard(std::uint16_t shard, cluster::command&& what) {
  auto& box = shard_outboxes_[shard];
  if (!box) {
    box = std::make_shared<command_batch>();
    box->from = static_cast<std::uint16_t>(index());
    shards_to_send_.push_back(shard);
  }
  box->commands.push_back(std::move(what));
}

void home::to_client(client_ref who, client_event&& what) {
  if (!who)
    return;
  if (who.reactor == index())
    handle(who, what);
  else
    outbox(who.reactor)
      .items.emplace_back(addressed_event{who, std::move(what)});
}

void home::handle(client_ref who, client_event& what) {
  // A connection that waits for its claim stays until it is answered, so an
  // event without an addressee is stale and may be dropped.
  if (auto* to = connection_of(who))
    to->handle(what);
  else if (inquiries::is_one(who))
    questions_.handle(who, what);
}

void home::carry_out(batch& in) {
  for (auto& item : in.items) {
    if (auto* x = std::get_if<to_subscribers>(&item)) {
      deliver_here(x->message, &x->message, x->position,
                   std::span{in.nodes}.subspan(x->first_node, x->node_count));
    } else if (auto* member = std::get_if<to_member>(&item)) {
      if (!deliver_to_member(*member))
        redeliver(member->message, member->position, *member->group,
                  member->member.who, member->attempts);
    } else if (auto* event = std::get_if<addressed_event>(&item)) {
      handle(event->who, event->what);
    }
  }
  auto& credit = shared_.credit(in.from, index());
  credit.used.fetch_sub(in.credit, std::memory_order_acq_rel);
  if (credit.wanted.load(std::memory_order_acquire)
      && credit.wanted.exchange(false, std::memory_order_acq_rel))
    shared_.homes[in.from]->wake();
}

void home::send_batches() {
  // Deliveries leave before commands: what a publisher sent directly is in its
  // receivers' mailboxes before a shard sees what it sent afterwards.
  for (std::size_t r = 0; r < outboxes_.size(); ++r)
    if (auto& box = outboxes_[r]) {
      box->credit = static_cast<std::uint32_t>(box->items.size());
      sent_in_turn_ += box->items.size();
      shared_.credit(index(), r)
        .used.fetch_add(box->credit, std::memory_order_acq_rel);
      count(numbers_.batches_sent);
      count(numbers_.batch_items_sent, std::uint64_t{box->credit});
      caf::anon_send(dispatchers_[r], std::exchange(box, nullptr));
    }
  for (const auto shard : shards_to_send_) {
    auto& box = shard_outboxes_[shard];
    sent_in_turn_ += box->commands.size();
    shared_.shard_credits[index()].used.fetch_add(
      static_cast<std::uint32_t>(box->commands.size()),
      std::memory_order_acq_rel);
    caf::anon_send(shared_.shards[shard], std::exchange(box, nullptr));
  }
  shards_to_send_.clear();
}

} // namespace troupe::actors
