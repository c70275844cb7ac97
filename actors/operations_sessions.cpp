// Durable sessions that nobody is connected with.

#include "actors/node_storage.hpp"
#include "actors/operations.hpp"
#include "actors/topic_shard.hpp"
#include "cluster/row_codec.hpp"
#include "storage/keys.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_set>

namespace troupe::actors {

namespace {

/// One session's row of the state database.
struct session_target final : cluster::row_target {
  std::string client_id;
  std::optional<cluster::session_row> row;
  void load_session(const std::string& id, cluster::session_row&& x) override {
    client_id = id;
    row = std::move(x);
  }
};

constexpr auto session_family =
  static_cast<std::uint8_t>(cluster::row_family::session);

} // namespace

operations::offline_session
operations::describe(const std::string& client_id,
                     const cluster::session_row& row) const {
  offline_session x;
  x.client_id = client_id;
  x.expiry_interval = row.expiry_interval;
  if (row.expires != cluster::never)
    x.expires_in = std::max(std::chrono::seconds{0},
                            std::chrono::duration_cast<std::chrono::seconds>(
                              row.expires - shared_.options.world.now()));
  x.has_will = row.will != nullptr;
  if (row.record) {
    x.subscriptions = row.record->subscriptions;
    x.cursors = row.record->cursors;
    x.kept = row.record->kept.size();
    x.in_flight = row.record->outbound.size();
    for (const auto& one : row.record->kept)
      if (one.packet_identifier != 0)
        ++x.in_flight;
  }
  return x;
}

std::optional<operations::offline_session>
operations::offline(const std::string& client_id) {
  const auto shard =
    cluster::shard_of(client_id, shared_.options.actors.shards);
  std::optional<offline_session> found;
  bool known = false;
  on_all([&](home& on) {
    const auto& its = *shared_.shard_actors[shard];
    if (&its.at() != &on)
      return;
    const auto row = its.state().resident_session(client_id);
    known = row.has_value();
    if (row && *row != nullptr && !(*row)->owned)
      found = describe(client_id, **row);
  });
  if (known || of_.storage() == nullptr)
    return found;
  const auto key = cluster::session_key(shard, client_id);
  const auto value = of_.storage()->state().get(session_family, key);
  if (!value)
    return std::nullopt;
  session_target one;
  cluster::load_row(cluster::row_family::session, key, *value, shard,
                    of_.storage()->times(), one);
  if (one.row && !one.row->owned)
    found = describe(client_id, *one.row);
  return found;
}

void operations::for_each_offline(
  const std::function<void(offline_session&&)>& use) {
  for (std::size_t i = 0; i < shared_.shard_actors.size(); ++i) {
    const auto shard = static_cast<std::uint16_t>(i);
    std::vector<offline_session> here;
    std::unordered_set<std::string> known;
    on_all([&](home& on) {
      const auto& its = *shared_.shard_actors[shard];
      if (&its.at() != &on)
        return;
      its.state().for_each_resident_session(
        [&](const std::string& id, const cluster::session_row* row) {
          if (of_.storage() != nullptr)
            known.insert(id);
          if (row != nullptr && !row->owned)
            here.push_back(describe(id, *row));
        });
    });
    for (auto& x : here)
      use(std::move(x));
    if (of_.storage() == nullptr)
      continue;
    // What is in memory is newer than what the disk has.
    const cluster::stored_rows disk(of_.storage()->state());
    const auto prefix = storage::key_of(shard);
    const auto rows = disk.open(cluster::row_family::session, prefix);
    for (rows->seek(prefix); rows->valid(); rows->next()) {
      if (shared_.no_more_questions.load())
        return;
      session_target one;
      cluster::load_row(cluster::row_family::session, rows->key(),
                        rows->value(), shard, of_.storage()->times(), one);
      if (one.row && !one.row->owned && !known.contains(one.client_id))
        use(describe(one.client_id, *one.row));
    }
  }
}

operations::waiting_messages operations::waiting_for(const offline_session& who,
                                                     std::size_t most) {
  waiting_messages found;
  std::vector<std::uint16_t> shards;
  for (const auto& x : who.subscriptions)
    if (x.held() && x.share_name.empty())
      cluster::for_each_shard_of(
        x.filter, shared_.options.actors.shards, [&](std::uint16_t shard) {
          if (std::find(shards.begin(), shards.end(), shard) == shards.end())
            shards.push_back(shard);
        });
  for (const auto shard : shards) {
    if (found.count >= most) {
      found.more = true;
      break;
    }
    std::uint64_t after = 0;
    for (const auto& x : who.cursors)
      if (x.shard == shard)
        after = x.sequence;
    const auto limit = most - found.count;
    const auto said = ask(0, [=, id = who.client_id](home& on, client_ref me) {
      cluster::fetch_read what;
      what.client_id = id;
      what.who = me;
      what.after = after;
      what.limit = limit;
      on.to_shard(shard, std::move(what));
    });
    const auto* page =
      said ? std::get_if<std::unique_ptr<cluster::fetched_page>>(&*said)
           : nullptr;
    if (page == nullptr) {
      found.more = true;
      break;
    }
    found.count += (*page)->messages.size();
    found.more |= !(*page)->complete;
  }
  return found;
}

operations::outcome operations::end_session(const std::string& client_id) {
  if (!offline(client_id))
    return outcome::none;
  // As a CONNECT with Clean Start that leaves at once. It goes on by itself,
  // so a late answer does not leave an owner that nobody knows.
  const auto said = ask(
    0,
    [client_id](home& on, client_ref who) {
      cluster::claim_command claim;
      claim.client_id = client_id;
      claim.who = who;
      on.to_shard(on.shard_of(client_id), std::move(claim));
    },
    [client_id](home& on, client_ref who, client_event& what) {
      const auto* grant =
        std::get_if<std::unique_ptr<cluster::claim_granted>>(&what);
      if (grant == nullptr)
        return std::holds_alternative<eviction>(what);
      const auto shard = on.shard_of(client_id);
      cluster::release_command release;
      release.client_id = client_id;
      release.who = who;
      release.epoch = (*grant)->epoch;
      on.to_shard(shard, std::move(release));
      cluster::retained_read behind; // answered when that is committed
      behind.filter = client_id;
      behind.who = who;
      behind.limit = 1;
      on.to_shard(shard, std::move(behind));
      return true;
    });
  if (!said)
    return outcome::late;
  return std::holds_alternative<std::unique_ptr<cluster::retained_page>>(*said)
           ? outcome::done
           : outcome::late;
}

} // namespace troupe::actors
