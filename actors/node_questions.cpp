// What a running node is asked.

#include "actors/node.hpp"
#include "actors/node_storage.hpp"
#include "actors/topic_shard.hpp"

#include <algorithm>
#include <future>
#include <map>
#include <mutex>

namespace troupe::actors {

node::numbers node::count_all() {
  numbers all;
  all.counters.resize(counter_descriptions.size());
  all.reactors.resize(shared_->homes.size());
  std::int64_t backlog_bytes = 0;
  std::int64_t resident_rows = 0;
  std::mutex guard;
  on_all([&](home& on) {
    std::int64_t in_flight = 0;
    std::int64_t queued = 0;
    on.for_each_connection([&](connection& x) {
      if (const auto* its = x.its_session()) {
        in_flight += static_cast<std::int64_t>(its->rules().in_flight_count());
        queued += static_cast<std::int64_t>(its->rules().queued());
      }
    });
    const std::lock_guard lock(guard);
    const auto& x = on.numbers();
    for (std::size_t i = 0; i < all.counters.size(); ++i)
      all.counters[i] += (x.*counter_descriptions[i].member).load();
    all.connections += x.connections.load();
    all.sessions += x.sessions.load() + x.offline_sessions.load();
    all.offline_sessions += x.offline_sessions.load();
    all.subscriptions += x.subscriptions.load();
    all.retained += x.retained.load();
    all.delayed += x.delayed.load();
    all.stored += x.stored.load();
    backlog_bytes += x.backlog_bytes.load();
    resident_rows += x.resident_rows.load();
    all.in_flight += in_flight;
    all.queued += queued;
    auto& r = all.reactors[on.index()];
    const auto& c = on.counters();
    r.turns = c.turns.load();
    r.turn_nanoseconds = c.turn_nanoseconds.load();
    r.longest_turn_nanoseconds = c.longest_turn_nanoseconds.load();
    r.socket_events = c.socket_events.load();
    r.wake_ups = c.wake_ups.load();
    r.mails = x.mails.load();
    r.batches = x.batches_sent.load();
    r.batch_items = x.batch_items_sent.load();
    r.credit_stalls = x.credit_stalls.load();
    r.connections = x.connections.load();
    r.helped = c.helped.load();
    for (std::size_t k = 0; k < r.kinds.size(); ++k)
      r.kinds[k] = {x.kinds[k].runs.load(), x.kinds[k].mails.load(),
                    x.kinds[k].deepest.load(), x.kinds[k].nanoseconds.load()};
    for (std::size_t to = 0; to < shared_->homes.size(); ++to)
      r.credit_used += shared_->credit(on.index(), to).used.load();
  });
  all.filters = static_cast<std::int64_t>(shared_->index.size());
  if (storage_) {
    const auto log = storage_->log().counters();
    const auto state = storage_->state().counters();
    all.storage = {
      .log_groups = log.groups,
      .log_entries = log.entries,
      .log_bytes = log.bytes,
      .log_write_nanoseconds = log.write_ns,
      .log_longest_write_nanoseconds = log.longest_write,
      .log_largest_group = log.largest_group,
      .log_disk_bytes = storage_->log().disk().total(),
      .state_writes = state.writes,
      .state_rows = state.rows,
      .state_bytes = state.bytes,
      .state_syncs = state.syncs,
      .state_sync_nanoseconds = state.sync_ns,
      .state_queued = state.queued,
      .state_disk_bytes = storage_->state().disk().total(),
      .free_bytes = storage_->free_bytes(),
      .space = static_cast<std::uint64_t>(storage_->space()),
      .clock_jump_ms = static_cast<std::uint64_t>(storage_->clock().excess()),
      .backlog_bytes = static_cast<std::uint64_t>(backlog_bytes),
      .resident_rows = static_cast<std::uint64_t>(resident_rows),
      .exact_filter_bytes = shared_->index.exact_durable().memory(),
      .cache_bytes = storage_->cache_bytes()};
  }
  return all;
}

std::array<hop_snapshot, hop_names.size()> node::hops() const {
  std::array<hop_snapshot, hop_names.size()> all;
  for (const auto& x : shared_->homes)
    for (std::size_t i = 0; i < all.size(); ++i)
      all.at(i).merge(x->numbers().hops.at(i).read());
  return all;
}

node::waiting node::load() const {
  std::array<std::int64_t, 5> all{};
  for (const auto& on : shared_->homes) {
    const auto& x = on->numbers();
    all[0] += x.uncommitted_bytes.load();
    all[1] += x.queued_bytes.load();
    all[2] += x.unsent_bytes.load();
    all[3] += x.blocked.load();
    all[4] += x.overload_level.load();
  }
  const auto at = [&](std::size_t i) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, all.at(i)));
  };
  return {at(0), at(1), at(2), at(3), static_cast<overload_level>(at(4))};
}

std::vector<slow_subscriptions::entry> node::slow_subscribers() {
  std::vector<slow_subscriptions::entry> all;
  std::mutex guard;
  std::size_t most = 0;
  on_all([&](home& on) {
    auto its = on.slow_subs().list(on.now());
    const std::lock_guard lock(guard);
    most = on.slow_subs().options().top;
    std::move(its.begin(), its.end(), std::back_inserter(all));
  });
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.took > b.took;
  });
  if (all.size() > most)
    all.resize(most);
  return all;
}

slow_subs_options node::slow_subs() {
  slow_subs_options now;
  on_all([&](home& on) {
    if (on.index() == 0)
      now = on.slow_subs().options();
  });
  return now;
}

void node::on_all_shards(const std::function<void(topic_shard&)>& f) const {
  on_all([&](home& on) {
    for (auto* x : shared_->shard_actors)
      if (&x->at() == &on)
        f(*x);
  });
}

std::vector<node::pin> node::pins() {
  std::vector<pin> all;
  std::mutex guard;
  on_all_shards([&](const topic_shard& x) {
    const std::lock_guard lock(guard);
    for (const auto& one : x.state().pins())
      all.push_back({x.number(), one});
  });
  std::sort(all.begin(), all.end(), [](const pin& a, const pin& b) {
    return a.what.bytes > b.what.bytes;
  });
  return all;
}

std::vector<node::group> node::groups() {
  std::map<std::pair<std::string, std::string>, group> all;
  std::mutex guard;
  on_all_shards([&](const topic_shard& x) {
    const std::lock_guard lock(guard);
    x.state().for_each_group([&](const cluster::filter_name& name,
                                 std::uint64_t members, bool declared,
                                 std::uint64_t leased) {
      auto& to = all[{name.share_name, name.filter}];
      to.name = name;
      to.members = std::max(to.members, members);
      to.declared |= declared;
      to.leased += leased;
    });
  });
  std::vector<group> made;
  made.reserve(all.size());
  for (auto& [name, x] : all)
    made.push_back(std::move(x));
  return made;
}

std::optional<connection::info> node::client(std::string_view client_id) {
  std::optional<connection::info> found;
  std::mutex guard;
  on_all([&](home& on) {
    on.for_each_connection([&](connection& x) {
      if (const auto* its = x.its_session();
          its != nullptr && its->client_id() == client_id) {
        const std::lock_guard lock(guard);
        found = x.describe();
      }
    });
  });
  return found;
}

} // namespace troupe::actors
