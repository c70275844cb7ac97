// What a shard keeps for those who hold filters in it: sessions and groups.

#include "cluster/shard_state_machine.hpp"
#include "protocol/hash.hpp"

#include <algorithm>
#include <set>

namespace troupe::cluster {

using protocol::drop_reason;

// ---- holders and cursors ---------------------------------------------------

namespace {
std::string row_key(std::string_view share_name, std::string_view filter) {
  return std::string{share_name} + '\0' + std::string{filter};
}
} // namespace

shard_state_machine::filter_row*
shard_state_machine::find_row(std::string_view share_name,
                              std::string_view filter) {
  const auto at = row_ids_.find(row_key(share_name, filter));
  return at == row_ids_.end() ? nullptr : &rows_.at(at->second);
}

void shard_state_machine::set_cursor(filter_row& row, holder& of,
                                     std::uint64_t sequence) {
  if (const auto at = row.cursors.find(of.cursor);
      at != row.cursors.end() && --at->second == 0)
    row.cursors.erase(at);
  of.cursor = sequence;
  ++row.cursors[sequence];
}

void shard_state_machine::on(hold_command& x, time_point) {
  const auto& wanted = x.subscription;
  const auto key = row_key(wanted.share_name, wanted.filter);
  auto at = row_ids_.find(key);
  if (!x.holds) {
    if (at != row_ids_.end())
      remove_holder(x.client_id, rows_.at(at->second), at->second);
    effects_.held(x.who, x.token, sequence_);
    return;
  }
  if (at == row_ids_.end()) {
    at = row_ids_.emplace(key, next_row_++).first;
    auto& made = rows_[at->second];
    made.share_name = wanted.share_name;
    made.filter = wanted.filter;
    filters_.add(wanted.filter, at->second);
  }
  auto& row = rows_.at(at->second);
  auto [place, fresh] = row.holders.try_emplace(x.client_id);
  place->second.options = wanted.options;
  place->second.identifier = wanted.identifier;
  if (fresh) {
    if (wanted.share_name.empty()) {
      place->second.cursor = sequence_;
      ++row.cursors[sequence_];
    }
    held_by_[x.client_id].push_back(at->second);
  }
  effects_.held(x.who, x.token, sequence_);
}

void shard_state_machine::remove_holder(const std::string& client_id,
                                        filter_row& row, std::uint32_t id) {
  const auto at = row.holders.find(client_id);
  if (at == row.holders.end())
    return;
  if (row.share_name.empty())
    if (const auto c = row.cursors.find(at->second.cursor);
        c != row.cursors.end() && --c->second == 0)
      row.cursors.erase(c);
  row.holders.erase(at);
  if (const auto held = held_by_.find(client_id); held != held_by_.end()) {
    std::erase(held->second, id);
    if (held->second.empty())
      held_by_.erase(held);
  }
  if (!row.holders.empty()) {
    if (row.share_name.empty())
      trim(row);
    return;
  }
  if (!row.share_name.empty() && !row.sequences.empty())
    effects_.dropped(drop_reason::session_ended, row.sequences.size());
  for (const auto sequence : row.sequences)
    drop_reference(sequence);
  filters_.remove(row.filter, id);
  row_ids_.erase(row_key(row.share_name, row.filter));
  rows_.erase(id);
}

void shard_state_machine::on(advance_command& x, time_point) {
  const auto held = held_by_.find(x.client_id);
  if (held == held_by_.end())
    return;
  for (const auto id : held->second) {
    auto& row = rows_.at(id);
    if (!row.share_name.empty())
      continue;
    auto& of = row.holders.at(x.client_id);
    if (of.cursor < x.sequence) {
      set_cursor(row, of, x.sequence);
      trim(row);
    }
  }
}

void shard_state_machine::on(fetch_read& x, time_point now) {
  fetched_page page;
  page.shard = options_.shard;
  page.up_to = sequence_;
  page.complete = true;
  const auto held = held_by_.find(x.client_id);
  if (held == held_by_.end()) {
    effects_.fetched(x.who, std::move(page));
    return;
  }
  // Overlapping filters merge by sequence: one delivery with the highest QoS
  // and all Subscription Identifiers [MQTT-3.3.4-2, -3].
  const auto self = protocol::hash64(x.client_id);
  std::map<std::uint64_t, protocol::outbound> merged;
  std::set<std::uint64_t> expired;
  for (const auto id : held->second) {
    const auto& row = rows_.at(id);
    if (!row.share_name.empty())
      continue;
    const auto& of = row.holders.at(x.client_id);
    const auto after = std::max(x.after, of.cursor);
    std::size_t taken = 0;
    for (auto at =
           std::upper_bound(row.sequences.begin(), row.sequences.end(), after);
         at != row.sequences.end(); ++at) {
      const auto& message = messages_.at(*at).message;
      if (message->expired(now)) {
        expired.insert(*at);
        continue;
      }
      if (of.options.no_local && message->publisher() == self)
        continue;
      if (taken++ > x.limit)
        break;
      auto [place, fresh] = merged.try_emplace(*at);
      auto& out = place->second;
      const auto granted = std::min(message->qos(), of.options.maximum_qos);
      if (fresh) {
        out.message = message;
        out.position = {options_.shard, *at};
        out.qos = granted;
        out.subscription_identifier = of.identifier;
        out.retain = of.options.retain_as_published && message->retain();
        continue;
      }
      out.qos = std::max(out.qos, granted);
      out.retain |= of.options.retain_as_published && message->retain();
      if (of.identifier != 0 && out.subscription_identifier == 0) {
        out.subscription_identifier = of.identifier;
      } else if (of.identifier != 0) {
        if (!out.more_identifiers)
          out.more_identifiers = std::make_unique<std::vector<std::uint32_t>>();
        out.more_identifiers->push_back(of.identifier);
      }
    }
  }
  if (merged.size() > x.limit) {
    const auto cut =
      std::next(merged.begin(), static_cast<std::ptrdiff_t>(x.limit));
    merged.erase(cut, merged.end());
    page.complete = false;
    page.up_to = std::prev(merged.end())->first;
  }
  // What lies behind this page is looked at again with the next one.
  expired.erase(expired.upper_bound(page.up_to), expired.end());
  if (!expired.empty())
    effects_.dropped(drop_reason::expired, expired.size());
  for (auto& [sequence, out] : merged)
    page.messages.push_back(std::move(out));
  effects_.fetched(x.who, std::move(page));
}

// ---- groups ----------------------------------------------------------------

void shard_state_machine::on(group_presence_command& x, time_point) {
  auto* row = find_row(x.share_name, x.filter);
  if (row == nullptr)
    return;
  std::erase(row->online, x.who);
  if (!x.online)
    return;
  row->online.push_back(x.who);
  hand_out(*row);
}

void shard_state_machine::hand_out(filter_row& row) {
  const auto waiting = std::exchange(row.sequences, {});
  for (const auto sequence : waiting) {
    const auto at = messages_.find(sequence);
    if (at == messages_.end())
      continue;
    effects_.route_to_group(row.share_name, row.filter, at->second.message);
    drop_reference(sequence);
  }
}

void shard_state_machine::retry_group(std::string_view key,
                                      std::uint64_t timer) {
  const auto at = row_ids_.find(std::string{key});
  if (at == row_ids_.end() || rows_.at(at->second).retry_timer != timer)
    return;
  auto& row = rows_.at(at->second);
  row.retry_timer = 0;
  if (!row.online.empty())
    hand_out(row);
}

bool shard_state_machine::keeps_for_group(std::string_view share_name,
                                          std::string_view filter) const {
  return !rows_.empty()
         && row_ids_.find(row_key(share_name, filter)) != row_ids_.end();
}

void shard_state_machine::on(group_return_command& x, time_point now) {
  auto* row = find_row(x.share_name, x.filter);
  if (row == nullptr || row->holders.empty()) {
    effects_.dropped(drop_reason::session_ended, 1);
    return;
  }
  // Live members may all be full: they are asked again, but not at once.
  if (!row->online.empty() && row->retry_timer == 0)
    row->retry_timer = set_timer(
      now + std::chrono::seconds{1},
      {timer_row::kind::group_retry, 0, row_key(x.share_name, x.filter), {}});
  // It keeps its place before what came later only roughly: a sequence of its
  // own puts it behind what waits, as a redelivery is.
  store(*row, ++sequence_, x.message);
  make_room();
}

} // namespace troupe::cluster
