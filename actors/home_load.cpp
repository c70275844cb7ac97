// How much waits on the node, what follows from it, and how long things take.

#include "actors/home.hpp"

namespace troupe::actors {

void home::look_at_load() {
  // In a millisecond a reactor reads about a megabyte.
  constexpr std::chrono::milliseconds often{1};
  look_at_load_ = now() + often;
  overload_rules::figures all;
  std::int64_t uncommitted = 0;
  std::int64_t queued = 0;
  std::int64_t unsent = 0;
  for (const auto& x : shared_.homes) {
    const auto& its = x->numbers();
    uncommitted += its.uncommitted_bytes.load(std::memory_order_relaxed);
    queued += its.queued_bytes.load(std::memory_order_relaxed);
    unsent += its.unsent_bytes.load(std::memory_order_relaxed);
  }
  const auto bytes = [](std::int64_t x) { // parts of it are read at moments
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, x));
  };
  all.uncommitted = bytes(uncommitted);
  all.queued = bytes(queued);
  all.unsent = bytes(unsent);
  all.memory_high = shared_.memory_high.load(std::memory_order_relaxed);
  const auto before = overload_.last().level;
  const auto level = overload_.look(all).level;
  if (level == before)
    return;
  sheds_qos0_ = level >= overload_level::shedding;
  slows_publishers_ = level >= overload_level::slowing;
  note_watchful();
  if (index() != 0)
    return; // the others come to the same
  count(numbers_.overload_level,
        static_cast<std::int64_t>(level) - static_cast<std::int64_t>(before));
  const auto mb = [](std::uint64_t x) {
    return std::to_string(x >> 20U) + " MB ";
  };
  log({level > before ? log_level::warning : log_level::info,
       "overload",
       "step " + std::string{overload_level_names.at(std::size_t(level))}
         + " after " + std::string{overload_level_names.at(std::size_t(before))}
         + ": " + mb(all.uncommitted) + "wait to be committed, "
         + mb(all.queued) + "in queues, " + mb(all.unsent) + "for sockets"
         + (all.memory_high ? ", and memory is short" : ""),
       {},
       {}});
}

void home::set_observation(const observation_options& to) {
  overload_.set_options(to.overload);
  slow_subs_.set_options(to.slow_subs);
  notes_slow_ = to.slow_subs.enable;
  note_watchful();
  openings_.limit(to.max_handshakes);
  look_at_load_ = {};
}

void home::receive_now() noexcept {
  received_.turn = now();
  received_.at = shared_.as_stored(now());
  received_.part = protocol::message::part_of(now(), received_.at);
}

void home::note_routed() {
  if (routed_ == 0 && routed_before_.empty())
    return;
  const auto at = exact_now();
  auto& into = numbers_.of(hop::routed);
  for (const auto& x : routed_before_)
    into.record(at - x.received, x.count);
  routed_before_.clear();
  if (routed_ != 0)
    into.record(at - now(), std::exchange(routed_, 0));
}

// ---- how long it takes -----------------------------------------------------

void home::wrote(hop_times& what, std::uint64_t end) {
  if (what.empty())
    return;
  // A write takes a few microseconds: what so many take is not seen.
  constexpr std::size_t together = 8;
  what.take(end, [this](auto came, auto taken, std::uint64_t times) {
    written_.push_back({came, taken, times});
  });
  if (++writes_ == together)
    note_written(exact_now());
}

void home::note_written(std::chrono::steady_clock::time_point at) {
  writes_ = 0;
  for (const auto& x : written_) {
    numbers_.of(hop::written).record(at - x.taken, x.count);
    numbers_.of(hop::whole).record(at - x.received, x.count);
  }
  written_.clear();
}

void home::turn_took(std::chrono::steady_clock::duration length) {
  if (shared_.options.world.drive)
    length = {}; // its clock stands still meanwhile
  numbers_.of(hop::turn).record(length);
  if (!written_.empty())
    note_written(now() + length);
}

} // namespace troupe::actors
