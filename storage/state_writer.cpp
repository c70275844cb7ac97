#include "storage/state_writer.hpp"

#include <rocksdb/db.h>

#include <pthread.h>
#include <utility>

namespace troupe::storage {

void state_writer::push(state_task task) {
  pushed_.fetch_add(1, std::memory_order_relaxed);
  queue_.push(std::move(task));
}

void state_writer::start(state_store::listener told) {
  told_ = std::move(told);
  running_ = true;
  if (!options_.how.stepped)
    thread_ = std::thread{[this] {
      ::pthread_setname_np(::pthread_self(), "state writer");
      run();
    }};
}

bool state_writer::step() {
  if (!running_)
    return false;
  queue_.take_now(tasks_);
  if (tasks_.empty() && !sync_is_due())
    return false;
  carry_out();
  return true;
}

void state_writer::stop() {
  queue_.close();
  if (thread_.joinable())
    thread_.join();
  else if (running_) // stepped: what is left is done here
    run();
  running_ = false;
}

void state_writer::run() {
  while (queue_.take(tasks_, sync_due_))
    if (!carry_out())
      return;
  sync();
}

bool state_writer::carry_out() {
  for (const auto& task : tasks_)
    if (!write(task))
      return false;
  return !sync_is_due() || sync();
}

bool state_writer::sync_is_due() const {
  return sync_due_
         && (options_.how.now() >= *sync_due_
             || unsynced_bytes_ >= options_.sync_bytes);
}

bool state_writer::write(const state_task& task) {
  rocksdb::WriteBatch batch;
  std::size_t bytes = 0;
  for (const auto& row : task.rows) {
    if (row.family == options_.how.broken.loses_family)
      continue;
    auto* family = db_.family(row.family);
    if (row.value)
      batch.Put(family, row.key, *row.value);
    else
      batch.Delete(family, row.key);
    bytes += row.key.size() + (row.value ? row.value->size() : 0);
  }
  const auto status = db_->Write({}, &batch);
  if (!status.ok()) {
    fail(db_.text("cannot be written", status));
    return false;
  }
  writes_.add(1);
  rows_.add(task.rows.size());
  bytes_.add(bytes);
  unsynced_[task.shard] = task.applied_index;
  unsynced_bytes_ += batch.GetDataSize();
  if (!sync_due_)
    sync_due_ = options_.how.now() + options_.sync_interval;
  if (options_.how.broken.tells_before_it_syncs)
    told_(task.shard, task.applied_index);
  // Here and not after the queue is empty, which under load may be never.
  if (sync_is_due() && !sync())
    return false;
  return flush_if_full(batch.GetDataSize());
}

bool state_writer::flush_if_full(std::size_t written) {
  unchecked_ += written;
  if (unchecked_ < options_.memtable_bytes / 64) // asking takes a lock
    return true;
  unchecked_ = 0;
  std::uint64_t size = 0;
  db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeActiveMemTable,
                                &size);
  if (size < options_.memtable_bytes)
    return true;
  if (!sync())
    return false;
  rocksdb::FlushOptions flush;
  flush.wait = false;
  flush.allow_write_stall = true; // the next write stalls instead
  const auto status = db_->Flush(flush, db_.families());
  // Writes are stopped already, since files are slow: the next write waits for
  // them, and then it is tried again.
  if (status.ok() || status.IsTryAgain())
    return true;
  fail(db_.text("cannot be flushed", status));
  return false;
}

bool state_writer::sync() {
  sync_due_.reset();
  unsynced_bytes_ = 0;
  if (unsynced_.empty())
    return true;
  const auto begin = clock::now();
  const auto status = db_->SyncWAL();
  if (!status.ok()) {
    fail(db_.text("cannot be synced", status));
    return false;
  }
  const auto ns = static_cast<std::uint64_t>(
    std::chrono::nanoseconds{clock::now() - begin}.count());
  syncs_.add(1);
  sync_ns_.add(ns);
  longest_sync_.raise_to(ns);
  for (const auto& [shard, applied_index] : unsynced_)
    told_(shard, applied_index);
  unsynced_.clear();
  return true;
}

void state_writer::fail(const std::string& what) {
  running_ = false;
  queue_.close();
  options_.on_fatal(what);
}

state_counters state_writer::counters() const noexcept {
  const auto writes = writes_.value();
  return {.writes = writes,
          .rows = rows_.value(),
          .bytes = bytes_.value(),
          .syncs = syncs_.value(),
          .sync_ns = sync_ns_.value(),
          .longest_sync = longest_sync_.value(),
          .queued = pushed_.load(std::memory_order_relaxed) - writes};
}

} // namespace troupe::storage
