#include "cluster/shard_state_machine.hpp"

#include "protocol/hash.hpp"
#include "protocol/topic.hpp"
#include "storage/keys.hpp"

#include <algorithm>

namespace troupe::cluster {

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
    effects_(effects),
    sessions_(options.has_disk),
    owned_(options.has_disk),
    filters_(options.has_disk),
    holders_(options.has_disk),
    retained_(options.has_disk),
    exclusive_(options.has_disk),
    timers_(options.has_disk) {}

shard_state_machine::~shard_state_machine() = default;

void shard_state_machine::apply(command& x, time_point now) {
  if (needs_log(x)) // else a log that is replayed would not know of it
    at_.now = std::max(at_.now, now);
  std::visit([&](auto& c) { on(c, now); }, x);
}

std::size_t shard_state_machine::resident_count() const noexcept {
  return sessions_.size() + filters_.size() + holders_.size() + retained_.size()
         + messages_.size();
}

// ---- time ------------------------------------------------------------------

std::optional<time_point> shard_state_machine::next_due() const {
  auto due = timers_.next_due().value_or(never);
  if (!group_retries_.empty())
    due = std::min(due, group_retries_.begin()->first);
  return due == never ? std::nullopt : std::optional{due};
}

void shard_state_machine::on(time_command&, time_point now) {
  retry_groups(now);
  // Only so many, that all replicas need the same rows.
  for (std::size_t i = 0; i < timer_window::batch; ++i) {
    auto due = timers_.take_due(now);
    if (!due)
      return;
    time_passed(std::move(*due), now);
  }
  effects_.propose_next(time_command{});
}

void shard_state_machine::time_passed(timer_row&& due, time_point now) {
  const auto& [key, message] = due;
  switch (key.kind) {
  case timer_kind::delayed:
    --at_.delayed;
    publish_now(message, now);
    break;
  case timer_kind::will:
    if (auto* row = sessions_.find(key.of);
        row != nullptr && row->will_due == key.due)
      publish_will(key.of, sessions_.change(key.of), now);
    break;
  case timer_kind::session:
    if (const auto* row = sessions_.find(key.of);
        row != nullptr && row->expires == key.due)
      end_session(key.of, now);
    break;
  case timer_kind::retained:
    if (const auto* row = retained_.find(key.of);
        row != nullptr && row->message->expired(now))
      remove_retained(key.of);
    break;
  }
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
      note(changed_outbox_, at->first);
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
    if (options_.delayed_max != 0 && at_.delayed >= options_.delayed_max) {
      reason = reason_code::quota_exceeded;
      if (x.inbound) // its PUBREC says no: the identifier is free
        forget_inbound(*x.inbound);
    } else {
      timers_.add({now + std::chrono::seconds{x.delay_seconds},
                   timer_kind::delayed, storage::key_of(at_.next_delayed++)},
                  x.message);
      ++at_.delayed;
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

void shard_state_machine::match(std::string_view topic) {
  matched_.clear();
  if (auto* exact = filters_.find(topic))
    matched_.push_back(exact);
  if (definitions_.empty())
    return;
  matched_ids_.clear();
  definitions_.match(topic, matched_ids_);
  for (const auto id : matched_ids_)
    matched_.push_back(by_id_.at(id));
}

bool shard_state_machine::may_match(std::string_view topic) {
  if (filters_.knows(topic) ? filters_.find(topic) != nullptr
                            : may_be_held(topic))
    return true;
  matched_ids_.clear();
  definitions_.match(topic, matched_ids_);
  return !matched_ids_.empty();
}

void shard_state_machine::log_what_is_held(std::vector<command>& next) {
  bool holds = false; // something before it, whatever the filter
  for (auto& x : next) {
    const auto* forwarded = std::get_if<forward_command>(&x);
    const auto* hold = std::get_if<hold_command>(
      forwarded != nullptr ? &forwarded->what->what : &x);
    holds |= hold != nullptr && hold->holds;
    if (auto* publish = std::get_if<publish_command>(&x);
        publish != nullptr && !publish->logged
        && publish->message->qos() != qos::at_most_once)
      publish->logged = holds || may_match(publish->message->topic());
  }
}

bool shard_state_machine::publish_now(const message_ptr& message,
                                      time_point now) {
  const auto sequence = ++at_.sequence;
  if (retains(*message) && !message->expired(now))
    retain(message, sequence);
  bool somebody = false;
  match(message->topic());
  for (auto* row : matched_) {
    const bool kept = message->qos() != qos::at_most_once;
    if (kept)
      store(*row, sequence, message);
    if (row->shared() && has_live_member(*row)) {
      if (!kept)
        effects_.route_to_group(row->name.share_name, row->name.filter, message,
                                {});
      else if (!row->group->waits)
        hand_out(*row, most_leased);
      somebody = true;
    }
    somebody |= kept;
  }
  make_room();
  return effects_.route(message, {options_.shard, sequence}) || somebody;
}

bool shard_state_machine::publish_unlogged(const message_ptr& message) {
  bool somebody = false;
  match(message->topic());
  for (const auto* row : matched_)
    if (row->shared() && has_live_member(*row)) {
      effects_.route_to_group(row->name.share_name, row->name.filter, message,
                              {});
      somebody = true;
    }
  return effects_.route(message, {}) || somebody;
}

} // namespace troupe::cluster
