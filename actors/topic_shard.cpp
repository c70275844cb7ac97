#include "actors/topic_shard.hpp"

#include "actors/messages.hpp"
#include "actors/node_storage.hpp"
#include "actors/session.hpp"
#include "cluster/memory_log.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <iterator>

namespace troupe::actors {

namespace {

cluster::shard_options options_of(home& at, std::uint16_t shard) {
  const auto& limits = at.mqtt();
  const auto shards = at.dials().shards;
  const auto share = [&](std::size_t whole) {
    return whole == 0 ? 0 : std::max<std::size_t>(1, whole / shards);
  };
  cluster::shard_options options;
  options.shard = shard;
  options.shards = shards;
  options.retain = limits.retain_available && limits.retainer_enable;
  options.retained_max = share(limits.retainer_max_messages);
  options.retained_payload_max = limits.retainer_max_payload_size;
  options.delayed_max = share(limits.delayed_max_messages);
  options.has_disk = at.keeps_on_disk();
  options.stored_bytes_max = limits.stored_bytes_max;
  if (options.has_disk) {
    options.stored_age_max = limits.stored_age_max;
    options.tail_bytes = at.shared().options.storage->tail_bytes / shards;
  } else {
    options.stored_bytes_max = share(limits.stored_bytes_max);
  }
  options.exact_filters = &at.shared().index.exact_durable();
  return options;
}

/// Who asks for rows.
constexpr std::uint64_t for_others = 0;
constexpr std::uint64_t for_entry = 1;
constexpr std::uint64_t for_claims = 2;

/// Retained messages are read by so many pages for an entry.
constexpr std::size_t most_pages = 64;
/// When a log that leads does not take an entry.
constexpr std::chrono::milliseconds again_after{10};

} // namespace

void topic_shard::limits_changed() {
  state_.change_limits(options_of(at(), shard_));
}

topic_shard::topic_shard(caf::actor_config& config, home& on,
                         std::uint16_t shard)
  : pinned_actor(config, on),
    shard_(shard),
    state_(options_of(on, shard), *this),
    registry_(*this),
    log_(std::make_unique<cluster::memory_log>(
      on.dials().log_commit_delay,
      [this](std::chrono::milliseconds delay, std::function<void()> f) {
        auto* call = new delayed_call;
        call->what = [this, alive = caf::strong_actor_ptr{ctrl()},
                      run = std::move(f)] {
          if (!ended())
            run();
        };
        if (delay.count() == 0)
          at().post([call] { call->on_timer(); });
        else
          at().wheel().arm(*call, at().now() + delay);
      },
      [this](cluster::log_index index, const cluster::entry_ptr& entry) {
        committed(index, entry);
      })) {}

// ---- commands --------------------------------------------------------------

void topic_shard::receive(caf::type_erased_tuple& content) {
  if (!content.match_elements<command_batch_ptr>())
    return;
  auto& in = *content.get_as<command_batch_ptr>(0);
  owed_.push_back({in.from, static_cast<std::uint32_t>(in.commands.size())});
  std::int64_t weight = 0;
  for (auto& x : in.commands) {
    weight += weight_of(x);
    take(std::move(x));
  }
  if (weight != 0)
    count(at().numbers().uncommitted_bytes, weight);
  ask_for_claims();
  propose();
}

void topic_shard::take(cluster::command&& x) {
  if (auto* claim = std::get_if<cluster::claim_command>(&x)) {
    registry_.claim(std::move(*claim));
  } else if (auto* release = std::get_if<cluster::release_command>(&x)) {
    if (!registry_.release(release->client_id, release->who))
      return;
    if (release->epoch != 0)
      gathered_.push_back(std::move(x));
    else
      registry_.released(release->client_id);
  } else {
    gathered_.push_back(std::move(x));
  }
}

void topic_shard::admit(cluster::claim_command&& x) {
  const auto kept = state_.keeps_session(x.client_id);
  if (!kept) {
    unsure_.push_back(std::move(x));
  } else if (!*kept && x.expiry_interval != 0
             && at().shared().disk_full.load(std::memory_order_relaxed)) {
    at().to_client(x.who, claim_refused{});
    registry_.refused(x.client_id);
  } else if (*kept || x.expiry_interval != 0 || x.will != nullptr) {
    gathered_.emplace_back(std::move(x));
  } else { // nothing of it outlives its connection
    granted(x.who, x.client_id, {});
  }
}

void topic_shard::ask_for_claims() {
  if (unsure_.empty() || std::exchange(asked_for_claims_, true))
    return;
  cluster::row_wants wants;
  wants.token = for_claims;
  for (const auto& x : unsure_)
    wants.sessions.push_back(x.client_id);
  storage_->read(shard_, std::move(wants));
}

cluster::time_point topic_shard::shard_time() const {
  const auto now = std::max(at().now(), state_.last_time());
  return storage_ == nullptr ? now : storage_->times().rounded(now);
}

/// All, but only so many reads of retained messages: their pages are in memory
/// together, and what is behind them waits.
std::vector<cluster::command> topic_shard::take_gathered() {
  auto end = gathered_.begin();
  for (std::size_t pages = 0; end != gathered_.end(); ++end)
    if (std::holds_alternative<cluster::retained_read>(*end)
        && ++pages > most_pages)
      break;
  std::vector rest(std::make_move_iterator(end),
                   std::make_move_iterator(gathered_.end()));
  gathered_.erase(end, gathered_.end());
  return std::exchange(gathered_, std::move(rest));
}

bool topic_shard::leads() const noexcept {
  return committed_.empty() && log_->leads();
}

void topic_shard::propose() {
  // Gather while the entry before is being written, or somebody else leads.
  if (next_ != nullptr || !leads() || (replaying_ && !to_begin_))
    return;
  // What has become due meanwhile comes before clients that come back.
  if (!std::exchange(led_, true))
    gathered_.emplace(gathered_.begin(), cluster::time_command{});
  if (to_begin_)
    begin_now();
  if (gathered_.empty()) {
    owed_in_log_ = std::exchange(owed_, {});
    give_credit_back();
    return;
  }
  next_ = std::make_shared<cluster::log_entry>();
  next_->at = shard_time();
  next_->commands = take_gathered();
  state_.log_what_is_held(next_->commands);
  if (gathered_.empty())
    owed_in_log_ = std::exchange(owed_, {});
  next_is_logged_ = std::any_of(next_->commands.begin(), next_->commands.end(),
                                cluster::needs_log);
  if (next_is_logged_)
    log_->propose(next_);
  else
    count(at().numbers().shard_unlogged,
          static_cast<std::uint64_t>(next_->commands.size()));
  apply_next();
}

/// Rows that an entry needs are read while it is written.
bool topic_shard::has_rows(const cluster::entry_ptr& entry) {
  if (has_rows_ == entry)
    return true;
  cluster::row_wants wants;
  wants.token = for_entry;
  for (const auto& x : entry->commands)
    state_.want(x, entry->at, wants);
  if (wants.empty()) {
    has_rows_ = entry;
    return true;
  }
  asked_for_entry_ = true;
  storage_->read(shard_, std::move(wants));
  return false;
}

void topic_shard::answered(cluster::disk_finds&& found) {
  if (ended())
    return;
  const auto* rows = std::get_if<cluster::row_finds>(&found);
  const auto token = rows == nullptr ? for_others : rows->token;
  if (const auto* clean = std::get_if<cluster::clean_finds>(&found);
      clean != nullptr && clean->swept)
    // A tenth of a reader's time at most.
    sweep_at_ =
      std::max(sweep_at_, at().now() + 10 * (at().now() - sweep_began_));
  state_.answer(std::move(found), shard_time());
  if (token == for_entry) {
    asked_for_entry_ = false;
    apply_next();
  } else if (token == for_claims) {
    asked_for_claims_ = false;
    for (auto& x : std::exchange(unsure_, {}))
      admit(std::move(x));
    ask_for_claims();
    propose();
  } else {
    propose();
    flush_if_due();
    arm();
  }
}

void topic_shard::committed(cluster::log_index index,
                            const cluster::entry_ptr& entry) {
  unflushed_bytes_ += log_->take_size();
  count(at().numbers().shard_entries);
  committed_.emplace_back(index, entry);
  apply_next();
}

/// Somebody else led meanwhile. What the entry was to do is still to be done.
void topic_shard::lost(const cluster::entry_ptr& entry) {
  if (entry != next_)
    return;
  gathered_.insert(gathered_.begin(),
                   std::make_move_iterator(next_->commands.begin()),
                   std::make_move_iterator(next_->commands.end()));
  owed_.insert(owed_.begin(), owed_in_log_.begin(), owed_in_log_.end());
  owed_in_log_.clear();
  next_ = nullptr;
  arm();
}

/// Committed entries in their order, then one that needs no log; as far as
/// there are the rows that they need.
void topic_shard::apply_next() {
  while (!asked_for_entry_) {
    const auto entry = committed_.empty() ? next_ : committed_.front().second;
    if (entry == nullptr || !has_rows(entry))
      return;
    if (!committed_.empty()) {
      applied_ = committed_.front().first;
      committed_.pop_front();
    } else if (next_is_logged_) {
      return;
    }
    apply(entry);
  }
}

void topic_shard::apply(const cluster::entry_ptr& entry) {
  const bool own = entry == next_;
  has_rows_ = nullptr;
  if (own) {
    next_ = nullptr;
    note_commits(*entry, next_is_logged_);
  }
  if (entry->commands.empty()) // it begins somebody's term, perhaps our own
    led_ = false;
  for (auto& command : entry->commands)
    state_.apply(command, entry->at);
  count(at().numbers().shard_commands,
        static_cast<std::uint64_t>(entry->commands.size()));
  for (const auto& x : std::exchange(to_confirm_, {}))
    at().to_shard(x.shard, cluster::forwarded_command{shard_, x.sequence});
  if (own)
    give_credit_back();
  update_gauges();
  flush_if_due();
  give_memory_back();
  arm();
  propose();
}

std::int64_t topic_shard::weight_of(const cluster::command& x) noexcept {
  const auto* its = std::get_if<cluster::publish_command>(&x);
  return its == nullptr || !its->message
           ? 0
           : static_cast<std::int64_t>(its->message->memory());
}

void topic_shard::note_commits(const cluster::log_entry& entry, bool logged) {
  std::int64_t weight = 0;
  std::optional<std::chrono::steady_clock::time_point> now;
  for (const auto& x : entry.commands) {
    weight += weight_of(x);
    const auto* its = std::get_if<cluster::publish_command>(&x);
    if (its == nullptr || !its->message)
      continue;
    if (at().tracing())
      at().trace_message(logged ? "committed" : "in its turn", *its->message,
                         {shard_, 0});
    if (!logged || !its->logged || !its->message->is_live())
      continue;
    if (!now)
      now = at().exact_now();
    at()
      .numbers()
      .of(hop::committed)
      .record(*now - its->message->received_exactly());
  }
  if (weight != 0)
    count(at().numbers().uncommitted_bytes, -weight);
}

void topic_shard::give_credit_back() {
  for (const auto& x : std::exchange(owed_in_log_, {})) {
    auto& credit = at().shared().shard_credits[x.from];
    credit.used.fetch_sub(x.count, std::memory_order_acq_rel);
    if (credit.wanted.load(std::memory_order_acquire)
        && credit.wanted.exchange(false, std::memory_order_acq_rel))
      at().shared().homes[x.from]->wake();
  }
}

void topic_shard::update_gauges() {
  auto& numbers = at().numbers();
  const std::array<std::int64_t, 6> now{
    static_cast<std::int64_t>(state_.retained_count()),
    static_cast<std::int64_t>(state_.delayed_count()),
    static_cast<std::int64_t>(state_.stored_count()),
    static_cast<std::int64_t>(state_.offline_count()),
    static_cast<std::int64_t>(state_.backlog_bytes()),
    static_cast<std::int64_t>(state_.resident_count())};
  count(numbers.retained, now[0] - shown_[0]);
  count(numbers.delayed, now[1] - shown_[1]);
  count(numbers.stored, now[2] - shown_[2]);
  count(numbers.offline_sessions, now[3] - shown_[3]);
  count(numbers.backlog_bytes, now[4] - shown_[4]);
  count(numbers.resident_rows, now[5] - shown_[5]);
  shown_ = now;
}

void topic_shard::arm() {
  auto due = cluster::never;
  if (next_ == nullptr && leads()) // else `apply` comes here again
    due = gathered_.empty() ? state_.next_due().value_or(cluster::never)
                            : at().now() + again_after;
  if (storage_ != nullptr) {
    if (applied_ != flushed_ || state_.change_count() != 0)
      due =
        std::min(due, std::max(flush_at_ + storage_->options().flush_interval,
                               at().now() + std::chrono::milliseconds{100}));
    if (state_.resident_count() != resident_)
      due = std::min(due, give_back_at_);
    due = std::min(due, sweep_at_);
  }
  if (due != cluster::never)
    at().wheel().arm(*this, due);
}

void topic_shard::on_timer() {
  if (ended())
    return;
  const auto now = at().now();
  if (next_ == nullptr && leads()) {
    if (const auto due = state_.next_due(); due && *due <= now)
      gathered_.emplace_back(cluster::time_command{});
    if (!gathered_.empty())
      propose();
  }
  flush_if_due();
  give_memory_back();
  if (storage_ != nullptr && now >= sweep_at_) {
    sweep_at_ = now + storage_->options().sweep_interval;
    sweep_began_ = now;
    // The first shard also has freed memory given back.
    if (state_.has_backlog() || shard_ == 0)
      state_.sweep(shard_time());
  }
  arm();
}

void topic_shard::on_end() { net::timing_wheel::disarm(*this); }

} // namespace troupe::actors
