// The state of a shard as rows: what changed, and putting it back.

#include "cluster/shard_state_machine.hpp"
#include "protocol/topic.hpp"

#include <algorithm>

namespace troupe::cluster {

namespace {

template <class Map, class Key>
auto* row_or_null(const Map& rows, const Key& key) {
  const auto at = rows.find(key);
  return at == rows.end() ? nullptr : &at->second;
}

} // namespace

// ---- what changed ----------------------------------------------------------

std::size_t shard_state_machine::change_count() const noexcept {
  return changed_.sessions.size() + changed_.filters.size()
         + changed_.holders.size() + changed_.messages.size()
         + changed_.retained.size() + changed_.delayed.size()
         + changed_.outbox.size() + changed_.inbound.size();
}

void shard_state_machine::take_changes(std::uint64_t index, row_writer& to) {
  const auto changed = std::exchange(changed_, {});
  at_.index = index;
  to.applied(at_);
  for (const auto& id : changed.sessions)
    to.session(id, row_or_null(sessions_, id));
  for (const auto id : changed.filters) {
    const auto* row = row_or_null(rows_, id);
    to.filter(id, row == nullptr ? nullptr : &row->name);
  }
  for (const auto& [id, client] : changed.holders) {
    const auto* row = row_or_null(rows_, id);
    to.holder(id, client,
              row == nullptr ? nullptr : row_or_null(row->holders, client));
  }
  for (const auto sequence : changed.messages)
    to.message(sequence, row_or_null(messages_, sequence));
  for (auto at = messages_.upper_bound(written_.sequence);
       at != messages_.end(); ++at)
    to.message(at->first, &at->second);
  for (const auto& key : changed.retained)
    to.retained(key, retained_.find(key));
  for (const auto& key : changed.delayed)
    to.delayed(key.first, key.second, row_or_null(delayed_, key));
  for (const auto& key : changed.outbox)
    to.outbox(key.first, key.second, row_or_null(outbox_, key));
  for (const auto& [key, x] : outbox_)
    if (key.second > sequence_of(written_.forwarded, key.first))
      to.outbox(key.first, key.second, &x);
  for (const auto& key : changed.inbound)
    to.inbound(key.first, key.second, row_or_null(inbound_, key));
  written_ = at_;
}

// ---- putting it back -------------------------------------------------------

void shard_state_machine::load(const applied_row& x) { written_ = at_ = x; }

void shard_state_machine::load_session(const std::string& client_id,
                                       session_row&& x) {
  if (x.expires != never)
    deadlines_.emplace(x.expires, client_id, true);
  if (x.will_due != never)
    deadlines_.emplace(x.will_due, client_id, false);
  for (const auto& y : x.record->subscriptions)
    if (y.exclusive)
      effects_.exclusive_kept(client_id, y.filter, true);
  offline_count_ += x.owned ? 0 : 1;
  sessions_.insert_or_assign(client_id, std::move(x));
}

void shard_state_machine::load_filter(std::uint32_t id, filter_name&& x) {
  filters_.add(x.filter, id);
  row_ids_.emplace(row_key(x.share_name, x.filter), id);
  effects_.filter_kept(x.share_name, x.filter, true);
  rows_[id].name = std::move(x);
}

void shard_state_machine::load_holder(std::uint32_t filter,
                                      const std::string& client_id,
                                      const holder_row& x) {
  auto& row = rows_.at(filter);
  row.holders.emplace(client_id, x);
  if (!row.shared())
    ++row.cursors[x.cursor];
  held_by_[client_id].push_back(filter);
}

void shard_state_machine::load_message(std::uint64_t sequence,
                                       message_row&& x) {
  // Sessions' filters are not taken out of a row one by one.
  const auto gone = [&](std::uint32_t id) {
    const auto at = rows_.find(id);
    if (at == rows_.end())
      return true;
    const auto& row = at->second;
    return !row.shared()
           && (row.cursors.empty() || sequence <= row.cursors.begin()->first);
  };
  x.filters.erase(std::remove_if(x.filters.begin(), x.filters.end(), gone),
                  x.filters.end());
  if (x.filters.empty()) {
    mark(changed_.messages, sequence);
    return;
  }
  for (const auto id : x.filters)
    rows_.at(id).sequences.push_back(sequence);
  stored_bytes_ += x.message->memory();
  messages_.insert_or_assign(messages_.end(), sequence, std::move(x));
}

void shard_state_machine::load_retained(retained_row&& x) {
  count_retained([&] { retained_.put(x.message, x.sequence); });
}

void shard_state_machine::load_delayed(time_point due, std::uint64_t id,
                                       message_row&& x) {
  delayed_.insert_or_assign({due, id}, std::move(x));
}

void shard_state_machine::load_outbox(std::uint16_t to, forward_command&& x) {
  const auto sequence = x.sequence;
  outbox_.insert_or_assign({to, sequence}, std::move(x));
}

void shard_state_machine::load_inbound(const std::string& client_id,
                                       std::uint16_t identifier,
                                       std::uint64_t incarnation) {
  inbound_.insert_or_assign({client_id, identifier}, incarnation);
}

} // namespace troupe::cluster
