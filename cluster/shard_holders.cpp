// What a shard keeps for those who hold filters in it: sessions and groups.

#include "cluster/shard_state_machine.hpp"
#include "protocol/hash.hpp"

#include <algorithm>
#include <set>

namespace troupe::cluster {

using protocol::drop_reason;

// ---- holders and cursors ---------------------------------------------------

std::string shard_state_machine::row_key(std::string_view share_name,
                                         std::string_view filter) {
  return std::string{share_name} + '\0' + std::string{filter};
}

shard_state_machine::filter_row*
shard_state_machine::find_row(std::string_view share_name,
                              std::string_view filter, std::uint32_t* id) {
  const auto at = row_ids_.find(row_key(share_name, filter));
  if (at == row_ids_.end())
    return nullptr;
  if (id != nullptr)
    *id = at->second;
  return &rows_.at(at->second);
}

void shard_state_machine::set_cursor(filter_row& row, holder_row& of,
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
      remove_holder(x.client_id, at->second);
    effects_.held(x.who, x.token, at_.sequence);
    return;
  }
  if (at == row_ids_.end()) {
    at = row_ids_.emplace(key, at_.next_filter++).first;
    rows_[at->second].name = {wanted.share_name, wanted.filter};
    filters_.add(wanted.filter, at->second);
    mark(changed_.filters, at->second);
    effects_.filter_kept(wanted.share_name, wanted.filter, true);
  }
  auto& row = rows_.at(at->second);
  auto [place, fresh] = row.holders.try_emplace(x.client_id);
  place->second.options = wanted.options;
  place->second.identifier = wanted.identifier;
  mark(changed_.holders, at->second, x.client_id);
  if (fresh) {
    place->second.cursor = at_.sequence;
    if (!row.shared())
      ++row.cursors[at_.sequence];
    held_by_[x.client_id].push_back(at->second);
  }
  effects_.held(x.who, x.token, at_.sequence);
}

void shard_state_machine::remove_holder(const std::string& client_id,
                                        std::uint32_t id) {
  auto& row = rows_.at(id);
  const auto at = row.holders.find(client_id);
  if (at == row.holders.end())
    return;
  if (!row.shared())
    if (const auto c = row.cursors.find(at->second.cursor);
        c != row.cursors.end() && --c->second == 0)
      row.cursors.erase(c);
  row.holders.erase(at);
  mark(changed_.holders, id, client_id);
  if (const auto held = held_by_.find(client_id); held != held_by_.end()) {
    std::erase(held->second, id);
    if (held->second.empty())
      held_by_.erase(held);
  }
  if (!row.holders.empty()) {
    if (!row.shared())
      trim(id, row);
    return;
  }
  if (row.shared() && row.sequences.size() > row.leased.size())
    effects_.dropped(drop_reason::session_ended,
                     row.sequences.size() - row.leased.size());
  for (const auto sequence : row.sequences)
    drop_reference(id, sequence);
  const auto name = std::move(row.name);
  filters_.remove(name.filter, id);
  row_ids_.erase(row_key(name.share_name, name.filter));
  rows_.erase(id);
  mark(changed_.filters, id);
  effects_.filter_kept(name.share_name, name.filter, false);
}

void shard_state_machine::on(advance_command& x, time_point) {
  const auto held = held_by_.find(x.client_id);
  if (held == held_by_.end())
    return;
  for (const auto id : held->second) {
    auto& row = rows_.at(id);
    if (row.shared())
      continue;
    auto& of = row.holders.at(x.client_id);
    if (of.cursor < x.sequence) {
      set_cursor(row, of, std::min(x.sequence, at_.sequence));
      mark(changed_.holders, id, x.client_id);
      trim(id, row);
    }
  }
}

void shard_state_machine::on(fetch_read& x, time_point now) {
  fetched_page page;
  page.shard = options_.shard;
  page.up_to = at_.sequence;
  page.complete = true;
  page.only = !x.only.empty();
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
    if (row.shared())
      continue;
    const auto& of = row.holders.at(x.client_id);
    const auto after = std::max(x.after, of.cursor);
    std::size_t taken = 0;
    for (auto at =
           std::upper_bound(row.sequences.begin(), row.sequences.end(), after);
         at != row.sequences.end(); ++at) {
      if (page.only && !std::binary_search(x.only.begin(), x.only.end(), *at))
        continue;
      const auto& message = messages_.at(*at).message;
      if (!page.only && message->expired(now)) {
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

void shard_state_machine::on(group_online_command& x, time_point) {
  if (auto* row = find_row(x.share_name, x.filter))
    hand_out(*row);
}

void shard_state_machine::lease(filter_row& row, std::uint64_t sequence,
                                const message_ptr& message) {
  row.leased.insert(sequence);
  effects_.route_to_group(row.name.share_name, row.name.filter, message,
                          {options_.shard, sequence});
}

void shard_state_machine::hand_out(filter_row& row) {
  if (row.leased.size() == row.sequences.size() || !has_live_member(row))
    return;
  const auto waiting = row.sequences;
  for (const auto sequence : waiting)
    if (row.leased.find(sequence) == row.leased.end())
      lease(row, sequence, messages_.at(sequence).message);
}

bool shard_state_machine::keeps_for_group(std::string_view share_name,
                                          std::string_view filter) const {
  return !rows_.empty()
         && row_ids_.find(row_key(share_name, filter)) != row_ids_.end();
}

void shard_state_machine::on(group_done_command& x, time_point) {
  if (x.who)
    effects_.group_taken(x.who, x.packet_identifier);
  std::uint32_t id = 0;
  auto* row = find_row(x.share_name, x.filter, &id);
  if (row == nullptr)
    return;
  row->leased.erase(x.sequence);
  const auto at =
    std::lower_bound(row->sequences.begin(), row->sequences.end(), x.sequence);
  if (at == row->sequences.end() || *at != x.sequence)
    return;
  row->sequences.erase(at);
  drop_reference(id, x.sequence);
}

void shard_state_machine::on(group_return_command& x, time_point now) {
  std::uint32_t id = 0;
  auto* row = find_row(x.share_name, x.filter, &id);
  if (row == nullptr || row->holders.empty()) {
    effects_.dropped(drop_reason::session_ended, 1);
    return;
  }
  const bool here = x.sequence != 0
                    && std::binary_search(row->sequences.begin(),
                                          row->sequences.end(), x.sequence);
  if (here) {
    row->leased.erase(x.sequence);
  } else {
    // A sequence of its own puts it behind what waits, as a redelivery is.
    store(id, *row, ++at_.sequence, x.message);
    make_room();
  }
  // Live members may all be full: they are asked again, but not at once.
  if (has_live_member(*row) && !std::exchange(row->waits, true))
    group_retries_.emplace(now + std::chrono::seconds{1}, id);
}

} // namespace troupe::cluster
