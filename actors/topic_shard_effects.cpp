// What a shard's state machine has its actor do: to clients, other shards, the
// index and the disk.

#include "actors/messages.hpp"
#include "actors/node_storage.hpp"
#include "actors/topic_shard.hpp"
#include "protocol/hash.hpp"

#include <caf/all.hpp>

namespace troupe::actors {

// ---- effects: publications -------------------------------------------------

void topic_shard::acknowledge(client_ref publisher, std::uint32_t token,
                              protocol::reason_code reason) {
  if (!publisher)
    return; // a will, or what the node itself publishes
  // Here and not in the session, which may have ended meanwhile.
  auto& numbers = at().numbers();
  if (reason == protocol::reason_code::success)
    count(numbers.accepted_routed);
  else
    count(static_cast<unsigned>(reason) >= 0x80 ? numbers.accepted_refused
                                                : numbers.accepted_unrouted);
  at().to_client(publisher, publish_acked{token, reason});
}

void topic_shard::retained_changed(int by) {
  at().shared().retained_in_shard[shard_].fetch_add(by);
}

bool topic_shard::route(const message_ptr& message, shard_position position) {
  if (replaying_)
    return false;
  if (at().tracing())
    at().trace_message("routed", *message, position);
  const auto& to = at().match(message->topic());
  if (to.groups.empty() && to.durable_groups.empty())
    return at().route(message, position, to, nullptr);
  // While a group becomes durable, or ceases to be, index and shard differ for
  // a moment: it is served here if and only if no row of the shard serves it.
  auto others = to;
  const auto has_row = [&](const shared_group* x) {
    return state_.keeps_for_group(x->share_name, x->filter->text());
  };
  std::erase_if(others.groups, has_row);
  for (auto* x : to.durable_groups)
    if (!has_row(x))
      others.groups.push_back(x);
  return at().route(message, position, others, nullptr);
}

void topic_shard::read(cluster::disk_wants&& what) {
  if (!replaying_) // nobody waits for it then, and cleaning begins later
    storage_->read(shard_, std::move(what));
}

void topic_shard::propose_next(cluster::command&& what) {
  if (replaying_)
    return;
  if (const auto weight = weight_of(what); weight != 0)
    count(at().numbers().uncommitted_bytes, weight);
  gathered_.push_back(std::move(what));
}

shared_group* topic_shard::find_group(const std::string& share_name,
                                      const std::string& filter) {
  const auto* node = at().shared().index.find(filter);
  auto* group =
    node == nullptr ? nullptr : node->groups.load(std::memory_order_acquire);
  while (group != nullptr && group->share_name != share_name)
    group = group->next.load(std::memory_order_acquire);
  return group;
}

bool topic_shard::has_live_member(const std::string& share_name,
                                  const std::string& filter) {
  if (replaying_)
    return false;
  const auto* group = find_group(share_name, filter);
  return group != nullptr
         && !group->members.load(std::memory_order_acquire)->empty();
}

void topic_shard::route_to_group(const std::string& share_name,
                                 const std::string& filter,
                                 const message_ptr& message,
                                 shard_position position) {
  if (auto* group = find_group(share_name, filter);
      group != nullptr
      && at().route_to_group(message, position, *group, nullptr, {}, 0))
    return;
  // Its last live member just went: the shard hears of it later.
  if (message->qos() == protocol::qos::at_most_once) {
    dropped(protocol::drop_reason::session_ended, 1);
    return;
  }
  at().to_shard(shard_, cluster::group_return_command{
                          share_name, filter, message, position.sequence});
}

void topic_shard::dropped(protocol::drop_reason why, std::size_t count_of) {
  if (replaying_)
    return;
  // These deliveries began and ended here.
  count(at().numbers().routed, static_cast<std::uint64_t>(count_of));
  count_drop(at().numbers(), why, count_of);
}

// ---- effects: other shards and the index -----------------------------------

void topic_shard::forward(std::uint16_t to, cluster::forward_command&& what) {
  if (!replaying_) // else `begin` sends it
    at().to_shard(to, std::move(what));
}

void topic_shard::forwarded(std::uint16_t from, std::uint64_t sequence) {
  if (!replaying_)
    cluster::sequence_of(to_confirm_, from) = sequence;
}

void topic_shard::filter_kept(const std::string& share_name,
                              const std::string& filter, bool kept) {
  auto& index = at().shared().index;
  if (!share_name.empty()) {
    if (kept)
      index.hold(share_name, filter);
    else
      index.unhold(share_name, filter);
  } else if (!protocol::has_wildcard(filter)) {
    if (kept)
      index.exact_durable_added();
  } else if (kept) {
    index.add_durable(index.acquire(filter), 1);
  } else if (auto* node = index.find(filter)) {
    index.add_durable(*node, -1);
    index.release(*node);
  }
}

void topic_shard::exclusive_kept(const std::string& client_id,
                                 const std::string& filter, bool kept) {
  const auto who = protocol::hash64(client_id);
  if (kept)
    at().shared().hold_exclusive(filter, who);
  else
    at().shared().release_exclusive(filter, who);
}

// ---- effects: clients ------------------------------------------------------

void topic_shard::granted(client_ref who, const std::string& client_id,
                          const cluster::claim_granted& what) {
  if (replaying_)
    return;
  at().to_client(who, std::make_unique<cluster::claim_granted>(what));
  registry_.granted(client_id);
}

void topic_shard::released(const std::string& client_id) {
  if (!replaying_)
    registry_.released(client_id);
}

void topic_shard::superseded(client_ref who) {
  at().to_client(who, claim_superseded{});
}

void topic_shard::evict(client_ref owner, bool discard) {
  at().to_client(owner, eviction{discard});
}

void topic_shard::session_ended(const std::string&,
                                const cluster::session_record& record) {
  if (replaying_)
    return;
  auto& numbers = at().numbers();
  count(numbers.session_terminated);
  count_drop(numbers, protocol::drop_reason::session_ended, record.kept.size());
  count(numbers.resumed, static_cast<std::uint64_t>(record.kept.size()));
}

void topic_shard::subscribed(client_ref who, std::uint32_t token) {
  at().to_client(who, subscription_kept{token});
}

void topic_shard::held(client_ref who, std::uint32_t token,
                       std::uint64_t start) {
  at().to_client(who, hold_committed{shard_, token, start});
}

void topic_shard::inbound_begun(client_ref who, std::uint16_t identifier) {
  at().to_client(who, inbound_noted{identifier, true});
}

void topic_shard::inbound_ended(client_ref who, std::uint16_t identifier) {
  at().to_client(who, inbound_noted{identifier, false});
}

void topic_shard::group_taken(client_ref who, std::uint16_t identifier) {
  at().to_client(who, actors::group_taken{identifier});
}

void topic_shard::outbound_noted(client_ref who) {
  at().to_client(who, actors::outbound_noted{});
}

void topic_shard::fetched(client_ref who, cluster::fetched_page&& page) {
  at().to_client(who, std::make_unique<cluster::fetched_page>(std::move(page)));
}

void topic_shard::retained(client_ref who, cluster::retained_page&& page) {
  at().to_client(who,
                 std::make_unique<cluster::retained_page>(std::move(page)));
}

} // namespace troupe::actors
