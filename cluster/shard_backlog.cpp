// Messages that a shard keeps for those who hold filters in it: the last ones
// in memory, the others in pages on its disk.

#include "cluster/shard_state_machine.hpp"
#include "protocol/hash.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace troupe::cluster {

using protocol::drop_reason;

namespace {

/// What ends a page.
constexpr std::size_t page_messages = 256;
constexpr std::size_t page_bytes = std::size_t{128} << 10;

} // namespace

// ---- in memory -------------------------------------------------------------

void shard_state_machine::store(filter_state& to, std::uint64_t sequence,
                                const message_ptr& message) {
  if (messages_.empty() || messages_.back().sequence != sequence) {
    messages_.add(sequence, {message, {}});
    stored_bytes_ += message->memory();
    ++unwritten_;
  }
  messages_.back().value.filters.push_back(to.row.id);
  to.sequences.push_back(sequence);
}

void shard_state_machine::forget_message(stored_messages::entry& x) {
  stored_bytes_ -= x.value.message->memory();
  unwritten_ -= x.sequence > written_.sequence ? 1 : 0;
  messages_.erase(x);
}

void shard_state_machine::drop_reference(std::uint32_t filter,
                                         std::uint64_t sequence) {
  auto* found = messages_.find(sequence);
  if (found == nullptr)
    return;
  auto& listed = found->value.filters;
  listed.erase(std::remove(listed.begin(), listed.end(), filter), listed.end());
  if (listed.empty())
    forget_message(*found);
}

/// What all holders are done with, as far as their cursors are known.
void shard_state_machine::trim(filter_state& row) {
  if (row.counted != row.row.holders || row.cursors.empty())
    return;
  const auto watermark = row.cursors.begin()->first;
  while (!row.sequences.empty() && row.sequences.front() <= watermark) {
    drop_reference(row.row.id, row.sequences.front());
    row.sequences.pop_front();
  }
  clean(row, watermark);
}

void shard_state_machine::clean(filter_state& row, std::uint64_t up_to) {
  if (row.cleaned >= row.pages_up_to || up_to <= row.cleaned)
    return;
  row.cleaned = up_to;
  to_clean_[row.row.id] = up_to;
}

void shard_state_machine::make_room() {
  while (!options_.has_disk && options_.stored_bytes_max != 0
         && stored_bytes_ > options_.stored_bytes_max && !messages_.empty()) {
    // The oldest gives way for everybody who still had to get it.
    auto& oldest = messages_.front();
    const auto sequence = oldest.sequence;
    std::size_t owed = 0;
    for (const auto id : oldest.value.filters) {
      auto& row = *by_id_.at(id);
      const auto at =
        std::lower_bound(row.sequences.begin(), row.sequences.end(), sequence);
      if (at != row.sequences.end() && *at == sequence)
        row.sequences.erase(at);
      if (row.shared()) { // a live member that has it delivers it yet
        owed += row.group->leased.erase(sequence) != 0 ? 0 : 1;
        row.group->finish(sequence);
        continue;
      }
      for (const auto& [cursor, holders] : row.cursors)
        owed += cursor < sequence ? holders : 0;
    }
    effects_.dropped(drop_reason::queue_full, owed);
    forget_message(oldest);
  }
}

// ---- to the disk -----------------------------------------------------------

void shard_state_machine::write_pages(row_writer& to) {
  struct open_page {
    page_row page;
    std::size_t bytes = 0;
  };
  std::map<std::uint32_t, open_page> pages;
  const auto write = [&](std::uint32_t id, open_page& x) {
    const auto last = x.page.entries.back().sequence;
    to.page(id, last, &x.page);
    by_id_.at(id)->pages_up_to = last;
    at_.backlog += x.page.entries.size();
    at_.backlog_bytes += bytes_of(x.page);
    x.page.entries.clear();
    x.bytes = 0;
  };
  messages_.for_each_behind(written_.sequence, [&](const auto& at) {
    const auto sequence = at.sequence;
    const stored_message& x = at.value;
    const bool once = x.filters.size() == 1;
    if (!once) {
      const message_row row{x.message, {x.filters.begin(), x.filters.end()}};
      to.message(sequence, &row);
      ++at_.shared;
    }
    for (const auto id : x.filters) {
      auto& open = pages[id];
      open.page.entries.push_back({sequence, once ? x.message : message_ptr{}});
      open.bytes += once ? x.message->payload().size() : 0;
      if (open.page.entries.size() == page_messages || open.bytes >= page_bytes)
        write(id, open);
    }
  });
  for (auto& [id, open] : pages)
    if (!open.page.entries.empty())
      write(id, open);
  unwritten_ = 0;
}

void shard_state_machine::evict_tail() {
  std::uint64_t on_disk = 0;
  while (!taken_.empty() && taken_.front().first <= stored_) {
    on_disk = taken_.front().second;
    taken_.pop_front();
  }
  on_disk = std::max(on_disk, evictable_);
  evictable_ = on_disk;
  while (stored_bytes_ > options_.tail_bytes && !messages_.empty()
         && messages_.front().sequence <= on_disk) {
    auto& oldest = messages_.front();
    floor_ = oldest.sequence;
    for (const auto id : oldest.value.filters) {
      auto& listed = by_id_.at(id)->sequences;
      while (!listed.empty() && listed.front() <= floor_)
        listed.pop_front();
    }
    forget_message(oldest);
  }
}

// ---- reading ---------------------------------------------------------------

/// Overlapping filters merge by sequence: one delivery with the highest QoS
/// and all Subscription Identifiers [MQTT-3.3.4-2, -3].
class shard_state_machine::page_maker {
public:
  page_maker(const fetch_read& asked, std::uint16_t shard, time_point now)
    : asked_(asked),
      self_(protocol::hash64(asked.client_id)),
      shard_(shard),
      now_(now) {}

  /// @returns whether it is on the page.
  bool add(std::uint64_t sequence, const message_ptr& message,
           const holder_row& of) {
    const bool only = !asked_.only.empty();
    if (only
        && !std::binary_search(asked_.only.begin(), asked_.only.end(),
                               sequence))
      return false;
    if (!only && message->expired(now_)) {
      expired_.insert(sequence);
      return false;
    }
    if (of.options.no_local && message->publisher() == self_)
      return false;
    const auto granted = std::min(message->qos(), of.options.maximum_qos);
    const bool retain = of.options.retain_as_published && message->retain();
    auto [place, fresh] = merged_.try_emplace(sequence);
    auto& out = place->second;
    if (fresh) {
      out.message = message;
      out.position = {shard_, sequence};
      out.qos = granted;
      out.subscription_identifier = of.identifier;
      out.retain = retain;
      return true;
    }
    out.qos = std::max(out.qos, granted);
    out.retain |= retain;
    if (of.identifier != 0 && out.subscription_identifier == 0) {
      out.subscription_identifier = of.identifier;
    } else if (of.identifier != 0) {
      if (!out.more_identifiers)
        out.more_identifiers = std::make_unique<std::vector<std::uint32_t>>();
      out.more_identifiers->push_back(of.identifier);
    }
    return true;
  }
  /// @returns how many on it have expired.
  std::size_t finish(fetched_page& page) {
    if (merged_.size() > asked_.limit) {
      const auto cut =
        std::next(merged_.begin(), static_cast<std::ptrdiff_t>(asked_.limit));
      merged_.erase(cut, merged_.end());
      page.complete = false;
      page.up_to = std::prev(merged_.end())->first;
    }
    for (auto& [sequence, out] : merged_)
      page.messages.push_back(std::move(out));
    // What lies behind this page is looked at again with the next one.
    expired_.erase(expired_.upper_bound(page.up_to), expired_.end());
    return expired_.size();
  }

private:
  const fetch_read& asked_;
  std::uint64_t self_;
  std::uint16_t shard_;
  time_point now_;
  std::map<std::uint64_t, protocol::outbound> merged_;
  std::set<std::uint64_t> expired_;
};

void shard_state_machine::on(fetch_read& x, time_point now) {
  fetched_page page;
  page.shard = options_.shard;
  page.complete = true;
  page.only = !x.only.empty();
  auto* held = holders_.find(x.client_id);
  if (held == nullptr) {
    page.up_to = at_.sequence;
    effects_.fetched(x.who, std::move(page));
    return;
  }
  backlog_wants wants;
  wants.up_to = floor_;
  wants.limit = x.limit;
  wants.only = x.only;
  for (const auto& one : held->all) {
    if (one.gone)
      continue;
    const auto* row =
      by_id_.contains(one.filter) ? by_id_.at(one.filter) : nullptr;
    if (row != nullptr && row->shared())
      continue;
    if (const auto after = std::max(x.after, held->done(one)); after < floor_)
      wants.filters.push_back({one.filter, after});
  }
  if (wants.filters.empty()) {
    finish_fetch(x, std::move(page), {}, floor_, now);
    return;
  }
  wants.token = ++last_token_;
  reading_.emplace(wants.token, fetching{x, floor_});
  holders_.pin(x.client_id);
  effects_.read(std::move(wants));
}

void shard_state_machine::answer_backlog(backlog_finds&& found,
                                         time_point now) {
  const auto asked = reading_.extract(found.token);
  if (const auto* x = std::get_if<handing_out>(&asked.mapped())) {
    if (const auto row = by_id_.find(x->filter); row != by_id_.end())
      hand_out_page(*row->second, std::move(found), x->floor, x->most);
    return;
  }
  const auto& x = std::get<fetching>(asked.mapped());
  holders_.unpin(x.what.client_id);
  fetched_page page;
  page.shard = options_.shard;
  page.complete = true;
  page.only = !x.what.only.empty();
  finish_fetch(x.what, std::move(page), std::move(found), x.floor, now);
}

void shard_state_machine::finish_fetch(const fetch_read& x, fetched_page&& page,
                                       backlog_finds&& found,
                                       std::uint64_t floor, time_point now) {
  if (page.only && floor_ > floor) { // what was here is on the disk alone now
    auto again = x;
    on(again, now);
    return;
  }
  page.up_to = at_.sequence;
  page_maker made{x, options_.shard, now};
  auto* held = holders_.find(x.client_id);
  if (held == nullptr)
    held = &nobody_;
  for (const auto& one : found.messages)
    for (const auto id : one.filters)
      if (const auto* of = find_holder(*held, id);
          of != nullptr && held->done(*of) < one.sequence)
        made.add(one.sequence, one.message, of->row);
  if (found.more) {
    page.complete = false;
    page.up_to = found.up_to;
  } else if (floor_ > floor && !page.only) { // the rest is there by now
    page.complete = false;
    page.up_to = floor;
  } else {
    for (const auto& one : held->all) {
      const auto at = by_id_.find(one.filter);
      if (one.gone || at == by_id_.end() || at->second->shared())
        continue;
      const auto& listed = at->second->sequences;
      const auto after = std::max({x.after, held->done(one), floor});
      std::size_t taken = 0;
      for (auto s = std::upper_bound(listed.begin(), listed.end(), after);
           s != listed.end() && taken <= x.limit; ++s)
        taken +=
          made.add(*s, messages_.find(*s)->value.message, one.row) ? 1 : 0;
    }
  }
  if (const auto expired = made.finish(page); expired != 0)
    effects_.dropped(drop_reason::expired, expired);
  effects_.fetched(x.who, std::move(page));
}

// ---- cleaning --------------------------------------------------------------

void shard_state_machine::sweep(time_point now) {
  for (const auto& [id, row] : by_id_)
    if (row->shared())
      sum_up(*row, 1);
  sweep_ = true;
  ask_to_clean(now);
}

void shard_state_machine::ask_to_clean(time_point now) {
  if (!options_.has_disk || cleaning_ != cleaning::idle
      || (to_clean_.empty() && !sweep_))
    return;
  clean_wants wants;
  wants.sweep = std::exchange(sweep_, false);
  if (wants.sweep) {
    if (options_.stored_age_max.count() != 0)
      wants.oldest = now - options_.stored_age_max;
    wants.most_bytes = options_.stored_bytes_max;
  }
  for (const auto& [id, up_to] : std::exchange(to_clean_, {}))
    wants.filters.push_back({id, up_to});
  cleaning_ = cleaning::asked;
  effects_.read(std::move(wants));
}

void shard_state_machine::answer_clean(clean_finds&& found) {
  if (found.swept)
    pins_ = std::move(found.pins);
  if (found.too_old != 0)
    effects_.dropped(drop_reason::expired, found.too_old);
  if (found.too_many != 0)
    effects_.dropped(drop_reason::queue_full, found.too_many);
  cleaned_ = std::move(found);
  at_.backlog -= std::min<std::uint64_t>(at_.backlog, cleaned_.count);
  at_.backlog_bytes -=
    std::min<std::uint64_t>(at_.backlog_bytes, cleaned_.bytes);
  at_.shared -= std::min<std::uint64_t>(at_.shared, cleaned_.messages.size());
  cleaned_with_ = 0;
  cleaning_ = cleaned_.pages.empty() && cleaned_.messages.empty()
                ? cleaning::idle
                : cleaning::answered;
}

} // namespace troupe::cluster
