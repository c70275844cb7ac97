#include "cluster/shard_state_machine.hpp"

#include "protocol/hash.hpp"
#include "protocol/topic.hpp"

#include <algorithm>
#include <set>

namespace troupe::cluster {

using protocol::drop_reason;
using protocol::qos;
using protocol::reason_code;

std::uint16_t shard_of(std::string_view key, std::size_t shards) noexcept {
  return static_cast<std::uint16_t>((protocol::hash64(key) >> 32) % shards);
}

bool needs_log(const command& x) noexcept {
  struct visitor {
    bool operator()(const publish_command& c) const { return c.logged; }
    bool operator()(const claim_command& c) const {
      return c.expiry_interval != 0 || c.will != nullptr;
    }
    bool operator()(const release_command& c) const {
      return c.record != nullptr;
    }
    bool operator()(const hold_command&) const { return true; }
    bool operator()(const advance_command&) const { return true; }
    bool operator()(const group_presence_command&) const { return true; }
    bool operator()(const group_return_command&) const { return true; }
    bool operator()(const remove_retained_command&) const { return true; }
    bool operator()(const time_command&) const { return true; }
    bool operator()(const fetch_read&) const { return false; }
    bool operator()(const retained_read&) const { return false; }
  };
  return std::visit(visitor{}, x);
}

shard_state_machine::shard_state_machine(const shard_options& options,
                                         shard_effects& effects)
  : options_(options), effects_(effects) {}

void shard_state_machine::apply(command& x, time_point now) {
  std::visit([&](auto& c) { on(c, now); }, x);
}

std::optional<time_point> shard_state_machine::next_due() const {
  if (timers_.empty())
    return std::nullopt;
  return timers_.begin()->first;
}

std::uint64_t shard_state_machine::set_timer(time_point due, timer_row row) {
  row.id = next_timer_++;
  return timers_.emplace(due, std::move(row))->second.id;
}

void shard_state_machine::on(time_command&, time_point now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto due = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    if (due.what == timer_row::kind::delayed) {
      --delayed_count_;
      publish_now(due.message, now);
      continue;
    }
    const auto at = sessions_.find(due.client_id);
    if (at == sessions_.end())
      continue;
    // A timer whose session came back meanwhile is not the row's any more.
    if (due.what == timer_row::kind::will && at->second.will_timer == due.id)
      publish_will(at->second);
    else if (due.what == timer_row::kind::session_expiry
             && at->second.expiry_timer == due.id) {
      end_session(at->first, at->second);
      sessions_.erase(at);
    }
  }
  retained_.purge(now);
}

// ---- publications ----------------------------------------------------------

void shard_state_machine::on(publish_command& x, time_point now) {
  if (x.delay_seconds != 0) {
    auto reason = reason_code::success;
    if (options_.delayed_max != 0 && delayed_count_ >= options_.delayed_max) {
      reason = reason_code::quota_exceeded;
    } else {
      ++delayed_count_;
      set_timer(now + std::chrono::seconds{x.delay_seconds},
                {timer_row::kind::delayed, 0, {}, x.message});
    }
    effects_.acknowledge(x.publisher, x.token, reason);
    return;
  }
  const bool somebody = publish_now(x.message, now);
  effects_.acknowledge(x.publisher, x.token,
                       somebody ? reason_code::success
                                : reason_code::no_matching_subscribers);
}

bool shard_state_machine::publish_now(const message_ptr& message,
                                      time_point now) {
  const auto sequence = ++sequence_;
  if (message->retain() && options_.retain && !message->expired(now)) {
    const bool full = options_.retained_max != 0
                      && retained_.size() >= options_.retained_max;
    if (full && !message->payload().empty()
        && !retained_.contains(message->topic()))
      effects_.dropped(drop_reason::queue_full, 1);
    else
      retained_.put(message, sequence);
  }
  bool somebody = false;
  if (!rows_.empty()) {
    matched_.clear();
    filters_.match(message->topic(), matched_);
    for (const auto id : matched_) {
      auto& row = rows_.at(id);
      if (!row.share_name.empty() && !row.online.empty()) {
        effects_.route_to_group(row.share_name, row.filter, message);
        somebody = true;
      } else if (message->qos() != qos::at_most_once) {
        store(row, sequence, message);
        somebody = true;
      }
    }
    make_room();
  }
  const shard_position position{options_.shard, sequence};
  return effects_.route(message, position) || somebody;
}

void shard_state_machine::store(filter_row& row, std::uint64_t sequence,
                                const message_ptr& message) {
  auto [at, fresh] = messages_.try_emplace(sequence);
  if (fresh) {
    at->second.message = message;
    stored_bytes_ += message->memory();
  }
  ++at->second.references;
  row.sequences.push_back(sequence);
}

void shard_state_machine::drop_reference(std::uint64_t sequence) {
  const auto at = messages_.find(sequence);
  if (at == messages_.end() || --at->second.references != 0)
    return;
  stored_bytes_ -= at->second.message->memory();
  messages_.erase(at);
}

void shard_state_machine::trim(filter_row& row) {
  const auto watermark =
    row.cursors.empty() ? sequence_ : row.cursors.begin()->first;
  while (!row.sequences.empty() && row.sequences.front() <= watermark) {
    drop_reference(row.sequences.front());
    row.sequences.pop_front();
  }
}

void shard_state_machine::make_room() {
  while (options_.stored_bytes_max != 0
         && stored_bytes_ > options_.stored_bytes_max && !messages_.empty()) {
    // The oldest gives way for everybody who still had to get it.
    const auto oldest = messages_.begin();
    std::size_t owed = 0;
    for (auto& [id, row] : rows_) {
      const auto at = std::lower_bound(row.sequences.begin(),
                                       row.sequences.end(), oldest->first);
      if (at == row.sequences.end() || *at != oldest->first)
        continue;
      row.sequences.erase(at);
      if (row.share_name.empty()) {
        for (const auto& [name, x] : row.holders)
          owed += x.cursor < oldest->first ? 1 : 0;
      } else {
        ++owed;
      }
    }
    effects_.dropped(drop_reason::queue_full, owed);
    stored_bytes_ -= oldest->second.message->memory();
    messages_.erase(oldest);
  }
}

// ---- holders and cursors ---------------------------------------------------

namespace {
std::string row_key(std::string_view share_name, std::string_view filter) {
  return std::string{share_name} + '\0' + std::string{filter};
}
} // namespace

shard_state_machine::filter_row* shard_state_machine::find_row(
  std::string_view share_name, std::string_view filter) {
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
    for (auto at = std::upper_bound(row.sequences.begin(), row.sequences.end(),
                                    after);
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
          out.more_identifiers =
            std::make_unique<std::vector<std::uint32_t>>();
        out.more_identifiers->push_back(of.identifier);
      }
    }
  }
  if (merged.size() > x.limit) {
    const auto cut = std::next(merged.begin(),
                               static_cast<std::ptrdiff_t>(x.limit));
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
  const auto waiting = std::exchange(row->sequences, {});
  for (const auto sequence : waiting) {
    const auto at = messages_.find(sequence);
    if (at == messages_.end())
      continue;
    effects_.route_to_group(x.share_name, x.filter, at->second.message);
    drop_reference(sequence);
  }
}

void shard_state_machine::on(group_return_command& x, time_point) {
  auto* row = find_row(x.share_name, x.filter);
  if (row == nullptr || row->holders.empty()) {
    effects_.dropped(drop_reason::session_ended, 1);
    return;
  }
  if (!row->online.empty()) {
    effects_.route_to_group(x.share_name, x.filter, x.message);
    return;
  }
  // It keeps its place before what came later only roughly: a sequence of its
  // own puts it behind what waits, as a redelivery is.
  store(*row, ++sequence_, x.message);
  make_room();
}

// ---- retained messages -----------------------------------------------------

void shard_state_machine::on(remove_retained_command& x, time_point) {
  retained_.remove(x.topic);
}

void shard_state_machine::on(retained_read& x, time_point now) {
  retained_page page;
  page.shard = options_.shard;
  page.token = x.token;
  page.next = retained_.read(
    x.filter, x.after, x.limit, now, [&](const retained_table::row& row) {
      page.rows.push_back({row.message, row.sequence});
    });
  effects_.retained(x.who, std::move(page));
}

// ---- sessions --------------------------------------------------------------

void shard_state_machine::on(claim_command& x, time_point) {
  auto& row = sessions_[x.client_id];
  if (!row.owner) {
    grant(x, row);
    return;
  }
  if (row.waiting)
    effects_.superseded(row.waiting->who);
  else
    effects_.evict(row.owner, x.client_id, row.epoch, x.clean_start);
  row.waiting = std::move(x);
}

void shard_state_machine::grant(const claim_command& x, session_row& row) {
  claim_granted answer;
  if (row.record != nullptr) {
    --offline_count_;
    if (x.clean_start) {
      publish_will(row); // the old session ends here
      effects_.session_ended(x.client_id, *row.record);
    } else {
      answer.record = row.record;
      answer.session_present = true;
    }
  }
  row.record.reset();
  row.will = x.will; // a will that still waited is replaced [MQTT-3.1.3-9]
  row.will_timer = row.expiry_timer = 0;
  row.owner = x.who;
  row.epoch = answer.epoch = ++last_epoch_;
  row.expiry_interval = x.expiry_interval;
  effects_.granted(x.who, answer);
}

void shard_state_machine::on(release_command& x, time_point now) {
  const auto at = sessions_.find(x.client_id);
  if (at == sessions_.end() || at->second.epoch != x.epoch
      || !at->second.owner)
    return;
  auto& row = at->second;
  row.owner = {};
  row.expiry_interval = x.expiry_interval;
  if (x.will == release_command::will_fate::discard)
    row.will.reset();
  auto waiting = std::exchange(row.waiting, std::nullopt);
  if (x.record == nullptr) {
    publish_will(row);
    if (!waiting) {
      sessions_.erase(at);
      return;
    }
  } else {
    row.record = std::move(x.record);
    ++offline_count_;
    if (row.will != nullptr && row.will->delay.count() == 0)
      publish_will(row);
    else if (row.will != nullptr)
      row.will_timer = set_timer(
        now + row.will->delay, {timer_row::kind::will, 0, x.client_id, {}});
    if (!waiting && x.expiry_interval != never_expires)
      row.expiry_timer =
        set_timer(now + std::chrono::seconds{x.expiry_interval},
                  {timer_row::kind::session_expiry, 0, x.client_id, {}});
  }
  if (waiting)
    grant(*waiting, row);
}

void shard_state_machine::publish_will(session_row& row) {
  row.will_timer = 0;
  if (const auto will = std::exchange(row.will, nullptr))
    effects_.publish(will->message);
}

void shard_state_machine::end_session(const std::string& client_id,
                                      session_row& row) {
  publish_will(row);
  if (row.record != nullptr) {
    --offline_count_;
    effects_.session_ended(client_id, *row.record);
  }
}

} // namespace troupe::cluster
