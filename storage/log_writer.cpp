#include "storage/log_writer.hpp"

#include "storage/keys.hpp"

#include <rocksdb/db.h>

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace troupe::storage {

namespace {

/// Each one leaves a mark in the database that covers what it deletes, so they
/// are gathered for a while.
constexpr auto trim_interval = std::chrono::seconds{1};

/// Bytes of an entry in a batch besides its own, roughly.
constexpr std::size_t overhead = 32;

} // namespace

log_writer::log_writer(const log_store_options& options, database& db,
                       shard_ranges ranges)
  : options_(options),
    db_(db),
    ranges_(std::move(ranges)) {}

void log_writer::start(log_store::listener told) {
  told_ = std::move(told);
  running_ = true;
  if (!options_.how.stepped)
    thread_ = std::thread{[this] {
      ::pthread_setname_np(::pthread_self(), "log writer");
      run();
    }};
}

bool log_writer::step() {
  if (!running_)
    return false;
  queue_.take_now(tasks_);
  if (tasks_.empty() && !trims_are_due())
    return false;
  write_group();
  return true;
}

void log_writer::stop() {
  queue_.close();
  if (thread_.joinable())
    thread_.join();
  else if (running_) // stepped: what is left is done here
    run();
  running_ = false;
}

void log_writer::run() {
  while (queue_.take(tasks_, trims_due_))
    if (!write_group())
      return;
  rocksdb::WriteBatch batch;
  add_trims(batch);
  if (batch.Count() > 0)
    write(batch, false);
}

/// @returns false: it failed, there must be no further one.
bool log_writer::write_group() {
  std::uint64_t bytes = 0;
  for (const auto& task : tasks_)
    bytes += task.bytes.size();
  rocksdb::WriteBatch batch{bytes + tasks_.size() * overhead};
  group_.clear();
  for (const auto& task : tasks_)
    if (!add(task, batch))
      return false;
  untrimmed_ += bytes;
  if (trims_are_due())
    add_trims(batch);
  if (options_.how.broken.tells_before_it_writes)
    std::swap(batch, late_); // the group before this one
  else if (batch.Count() == 0)
    return true;
  // Trims alone may wait for the next synced write.
  if (!write(batch, options_.sync && !group_.empty()))
    return false;
  if (group_.empty())
    return true;
  groups_.add(1);
  entries_.add(group_.size());
  bytes_.add(bytes);
  largest_group_.raise_to(group_.size());
  told_(group_);
  return true;
}

bool log_writer::add(const log_task& task, rocksdb::WriteBatch& batch) {
  switch (task.what) {
  case log_task::kind::append:
    return add_append(task, batch);
  case log_task::kind::truncate:
    return add_truncate(task, batch);
  case log_task::kind::hard:
    batch.Put(db_.family(log_family::hard), key_of(task.shard), task.bytes);
    group_.push_back({task.shard, 0});
    return true;
  case log_task::kind::trim:
    note_trim(task);
  }
  return true;
}

bool log_writer::add_append(const log_task& task, rocksdb::WriteBatch& batch) {
  const auto [found, first_one] =
    ranges_.try_emplace(task.shard, index_range{task.index, task.index - 1});
  auto& range = found->second;
  if (range.first > range.last) // empty
    range = {task.index, task.index - 1};
  if (task.index != range.last + 1 || task.index == 0) {
    fail(db_.text("shard " + std::to_string(task.shard) + " appends entry "
                  + std::to_string(task.index) + " after entry "
                  + std::to_string(range.last)));
    return false;
  }
  range.last = task.index;
  batch.Put(db_.family(log_family::entry), key_of(task.shard, task.index),
            task.bytes);
  group_.push_back({task.shard, task.index});
  return true;
}

bool log_writer::add_truncate(const log_task& task,
                              rocksdb::WriteBatch& batch) {
  const auto found = ranges_.find(task.shard);
  if (found == ranges_.end() || task.index > found->second.last)
    return true;
  auto& range = found->second;
  const auto trimmed = trims_.find(task.shard);
  const auto first = trimmed == trims_.end()
                       ? range.first
                       : std::max(range.first, trimmed->second + 1);
  if (task.index < first) {
    fail(db_.text("shard " + std::to_string(task.shard) + " replaces entry "
                  + std::to_string(task.index) + ", but its log begins with "
                  + std::to_string(first)));
    return false;
  }
  batch.DeleteRange(db_.family(log_family::entry),
                    key_of(task.shard, task.index),
                    key_of(task.shard, range.last + 1));
  range.last = task.index - 1;
  return true;
}

void log_writer::note_trim(const log_task& task) {
  const auto found = ranges_.find(task.shard);
  if (found == ranges_.end())
    return;
  // Not beyond what is there now, or it would meet entries still to come.
  auto& up_to = trims_[task.shard];
  up_to = std::max(up_to, std::min(task.index, found->second.last));
  if (!trims_due_)
    trims_due_ = options_.how.now() + trim_interval;
}

/// Often enough that entries are trimmed while they are in memory.
bool log_writer::trims_are_due() const {
  return trims_due_
         && (untrimmed_ >= options_.memtable_bytes / 8
             || options_.how.now() >= *trims_due_);
}

void log_writer::add_trims(rocksdb::WriteBatch& batch) {
  for (const auto& [shard, up_to] : trims_) {
    auto& range = ranges_[shard];
    if (up_to < range.first)
      continue;
    // From the first entry and not from 0: marks that overlap make reading and
    // flushing slow, in the square of their number.
    batch.DeleteRange(db_.family(log_family::entry), key_of(shard, range.first),
                      key_of(shard, up_to + 1));
    range.first = up_to + 1;
  }
  trims_.clear();
  trims_due_.reset();
  untrimmed_ = 0;
}

bool log_writer::write(rocksdb::WriteBatch& batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  const auto begin = clock::now();
  const auto status = db_->Write(options, &batch);
  const auto ns = static_cast<std::uint64_t>(
    std::chrono::nanoseconds{clock::now() - begin}.count());
  if (!status.ok()) {
    fail(db_.text("cannot be written", status));
    return false;
  }
  if (sync) {
    write_ns_.add(ns);
    longest_write_.raise_to(ns);
  }
  return true;
}

void log_writer::fail(const std::string& what) {
  running_ = false;
  queue_.close();
  options_.on_fatal(what);
}

log_counters log_writer::counters() const noexcept {
  return {.groups = groups_.value(),
          .entries = entries_.value(),
          .bytes = bytes_.value(),
          .write_ns = write_ns_.value(),
          .longest_write = longest_write_.value(),
          .largest_group = largest_group_.value()};
}

} // namespace troupe::storage
