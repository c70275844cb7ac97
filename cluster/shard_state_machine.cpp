#include "cluster/shard_state_machine.hpp"

#include "protocol/hash.hpp"
#include "protocol/topic.hpp"

#include <algorithm>

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
  : options_(options),
    effects_(effects) {}

template <class F>
void shard_state_machine::count_retained(F&& change) {
  const auto before = retained_.size();
  change();
  if (const auto after = retained_.size(); after != before)
    effects_.retained_changed(static_cast<int>(after)
                              - static_cast<int>(before));
}

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
    if (due.what == timer_row::kind::group_retry) {
      retry_group(due.client_id, due.id);
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
  count_retained([&] { retained_.purge(now); });
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
    const bool full =
      options_.retained_max != 0 && retained_.size() >= options_.retained_max;
    if (full && !message->payload().empty()
        && !retained_.contains(message->topic()))
      effects_.dropped(drop_reason::queue_full, 1);
    else
      count_retained([&] { retained_.put(message, sequence); });
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

// ---- retained messages -----------------------------------------------------

void shard_state_machine::on(remove_retained_command& x, time_point) {
  count_retained([&] { retained_.remove(x.topic); });
}

void shard_state_machine::on(retained_read& x, time_point now) {
  retained_page page;
  page.shard = options_.shard;
  page.token = x.token;
  page.next = retained_.read(x.filter, x.after, x.limit, now,
                             [&](const retained_table::row& row) {
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
  if (at == sessions_.end() || at->second.epoch != x.epoch || !at->second.owner)
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
      row.will_timer = set_timer(now + row.will->delay,
                                 {timer_row::kind::will, 0, x.client_id, {}});
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
