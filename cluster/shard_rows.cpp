// The state of a shard as rows: what changed, and what is always in memory.

#include "cluster/shard_state_machine.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace troupe::cluster {

namespace {

template <class Map, class Key>
auto* row_or_null(const Map& rows, const Key& key) {
  const auto at = rows.find(key);
  return at == rows.end() ? nullptr : &at->second;
}

/// The two parts of a key that are separated by U+0000.
std::pair<std::string, std::string> parts_of(const std::string& key) {
  const auto end = key.find('\0');
  return {key.substr(0, end), key.substr(end + 1)};
}

void write_holders(const std::string& client_id,
                   std::optional<holder_rows>& held, row_writer& to) {
  for (auto& one : held->all)
    if (std::exchange(one.dirty, false))
      to.holder(client_id, one.filter, one.gone ? nullptr : &one.row);
  std::erase_if(held->all, [](const auto& one) { return one.gone; });
  if (held->all.empty()) {
    to.holder_cursor(client_id, nullptr);
    held.reset();
  } else if (std::exchange(held->cursor_dirty, false)) {
    to.holder_cursor(client_id, &held->cursor);
  }
}

} // namespace

// ---- what changed ----------------------------------------------------------

std::size_t shard_state_machine::change_count() const noexcept {
  return sessions_.change_count() + owned_.change_count()
         + filters_.change_count() + holders_.change_count()
         + retained_.change_count() + timers_.change_count()
         + changed_groups_.size() + changed_outbox_.size()
         + changed_inbound_.size() + cleaned_.pages.size()
         + cleaned_.messages.size();
}

void shard_state_machine::take_changes(std::uint64_t index, row_writer& to) {
  sessions_.take_changes(index, [&](const std::string& id, auto& row) {
    to.session(id, row ? &*row : nullptr);
  });
  owned_.take_changes(index, [&](const std::string& id, const auto& row) {
    to.owned(id, row.has_value());
  });
  filters_.take_changes(index, [&](const std::string& key, const auto& row) {
    filter_name name{{}, key};
    if (key.find('\0') != std::string::npos)
      std::tie(name.share_name, name.filter) = parts_of(key);
    to.filter(name, row ? &row->row : nullptr);
  });
  holders_.take_changes(index, [&](const std::string& id, auto& held) {
    if (held)
      write_holders(id, held, to);
  });
  retained_.take_changes(index, [&](const std::string& key, const auto& row) {
    to.retained(key, row ? &*row : nullptr);
  });
  exclusive_.take_changes(index, [&](const std::string& key, const auto& row) {
    const auto [client_id, filter] = parts_of(key);
    to.exclusive(client_id, filter, row.has_value());
  });
  timers_.take_changes(
    index, [&](const timer_key& key, const message_ptr* message) {
      to.timer(key, message != nullptr, message ? *message : message_ptr{});
    });
  for (const auto id : std::exchange(removed_groups_, {}))
    to.group(id, nullptr);
  for (const auto id : std::exchange(changed_groups_, {})) {
    const auto& group = *by_id_.at(id)->group;
    const group_row row{group.up_to,
                        {group.open.begin(), group.open.end()},
                        {group.done.begin(), group.done.end()},
                        group.declared};
    to.group(id, &row);
  }
  if (options_.has_disk)
    write_pages(to);
  for (const auto& x : cleaned_.pages)
    to.page(x.filter, x.last, nullptr);
  for (const auto sequence : cleaned_.messages)
    to.message(sequence, nullptr);
  if (cleaning_ == cleaning::answered && cleaned_with_ == 0)
    cleaned_with_ = index;
  cleaned_ = {};
  for (const auto& key : std::exchange(changed_outbox_, {}))
    to.outbox(key.first, key.second, row_or_null(outbox_, key));
  for (const auto& [key, x] : outbox_)
    if (key.second > sequence_of(written_.forwarded, key.first))
      to.outbox(key.first, key.second, &x);
  for (const auto& key : std::exchange(changed_inbound_, {}))
    to.inbound(key.first, key.second, row_or_null(inbound_, key));
  at_.index = index;
  to.applied(at_);
  written_ = at_;
  taken_.emplace_back(index, at_.sequence);
}

void shard_state_machine::stored(std::uint64_t index, time_point now) {
  stored_ = std::max(stored_, index);
  timers_.stored(stored_);
  sessions_.evict(stored_);
  owned_.evict(stored_);
  retained_.evict(stored_);
  retained_pages_.clear(); // of an entry that was lost
  holders_.evict(
    stored_, [](const auto&, const auto&) { return false; },
    [&](const std::string&, const holder_rows& held) {
      for (const auto& one : held.all)
        uncount_cursor(held, one);
    });
  evict_tail();
  filters_.evict(
    stored_,
    [](const std::string&, const filter_state& x) {
      return !x.name.by_topic() || !x.sequences.empty();
    },
    [&](const std::string&, const filter_state& x) { by_id_.erase(x.row.id); });
  if (cleaning_ == cleaning::answered && cleaned_with_ != 0
      && cleaned_with_ <= stored_)
    cleaning_ = cleaning::idle;
  ask_to_clean(now);
}

// ---- what is always in memory ----------------------------------------------

void shard_state_machine::load(const applied_row& x) {
  written_ = at_ = x;
  floor_ = evictable_ = x.sequence;
  stored_ = x.index;
  if (x.retained != 0)
    effects_.retained_changed(static_cast<int>(x.retained));
}

void shard_state_machine::load_filter(filter_name&& name, const filter_row& x) {
  if (name.by_topic()) {
    if (options_.exact_filters != nullptr)
      options_.exact_filters->add(name.filter);
    effects_.filter_kept({}, name.filter, true);
    return;
  }
  filter_state state;
  state.row = x;
  state.pages_up_to = written_.sequence;
  state.name = std::move(name);
  const auto key = row_key(state.name);
  filters_.supply(key, std::move(state));
  auto& made = *filters_.find(key);
  remember(made);
  effects_.filter_kept(made.name.share_name, made.name.filter, true);
}

void shard_state_machine::load_group(std::uint32_t filter, group_row&& x) {
  auto& group = *by_id_.at(filter)->group;
  group.declared = x.declared;
  group.up_to = x.up_to;
  group.open.insert(x.open.begin(), x.open.end());
  group.done.insert(x.done.begin(), x.done.end());
  group.handed = x.open.empty() ? x.up_to : x.open.front() - 1;
}

void shard_state_machine::load_exclusive(const std::string& client_id,
                                         const std::string& filter) {
  exclusive_.supply(client_id + '\0' + filter, std::monostate{});
  effects_.exclusive_kept(client_id, filter, true);
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
