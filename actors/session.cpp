#include "actors/session.hpp"

#include "actors/connection.hpp"
#include "protocol/hash.hpp"

#include <algorithm>

namespace troupe::actors {

session::session(caf::actor_config& config, home& on, setup&& from)
  : pinned_actor(config, on),
    link_(from.link),
    client_id_(std::move(from.client_id)),
    hash_(protocol::hash64(client_id_)),
    epoch_(from.epoch),
    self_(from.self),
    expiry_interval_(from.expiry_interval),
    version_(from.version),
    durable_(from.expiry_interval != 0) {
  const auto& limits = link_->limits();
  protocol::client_session_options options;
  options.send_quota = std::min(limits.max_inflight, from.receive_maximum);
  options.queue_max = limits.max_mqueue_len;
  options.queue_bytes_max = limits.max_mqueue_bytes;
  options.queue_qos0 = limits.mqueue_store_qos0;
  options.awaiting_release_max = limits.max_awaiting_rel;
  options.reuses_identifiers = on.shared().options.world.reuses_identifiers;
  rules_.configure(options);
  if (durable_)
    more().incarnation = from.incarnation;
  count(on.numbers().sessions, std::int64_t{1});
}

void session::restore(const cluster::session_record& from) {
  using in_flight = protocol::client_session::in_flight;
  durable_ = true;
  auto& numbers = at().numbers();
  rules_.set_next_packet_identifier(from.next_packet_identifier);
  more().keeps = !from.kept.empty();
  std::vector<std::uint16_t> awaiting;
  for (const auto& x : from.awaiting_release)
    awaiting.push_back(x.packet_identifier);
  rules_.restore_awaiting_release(std::move(awaiting));
  for (const auto& x : from.cursors) {
    auto& progress = make_progress(x.shard);
    progress.taken = progress.reported = x.sequence;
    progress.catching_up = true;
  }
  for (const auto& x : from.subscriptions) {
    const auto options = pack(x.options);
    if (x.share_name.empty()) {
      add_to_index(at().shared().index.acquire(x.filter), options, x.identifier,
                   x.exclusive);
      if (x.held())
        at().for_each_shard_of(x.filter, [&](std::uint16_t shard) {
          make_progress(shard).catching_up = true;
        });
      continue;
    }
    auto& group = at().shared().index.join(x.share_name, x.filter,
                                           {self_, options, x.identifier});
    more().groups.push_back({&group, options, false, x.identifier});
    at().for_each_shard_of(x.filter, [&](std::uint16_t shard) {
      at().to_shard(shard,
                    cluster::group_online_command{x.share_name, x.filter});
    });
  }
  std::vector<in_flight> sent;
  for (const auto& x : from.kept) {
    count(numbers.resumed);
    cluster::kept_message copy{x};
    copy.what.position = {}; // it is this session's own
    if (x.packet_identifier == 0)
      rules_.enqueue(std::move(copy.what), [this](protocol::outbound&& lost,
                                                  protocol::drop_reason why) {
        lose(std::move(lost), why);
      });
    else
      sent.push_back(
        {std::move(copy.what), x.packet_identifier,
         x.released ? in_flight::state::released : in_flight::state::sent,
         false});
  }
  begin_recovery(from.outbound, std::move(sent));
}

void session::resume_delivery() {
  if (extras_ && extras_->recovering)
    return; // with `end_recovery`
  // [MQTT-4.4.0-1]: PUBREL at once, PUBLISH within the quota, by `pump`.
  rules_.for_each_in_flight([&](protocol::client_session::in_flight& x) {
    if (x.now == protocol::client_session::in_flight::state::released)
      link_->send_ack(protocol::packet_type::pubrel, x.packet_identifier,
                      protocol::reason_code::success);
  });
  pump();
}

session::group_cursor_entry& session::group_cursor(const shared_group& group) {
  auto& cursors = more().group_cursors;
  for (auto& x : cursors)
    if (x.group == &group)
      return x;
  if (cursors.size() >= 64) // groups come and go; the oldest is forgotten
    cursors.erase(cursors.begin());
  cursors.push_back({&group, 0, false, {}});
  return cursors.back();
}

std::size_t session::subscription_count() const noexcept {
  auto all = subscriptions_.size();
  if (extras_)
    all += static_cast<std::size_t>(
      std::count_if(extras_->groups.begin(), extras_->groups.end(),
                    [](const auto& x) { return !x.left; }));
  return all;
}

std::vector<session::subscription_info>
session::describe_subscriptions() const {
  std::vector<subscription_info> all;
  for (const auto& x : subscriptions_) {
    const auto entry = x.node->list(at().index()).at(x.slot);
    all.push_back({x.exclusive ? "$exclusive" : "", std::string{x.node->text()},
                   unpack(x.options), entry.identifier});
  }
  if (extras_)
    for (const auto& x : extras_->groups)
      if (!x.left)
        all.push_back({x.group->share_name,
                       std::string{x.group->filter->text()}, unpack(x.options),
                       x.identifier});
  return all;
}

} // namespace troupe::actors
