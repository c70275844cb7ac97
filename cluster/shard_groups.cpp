// What a shard keeps for durable shared groups, and to whom it gives it.

#include "cluster/shard_state_machine.hpp"

#include <algorithm>

namespace troupe::cluster {

using protocol::drop_reason;

namespace {

/// So many messages of a group are read of the disk at once, and so many are
/// finished one by one until that is summed up.
constexpr std::size_t group_page = 256;

} // namespace

void shard_state_machine::on(group_online_command& x, time_point) {
  if (auto* row = find_group(x.share_name, x.filter))
    hand_out(*row, most_leased);
}

void shard_state_machine::lease(filter_state& row, std::uint64_t sequence,
                                const message_ptr& message) {
  row.group->leased.insert(sequence);
  effects_.route_to_group(row.name.share_name, row.name.filter, message,
                          {options_.shard, sequence});
}

/// Gives what waits to live members: `most`, and no more than may be with them
/// at once.
void shard_state_machine::hand_out(filter_state& row, std::size_t most) {
  auto& group = *row.group;
  if (group.reading || !has_live_member(row))
    return;
  most =
    std::min(most, most_leased - std::min(most_leased, group.leased.size()));
  if (group.handed < floor_) { // some of it may be on the disk alone
    group.drained = false;
    if (most == 0)
      return;
    backlog_wants wants;
    wants.token = ++last_token_;
    wants.filters.push_back({row.row.id, group.handed});
    wants.up_to = floor_;
    wants.limit = std::min(most, group_page);
    group.reading = true;
    reading_.emplace(wants.token, handing_out{row.row.id, floor_, most});
    effects_.read(std::move(wants));
    return;
  }
  auto at =
    std::upper_bound(row.sequences.begin(), row.sequences.end(), group.handed);
  for (; at != row.sequences.end() && most != 0; ++at) {
    group.handed = *at;
    if (group.finished(*at) || group.leased.contains(*at))
      continue;
    lease(row, *at, messages_.find(*at)->value.message);
    --most;
  }
  group.drained = at == row.sequences.end();
}

void shard_state_machine::hand_out_page(filter_state& row,
                                        backlog_finds&& found,
                                        std::uint64_t floor, std::size_t most) {
  auto& group = *row.group;
  group.reading = false;
  if (!has_live_member(row))
    return;
  for (const auto& x : found.messages) {
    if (most == 0)
      return; // `drained` is false: it is read again
    if (x.sequence <= group.handed)
      continue; // it went back meanwhile
    group.handed = x.sequence;
    if (group.finished(x.sequence) || group.leased.contains(x.sequence))
      continue;
    lease(row, x.sequence, x.message);
    --most;
  }
  group.handed = std::max(group.handed, found.more ? found.up_to : floor);
  hand_out(row, most);
}

/// A message is with its member for good.
void shard_state_machine::finish(filter_state& row, std::uint64_t sequence) {
  auto& group = *row.group;
  group.leased.erase(sequence);
  if (group.finished(sequence) || sequence > at_.sequence)
    return;
  group.finish(sequence);
  note(changed_groups_, row.row.id);
  if (const auto at =
        std::lower_bound(row.sequences.begin(), row.sequences.end(), sequence);
      at != row.sequences.end() && *at == sequence) {
    row.sequences.erase(at);
    drop_reference(row.row.id, sequence);
  }
}

/// So that what is finished need not be remembered one by one.
void shard_state_machine::sum_up(filter_state& row, std::size_t at_least) {
  auto& group = *row.group;
  if (group.done.size() < at_least || group.handed <= group.up_to)
    return;
  std::vector<std::uint64_t> open;
  for (const auto x : group.leased)
    if (x <= group.handed && !group.finished(x))
      open.push_back(x);
  std::sort(open.begin(), open.end());
  if (at_least == group_page && open.size() > group.done.size())
    return; // it would not be shorter
  effects_.propose_next(group_cursor_command{
    row.name.share_name, row.name.filter, group.handed, std::move(open)});
}

void shard_state_machine::on(group_done_command& x, time_point) {
  if (x.who)
    effects_.group_taken(x.who, x.packet_identifier);
  auto* row = find_group(x.share_name, x.filter);
  if (row == nullptr)
    return;
  finish(*row, x.sequence);
  sum_up(*row, group_page);
  auto& group = *row->group;
  if (group.waits) // one has room again: so it is tried with one
    hand_out(*row, 1);
  else if (!group.drained && group.leased.size() <= most_leased / 2)
    hand_out(*row, most_leased);
}

void shard_state_machine::on(group_cursor_command& x, time_point) {
  auto* row = find_group(x.share_name, x.filter);
  if (row == nullptr || x.up_to <= row->group->up_to)
    return;
  auto& group = *row->group;
  std::set<std::uint64_t> open;
  for (const auto sequence : x.open)
    if (!group.finished(sequence))
      open.insert(sequence);
  group.open = std::move(open);
  group.up_to = x.up_to;
  group.done.erase(group.done.begin(), group.done.upper_bound(x.up_to));
  note(changed_groups_, row->row.id);
  clean(*row, group.open.empty() ? group.up_to : *group.open.begin() - 1);
}

void shard_state_machine::on(group_return_command& x, time_point now) {
  auto* row = find_group(x.share_name, x.filter);
  if (row == nullptr) {
    effects_.dropped(drop_reason::session_ended, 1);
    return;
  }
  auto& group = *row->group;
  if (x.sequence != 0 && x.sequence <= at_.sequence
      && !group.finished(x.sequence)) {
    group.leased.erase(x.sequence);
    group.handed = std::min(group.handed, x.sequence - 1);
    group.drained = false;
  } else {
    // A sequence of its own puts it behind what waits, as a redelivery is.
    store(*row, ++at_.sequence, x.message);
    make_room();
    group.drained = false;
  }
  // Live members may all be full: they are asked again, but not at once.
  if (has_live_member(*row) && !std::exchange(group.waits, true))
    group_retries_.emplace(now + std::chrono::seconds{1}, row->row.id);
}

void shard_state_machine::retry_groups(time_point now) {
  while (!group_retries_.empty() && group_retries_.begin()->first <= now) {
    const auto at = by_id_.find(group_retries_.begin()->second);
    group_retries_.erase(group_retries_.begin());
    if (at == by_id_.end() || !at->second->shared())
      continue;
    at->second->group->waits = false;
    hand_out(*at->second, group_page);
  }
}

} // namespace troupe::cluster
