// How a shard's actor starts from the disk, and what it writes there besides
// its log.

#include "actors/node_storage.hpp"
#include "actors/topic_shard.hpp"
#include "cluster/log_codec.hpp"
#include "cluster/row_codec.hpp"

namespace troupe::actors {

// ---- start -----------------------------------------------------------------

void topic_shard::recover(node_storage& from) {
  storage_ = &from;
  replaying_ = true;
  led_ = false;
  const cluster::stored_rows rows{from.state()};
  cluster::load_shard(rows, shard_, from.times(), state_);
  applied_ = flushed_ = stored_ = state_.applied_index();
  auto on_committed = [this](cluster::log_index index,
                             const cluster::entry_ptr& entry) {
    committed(index, entry);
  };
  if (const auto& make_log = at().shared().options.world.make_log) {
    // What is behind `applied_` may give way: the log reports what does not.
    log_ = make_log({shard_, from.log(), from.times(), applied_,
                     std::move(on_committed),
                     [this](const cluster::entry_ptr& entry) { lost(entry); }});
  } else {
    replay_log(from, rows);
    log_ = std::make_unique<cluster::local_log>(
      shard_, from.log(), from.times(), applied_, std::move(on_committed));
  }
  update_gauges();
}

void topic_shard::replay_log(node_storage& from,
                             const cluster::stored_rows& rows) {
  const auto first = from.log().first_index(shard_);
  const auto last = from.log().last_index(shard_);
  if (last == 0 ? applied_ != 0 : first > applied_ + 1 || last < applied_)
    throw storage::storage_error(
      "shard " + std::to_string(shard_) + ": its state is at entry "
      + std::to_string(applied_) + ", but its log has entries "
      + std::to_string(first) + " to " + std::to_string(last) + " in "
      + from.options().directory.string()
      + "; log.db and state.db are not of the same node and time: restore both "
        "from one backup");
  from.log().read(shard_, applied_ + 1,
                  [&](std::uint64_t index, std::span<const std::uint8_t> in) {
                    auto entry = cluster::decode_entry(in, from.times());
                    for (auto& x : entry.commands) {
                      while (true) {
                        cluster::row_wants wants;
                        state_.want(x, entry.at, wants);
                        if (wants.empty())
                          break;
                        state_.answer(cluster::find(rows, shard_, from.times(),
                                                    std::move(wants)),
                                      entry.at);
                      }
                      state_.apply(x, entry.at);
                    }
                    applied_ = index;
                    return true;
                  });
}

void topic_shard::begin() {
  to_begin_ = true;
  propose();
}

void topic_shard::begin_now() {
  to_begin_ = replaying_ = false;
  state_.for_each_forward(
    [&](std::uint16_t to, const cluster::forward_command& x) {
      at().to_shard(to, cluster::forward_command{x});
    });
  gathered_.emplace(gathered_.begin(), cluster::restart_command{});
  flush_at_ = at().now();
  give_back_at_ = flush_at_ + storage_->options().flush_interval;
  sweep_at_ = flush_at_ + storage_->options().sweep_interval;
}

void topic_shard::appended(cluster::log_index index) {
  if (!ended())
    log_->appended(index);
}

// ---- rows ------------------------------------------------------------------

void topic_shard::flush_if_due() {
  if (storage_ == nullptr
      || (applied_ == flushed_ && state_.change_count() == 0))
    return;
  const auto& how = storage_->options();
  if (unflushed_bytes_ < how.flush_bytes
      && at().now() - flush_at_ < how.flush_interval)
    return;
  // The log keeps what the state database has no time for.
  if (storage_->state().counters().queued < 64)
    flush();
}

void topic_shard::flush() {
  if (storage_ == nullptr
      || (applied_ == flushed_ && state_.change_count() == 0))
    return;
  cluster::row_collector rows{shard_, storage_->times()};
  rows.reserve(state_.change_count() + 1);
  state_.take_changes(applied_, rows);
  storage_->state().write(shard_, applied_, rows.take());
  flushed_ = applied_;
  unflushed_bytes_ = 0;
  flush_at_ = at().now();
}

void topic_shard::stored(cluster::log_index index) {
  stored_ = std::max(stored_, index);
  give_back_at_ = {};
  if (!ended())
    give_memory_back();
}

/// Not while an entry waits: it needs the rows that were read for it.
void topic_shard::give_memory_back() {
  if (storage_ == nullptr || at().now() < give_back_at_ || next_ != nullptr
      || !committed_.empty())
    return;
  state_.stored(stored_, shard_time());
  resident_ = state_.resident_count();
  update_gauges();
  give_back_at_ = at().now() + storage_->options().flush_interval;
}

} // namespace troupe::actors
