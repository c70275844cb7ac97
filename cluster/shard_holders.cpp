// Who holds which filter, and how far they have come.

#include "cluster/shard_state_machine.hpp"

#include <algorithm>
#include <limits>

namespace troupe::cluster {

// ---- filters ---------------------------------------------------------------

std::string shard_state_machine::row_key(const filter_name& name) {
  return name.by_topic() ? name.filter : row_key(name.share_name, name.filter);
}

std::string shard_state_machine::row_key(std::string_view share_name,
                                         std::string_view filter) {
  std::string key;
  key.reserve(share_name.size() + 1 + filter.size());
  return key.append(share_name).append(1, '\0').append(filter);
}

shard_state_machine::filter_state*
shard_state_machine::find_group(std::string_view share_name,
                                std::string_view filter) {
  return filters_.find(row_key(share_name, filter));
}

bool shard_state_machine::keeps_for_group(std::string_view share_name,
                                          std::string_view filter) const {
  return filters_.peek(row_key(share_name, filter)) != nullptr;
}

/// Whatever is not a part of the row, of one that has come into memory.
void shard_state_machine::remember(filter_state& x) {
  x.serial = ++last_serial_;
  by_id_[x.row.id] = &x;
  if (!x.name.by_topic())
    definitions_.add(x.name.filter, x.row.id);
  if (x.shared())
    x.group = std::make_unique<group_state>();
}

shard_state_machine::filter_state&
shard_state_machine::make_filter(const filter_name& name) {
  auto& made = filters_.change(row_key(name));
  made.name = name;
  made.row.id = at_.next_filter++;
  remember(made);
  if (name.by_topic() && options_.exact_filters != nullptr)
    options_.exact_filters->add(name.filter);
  if (made.shared()) {
    made.group->up_to = made.group->handed = at_.sequence;
    made.group->drained = true;
    note(changed_groups_, made.row.id);
  }
  effects_.filter_kept(name.share_name, name.filter, true);
  return made;
}

void shard_state_machine::remove_filter(filter_state& row) {
  if (row.shared()) {
    const auto waiting = static_cast<std::size_t>(std::count_if(
      row.sequences.begin(), row.sequences.end(),
      [&](std::uint64_t x) { return !row.group->leased.contains(x); }));
    if (waiting != 0)
      effects_.dropped(protocol::drop_reason::session_ended, waiting);
    changed_groups_.erase(row.row.id);
    note(removed_groups_, row.row.id);
  }
  const auto id = row.row.id;
  for (const auto sequence : row.sequences)
    drop_reference(id, sequence);
  clean(row, std::numeric_limits<std::uint64_t>::max());
  if (!row.name.by_topic())
    definitions_.remove(row.name.filter, id);
  by_id_.erase(id);
  const auto name = std::move(row.name);
  filters_.erase(row_key(name));
  effects_.filter_kept(name.share_name, name.filter, false);
}

// ---- holders ---------------------------------------------------------------

holder_rows::one* shard_state_machine::find_holder(holder_rows& in,
                                                   std::uint32_t filter) {
  const auto at = std::lower_bound(
    in.all.begin(), in.all.end(), filter,
    [](const auto& x, std::uint32_t id) { return x.filter < id; });
  return at == in.all.end() || at->filter != filter || at->gone ? nullptr
                                                                : &*at;
}

void shard_state_machine::count_cursor(filter_state& row, holder_rows::one& of,
                                       std::uint64_t before,
                                       std::uint64_t after) {
  if (row.shared())
    return;
  if (of.counted_in == row.serial) {
    if (const auto at = row.cursors.find(before); --at->second == 0)
      row.cursors.erase(at);
  } else {
    of.counted_in = row.serial;
    ++row.counted;
  }
  ++row.cursors[after];
}

void shard_state_machine::uncount_cursor(const holder_rows& of,
                                         const holder_rows::one& one) {
  const auto at = by_id_.find(one.filter);
  if (at == by_id_.end() || at->second->serial != one.counted_in)
    return;
  auto& row = *at->second;
  if (const auto c = row.cursors.find(of.done(one)); --c->second == 0)
    row.cursors.erase(c);
  --row.counted;
}

void shard_state_machine::on(hold_command& x, time_point) {
  const auto& wanted = x.subscription;
  const filter_name name{wanted.share_name, wanted.filter};
  auto* row = filters_.find(row_key(name));
  if (!x.holds) {
    if (row != nullptr)
      remove_holder(x.client_id, *row);
    effects_.held(x.who, x.token, at_.sequence);
    return;
  }
  if (row == nullptr)
    row = &make_filter(name);
  auto& held = holders_.change(x.client_id);
  auto* one = find_holder(held, row->row.id);
  if (one == nullptr) {
    const auto at = std::lower_bound(
      held.all.begin(), held.all.end(), row->row.id,
      [](const auto& y, std::uint32_t id) { return y.filter < id; });
    if (at != held.all.end() && at->filter == row->row.id)
      *at = {row->row.id, {}, 0, false, false}; // it went and comes again
    one = at != held.all.end() && at->filter == row->row.id
            ? &*at
            : &*held.all.insert(at, {row->row.id, {}, 0, false, false});
    one->row.start = at_.sequence;
    ++filters_.change(row_key(row->name)).row.holders;
    count_cursor(*row, *one, 0, held.done(*one));
  }
  if (x.client_id == declared_holder && row->shared()
      && !std::exchange(row->group->declared, true))
    note(changed_groups_, row->row.id);
  one->row.options = wanted.options;
  one->row.identifier = wanted.identifier;
  one->dirty = true;
  effects_.held(x.who, x.token, at_.sequence);
}

void shard_state_machine::remove_holder(const std::string& client_id,
                                        filter_state& row) {
  auto* held = holders_.find(client_id);
  auto* one = held == nullptr ? nullptr : find_holder(*held, row.row.id);
  if (one == nullptr)
    return;
  holders_.change(client_id);
  uncount_cursor(*held, *one);
  one->counted_in = 0;
  if (client_id == declared_holder && row.shared()
      && std::exchange(row.group->declared, false))
    note(changed_groups_, row.row.id);
  one->gone = one->dirty = true;
  filters_.change(row_key(row.name));
  if (--row.row.holders == 0)
    remove_filter(row);
  else if (!row.shared())
    trim(row);
}

void shard_state_machine::on(advance_command& x, time_point) {
  auto* node = holders_.find_node(x.client_id);
  const auto to = std::min(x.sequence, at_.sequence);
  if (node == nullptr || to <= node->second.row->cursor)
    return;
  holders_.changed(*node);
  auto* held = &*node->second.row;
  const auto from = std::exchange(held->cursor, to);
  held->cursor_dirty = true;
  for (auto& one : held->all) {
    const auto at = by_id_.find(one.filter);
    if (one.gone || at == by_id_.end() || at->second->shared())
      continue;
    count_cursor(*at->second, one, std::max(one.row.start, from),
                 held->done(one));
    trim(*at->second);
  }
}

} // namespace troupe::cluster
