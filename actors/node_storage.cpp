#include "actors/node_storage.hpp"

#include "actors/home.hpp"
#include "actors/topic_shard.hpp"
#include "cluster/log_codec.hpp"
#include "cluster/row_codec.hpp"
#include "storage/data_format.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <malloc.h>
#include <map>

namespace troupe::actors {

namespace {

storage::running running_in(const environment& world) {
  return {.stepped = static_cast<bool>(world.drive),
          .now = world.now,
          .broken = world.broken};
}

storage::log_store_options log_options(const storage_options& from,
                                       const environment& world) {
  storage::log_store_options to;
  to.directory = from.directory / "log.db";
  to.sync = from.sync;
  // Twice what all shards log before they let the log be trimmed: most of it
  // is gone then before a file is made of it.
  to.memtable_bytes = std::size_t{64} << 20;
  if (from.on_failure)
    to.on_fatal = from.on_failure;
  to.env = world.disk;
  to.how = running_in(world);
  return to;
}

storage::state_store_options state_options(const storage_options& from,
                                           const environment& world) {
  storage::state_store_options to;
  to.directory = from.directory / "state.db";
  to.families.assign(cluster::row_family_names.begin(),
                     cluster::row_family_names.end());
  to.cache_bytes = from.cache_bytes;
  if (from.on_failure)
    to.on_fatal = from.on_failure;
  to.env = world.disk;
  to.how = running_in(world);
  return to;
}

/// Time goes on from where the shards stand, whatever the clock says now.
cluster::clock_at_start read_clock(const storage::state_store& state,
                                   const storage::log_store& log,
                                   std::size_t shards,
                                   const storage_options& options,
                                   const environment& world) {
  std::int64_t greatest = 0;
  state.scan(static_cast<std::uint8_t>(cluster::row_family::applied), {},
             [&](std::string_view, std::string_view value) {
               greatest = std::max(greatest, cluster::stored_time(value));
               return true;
             });
  if (world.make_log) // its entries are its own, and may be of other clocks
    return {world.wall_ms(), greatest, options.max_clock_jump};
  const cluster::time_base as_stored{cluster::time_point{}, 0};
  for (std::size_t i = 0; i < shards; ++i) {
    const auto shard = static_cast<std::uint16_t>(i);
    const auto last = log.last_index(shard);
    if (last == 0)
      continue;
    log.read(shard, last, [&](std::uint64_t, auto bytes) {
      const auto at = cluster::decode_entry(bytes, as_stored).at;
      greatest = std::max(greatest, as_stored.to_stored(at));
      return false;
    });
  }
  return {world.wall_ms(), greatest, options.max_clock_jump};
}

/// A stored time for people.
std::string text_of(std::int64_t stored) {
  const auto seconds = static_cast<std::time_t>(stored / 1000);
  std::tm parts{};
  std::array<char, 64> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr)
    return std::to_string(stored) + " ms since 1970";
  return {text.data(), std::strftime(text.data(), text.size(),
                                     "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

/// How far the wall clock may be put back without a word.
constexpr std::chrono::milliseconds usual_step = std::chrono::minutes{1};

} // namespace

node_storage::node_storage(const storage_options& options,
                           const environment& world, std::size_t shards)
  : options_((storage::require_format(options.directory,
                                      static_cast<std::uint32_t>(shards)),
              options)),
    stepped_(static_cast<bool>(world.drive)),
    trims_(!world.make_log),
    log_(log_options(options, world)),
    state_(state_options(options, world)),
    clock_(read_clock(state_, log_, shards, options, world)),
    times_(cluster::time_base::going_on(world.now(), clock_)) {}

void node_storage::start(shared_state& shared) {
  shared_ = &shared;
  check_clock();
  log_.start([this](std::span<const storage::appended> group) { told(group); });
  state_.start([this](std::uint16_t shard, std::uint64_t applied) {
    stored(shard, applied);
  });
  for (auto& x : readers_)
    x.start(stepped_);
  if (stepped_)
    return;
  storage::space_options space;
  space.directory = options_.directory;
  space.low_bytes = options_.low_space;
  space.full_bytes = options_.full_space;
  space.reserve_bytes = options_.reserve;
  space_.emplace(space, [this](storage::space_level level, std::uint64_t free) {
    space_changed(level, free);
  });
}

void node_storage::check_clock() {
  const auto say = [&](const std::string& text) {
    shared_->log({log_level::warning, "storage.clock", text, {}, {}});
  };
  const auto times = "the clock shows " + text_of(clock_.wall)
                     + ", the last time that is stored is "
                     + text_of(clock_.greatest) + ": ";
  if (clock_.excess() > 0)
    say(times
        + "of what is between, only durability.max_clock_jump counts for what "
          "expires. If the clock is wrong, set it. If the broker was down for "
          "so long, or had nothing to store, all is well; for all of it to "
          "count, start it once with --set "
          "durability.max_clock_jump=infinity");
  else if (clock_.greatest - clock_.wall > usual_step.count())
    say(times
        + "expiry goes on from the latter, and the time that the broker was "
          "down does not count. If the clock is wrong, set it");
}

void node_storage::space_changed(storage::space_level level,
                                 std::uint64_t free) {
  using storage::space_level;
  shared_->disk_full.store(level == space_level::full);
  const auto left = std::to_string(free >> 20U) + " MB are free in "
                    + options_.directory.string();
  const auto say = [&](log_level how, std::string_view text) {
    shared_->log({how, "storage.space", text, {}, {}});
  };
  if (level == space_level::full)
    say(log_level::error,
        "the disk is full: " + left
          + ". QoS 1 and 2 that would need it, and new durable sessions and "
            "subscriptions, are refused with 0x97 until there is room "
            "(storage.full_space)");
  else if (level == space_level::low)
    say(log_level::warning,
        "the disk is getting full: " + left + " (storage.low_space)");
  else
    say(log_level::info, "there is room on the disk again: " + left);
}

void node_storage::read(std::uint16_t shard, cluster::disk_wants&& what) {
  const auto* clean = std::get_if<cluster::clean_wants>(&what);
  auto& from = clean != nullptr ? readers_.back()
                                : readers_[shard % (readers_.size() - 1)];
  if (shard == 0 && clean != nullptr && clean->sweep)
    from.post([] { return_memory(); });
  from.post([this, shard, wants = std::move(what)] {
    try {
      const cluster::stored_rows rows{state_};
      auto found = std::make_shared<cluster::disk_finds>(
        cluster::find(rows, shard, times_, wants));
      shared_->homes[shard % shared_->homes.size()]->post(
        [this, shard, answer = std::move(found)] {
          if (auto* to = shared_->shard_actors[shard])
            to->answered(std::move(*answer));
        });
    } catch (const std::exception& e) {
      fail("shard " + std::to_string(shard) + " cannot read its rows in "
           + options_.directory.string() + ": " + e.what());
    }
  });
}

std::uint64_t node_storage::cache_bytes() const {
  const auto log = log_.memory();
  const auto state = state_.memory();
  return log.memtables + log.cache + state.memtables + state.cache;
}

/// What was freed in many places stays with the process otherwise.
void node_storage::return_memory() {
  constexpr std::size_t enough = std::size_t{64} << 20;
  if (const auto heap = ::mallinfo2();
      heap.fordblks > enough && heap.fordblks > heap.uordblks / 4)
    ::malloc_trim(0);
}

void node_storage::fail(std::string_view what) const {
  if (options_.on_failure)
    options_.on_failure(what);
  else
    storage::abort_with(what);
}

void node_storage::stored(std::uint16_t shard, std::uint64_t applied) {
  trim(shard, applied);
  shared_->homes[shard % shared_->homes.size()]->post([this, shard, applied] {
    if (auto* to = shared_->shard_actors[shard])
      to->stored(applied);
  });
}

/// All that is in the state but the last entry, which tells to a later start,
/// together with what follows it, that log and state belong together.
void node_storage::trim(std::uint16_t shard, std::uint64_t applied) {
  {
    const std::lock_guard guard(trim_mutex_);
    if (hold_trims_) {
      held_trims_[shard] = applied;
      return;
    }
  }
  if (trims_ && applied > 0)
    log_.trim(shard, applied - 1);
}

void node_storage::backup(const std::filesystem::path& directory) {
  // A log that begins where the state ends, or before: so nothing is trimmed
  // meanwhile, and the state is copied first.
  {
    const std::lock_guard guard(trim_mutex_);
    if (std::exchange(hold_trims_, true))
      throw storage::storage_error("another backup is under way");
  }
  const auto go_on = [&] {
    std::map<std::uint16_t, std::uint64_t> held;
    {
      const std::lock_guard guard(trim_mutex_);
      hold_trims_ = false;
      held.swap(held_trims_);
    }
    for (const auto& [shard, applied] : held)
      trim(shard, applied);
  };
  bool made = false;
  try {
    std::error_code error;
    made = std::filesystem::create_directory(directory, error);
    if (error)
      throw storage::storage_error(directory.string()
                                   + " cannot be made: " + error.message()
                                   + "; name another directory");
    if (!made)
      throw storage::storage_error(directory.string()
                                   + " exists already: name a new directory");
    state_.checkpoint(directory / "state.db");
    log_.checkpoint(directory / "log.db");
    storage::data_format::read(options_.directory).write(directory);
  } catch (...) {
    go_on();
    if (std::error_code ignored; made) // a part of one is no backup
      std::filesystem::remove_all(directory, ignored);
    throw;
  }
  go_on();
}

bool node_storage::step(work which) {
  switch (which) {
  case work::log:
    return log_.step();
  case work::state:
    return state_.step();
  case work::read: {
    bool worked = false;
    for (auto& x : readers_)
      worked |= x.step();
    return worked;
  }
  }
  return false;
}

void node_storage::stop() {
  space_.reset();
  for (auto& x : readers_)
    x.stop();
  log_.stop();
  state_.stop();
}

void node_storage::told(std::span<const storage::appended> group) {
  // One call for each reactor, with the last index of each of its shards.
  std::map<std::uint16_t, std::uint64_t> last;
  for (const auto& x : group)
    last[x.shard] = x.index;
  std::vector<std::vector<storage::appended>> by_home(shared_->homes.size());
  for (const auto& [shard, index] : last)
    by_home[shard % by_home.size()].push_back({shard, index});
  for (std::size_t i = 0; i < by_home.size(); ++i)
    if (!by_home[i].empty())
      shared_->homes[i]->post([this, those = std::move(by_home[i])] {
        for (const auto& x : those)
          if (auto* to = shared_->shard_actors[x.shard])
            to->appended(x.index);
      });
}

} // namespace troupe::actors
