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
  if (const auto* publish = std::get_if<publish_command>(&x))
    return publish->logged;
  return !std::holds_alternative<group_online_command>(x)
         && !std::holds_alternative<fetch_read>(x)
         && !std::holds_alternative<retained_read>(x);
}

shard_state_machine::shard_state_machine(const shard_options& options,
                                         shard_effects& effects)
  : options_(options),
    effects_(effects) {}

void shard_state_machine::apply(command& x, time_point now) {
  if (needs_log(x)) // else a log that is replayed would not know of it
    at_.now = std::max(at_.now, now);
  std::visit([&](auto& c) { on(c, now); }, x);
}

std::optional<time_point> shard_state_machine::next_due() const {
  auto due = retained_.next_expiry().value_or(never);
  if (!deadlines_.empty())
    due = std::min(due, std::get<time_point>(*deadlines_.begin()));
  if (!delayed_.empty())
    due = std::min(due, delayed_.begin()->first.first);
  if (!group_retries_.empty())
    due = std::min(due, group_retries_.begin()->first);
  return due == never ? std::nullopt : std::optional{due};
}

void shard_state_machine::on(time_command&, time_point now) {
  while (!delayed_.empty() && delayed_.begin()->first.first <= now) {
    mark(changed_.delayed, delayed_.begin()->first);
    const auto due = std::move(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
    publish_now(due.message, now);
  }
  while (!deadlines_.empty()
         && std::get<time_point>(*deadlines_.begin()) <= now) {
    const auto [due, name, expires] = *deadlines_.begin();
    if (expires)
      end_session(name, now);
    else
      publish_will(name, sessions_.at(name), now);
  }
  while (!group_retries_.empty() && group_retries_.begin()->first <= now) {
    const auto at = rows_.find(group_retries_.begin()->second);
    group_retries_.erase(group_retries_.begin());
    if (at == rows_.end())
      continue;
    at->second.waits = false;
    hand_out(at->second);
  }
  count_retained([&] {
    retained_.purge(
      now, [&](const std::string& key) { mark(changed_.retained, key); });
  });
}

// ---- other shards ----------------------------------------------------------

void shard_state_machine::forward(std::uint16_t to, command&& what) {
  forward_command x;
  x.from = options_.shard;
  x.sequence = ++sequence_of(at_.forwarded, to);
  x.what = std::make_shared<boxed_command>();
  x.what->what = std::move(what);
  outbox_.emplace(std::pair{to, x.sequence}, x);
  effects_.forward(to, std::move(x));
}

void shard_state_machine::on(forward_command& x, time_point now) {
  auto& last = sequence_of(at_.applied_from, x.from);
  if (x.sequence > last + 1)
    return; // what is missing before it is sent again, and this behind it
  if (x.sequence > last) {
    last = x.sequence;
    auto what = x.what->what; // the sender keeps it until it knows
    apply(what, now);
  }
  effects_.forwarded(x.from, x.sequence);
}

void shard_state_machine::on(forwarded_command& x, time_point) {
  auto at = outbox_.lower_bound({x.to, 0});
  while (at != outbox_.end() && at->first.first == x.to
         && at->first.second <= x.sequence) {
    if (at->first.second <= sequence_of(written_.forwarded, x.to))
      mark(changed_.outbox, at->first);
    at = outbox_.erase(at);
  }
}

// ---- publications ----------------------------------------------------------

void shard_state_machine::on(publish_command& x, time_point now) {
  if (x.inbound && seen_before(*x.inbound)) { // [MQTT-4.3.3-10]
    effects_.acknowledge(x.publisher, x.token, reason_code::success);
    return;
  }
  if (x.delay_seconds != 0) {
    auto reason = reason_code::success;
    if (options_.delayed_max != 0 && delayed_.size() >= options_.delayed_max) {
      reason = reason_code::quota_exceeded;
      if (x.inbound) // its PUBREC says no: the identifier is free
        forget_inbound(*x.inbound);
    } else {
      const std::pair key{now + std::chrono::seconds{x.delay_seconds},
                          at_.next_delayed++};
      delayed_.emplace(key, message_row{x.message, {}});
      mark(changed_.delayed, key);
    }
    effects_.acknowledge(x.publisher, x.token, reason);
    return;
  }
  const bool somebody =
    x.logged ? publish_now(x.message, now) : publish_unlogged(x.message);
  effects_.acknowledge(x.publisher, x.token,
                       somebody ? reason_code::success
                                : reason_code::no_matching_subscribers);
}

bool shard_state_machine::publish_now(const message_ptr& message,
                                      time_point now) {
  const auto sequence = ++at_.sequence;
  if (message->retain() && options_.retain && !message->expired(now)) {
    const auto key = retained_key(message->topic());
    const bool full =
      options_.retained_max != 0 && retained_.size() >= options_.retained_max;
    if (full && !message->payload().empty() && retained_.find(key) == nullptr) {
      effects_.dropped(drop_reason::queue_full, 1);
    } else {
      mark(changed_.retained, key);
      count_retained([&] { retained_.put(message, sequence); });
    }
  }
  bool somebody = false;
  const shard_position position{options_.shard, sequence};
  if (!rows_.empty()) {
    matched_.clear();
    filters_.match(message->topic(), matched_);
    for (const auto id : matched_) {
      auto& row = rows_.at(id);
      const bool kept = message->qos() != qos::at_most_once;
      if (kept)
        store(id, row, sequence, message);
      if (row.shared() && has_live_member(row)) {
        if (kept)
          lease(row, sequence, message);
        else
          effects_.route_to_group(row.name.share_name, row.name.filter, message,
                                  {});
        somebody = true;
      }
      somebody |= kept;
    }
    make_room();
  }
  return effects_.route(message, position) || somebody;
}

bool shard_state_machine::publish_unlogged(const message_ptr& message) {
  bool somebody = false;
  if (!rows_.empty()) {
    matched_.clear();
    filters_.match(message->topic(), matched_);
    for (const auto id : matched_)
      if (const auto& row = rows_.at(id);
          row.shared() && has_live_member(row)) {
        effects_.route_to_group(row.name.share_name, row.name.filter, message,
                                {});
        somebody = true;
      }
  }
  return effects_.route(message, {}) || somebody;
}

void shard_state_machine::store(std::uint32_t id, filter_row& row,
                                std::uint64_t sequence,
                                const message_ptr& message) {
  auto [at, fresh] = messages_.try_emplace(sequence);
  if (fresh) {
    at->second.message = message;
    stored_bytes_ += message->memory();
  }
  at->second.filters.push_back(id);
  row.sequences.push_back(sequence);
}

void shard_state_machine::drop_reference(std::uint32_t filter,
                                         std::uint64_t sequence) {
  const auto at = messages_.find(sequence);
  if (at == messages_.end())
    return;
  auto& listed = at->second.filters;
  listed.erase(std::remove(listed.begin(), listed.end(), filter), listed.end());
  if (!at->second.filters.empty()) {
    // Cursors tell which sessions had it; a group has no cursor.
    if (const auto row = rows_.find(filter);
        row != rows_.end() && row->second.shared())
      mark_message(sequence);
    return;
  }
  mark_message(sequence);
  stored_bytes_ -= at->second.message->memory();
  messages_.erase(at);
}

void shard_state_machine::trim(std::uint32_t id, filter_row& row) {
  const auto watermark =
    row.cursors.empty() ? at_.sequence : row.cursors.begin()->first;
  while (!row.sequences.empty() && row.sequences.front() <= watermark) {
    drop_reference(id, row.sequences.front());
    row.sequences.pop_front();
  }
}

void shard_state_machine::make_room() {
  while (options_.stored_bytes_max != 0
         && stored_bytes_ > options_.stored_bytes_max && !messages_.empty()) {
    // The oldest gives way for everybody who still had to get it.
    const auto oldest = messages_.begin();
    std::size_t owed = 0;
    for (const auto id : oldest->second.filters) {
      auto& row = rows_.at(id);
      const auto at = std::lower_bound(row.sequences.begin(),
                                       row.sequences.end(), oldest->first);
      if (at != row.sequences.end() && *at == oldest->first)
        row.sequences.erase(at);
      if (row.shared()) { // a live member that has it delivers it yet
        owed += row.leased.erase(oldest->first) != 0 ? 0 : 1;
        continue;
      }
      for (const auto& [name, x] : row.holders)
        owed += x.cursor < oldest->first ? 1 : 0;
    }
    effects_.dropped(drop_reason::queue_full, owed);
    mark_message(oldest->first);
    stored_bytes_ -= oldest->second.message->memory();
    messages_.erase(oldest);
  }
}

// ---- retained messages -----------------------------------------------------

void shard_state_machine::on(remove_retained_command& x, time_point) {
  mark(changed_.retained, retained_key(x.topic));
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

} // namespace troupe::cluster
