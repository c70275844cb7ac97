#include "tests/simulator/machine.hpp"

#include "actors/topic_shard.hpp"

#include <algorithm>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>

namespace troupe::simulator {

using actors::node_storage;

machine::machine(const machine_shape& shape, random_source& random)
  : shape_(shape),
    random_(random) {
  if (shape_.replicas)
    peers_ = shape_.replicas({random_, [this] { return elapsed_; }});
}

machine::~machine() {
  if (up())
    crash();
}

actors::node_options machine::options() {
  actors::node_options made;
  made.actors.reactors = shape_.reactors;
  made.actors.shards = 4;
  made.actors.wheel_tick = 5ms;
  made.actors.match_cache = 16;
  made.mqtt.max_inflight = 6;
  made.mqtt.session_expiry_interval = 40; // of MQTT 3.1.1
  made.storage.emplace();
  made.storage->directory = directory_.path();
  made.storage->sync = shape_.sync;
  made.storage->flush_interval = 400ms;
  made.storage->cache_bytes = std::size_t{1} << 20;
  made.storage->on_failure = [](std::string_view what) {
    throw std::runtime_error("the node ends itself: " + std::string{what});
  };
  made.world.now = [this] { return boot_ + elapsed_; };
  made.world.wall_ms = [this] {
    return std::int64_t{1'700'000'000'000} + elapsed_.count();
  };
  made.world.random = [this] { return random_(); };
  made.world.drive = [this] { return drive(); };
  if (peers_)
    made.world.make_log = [this](actors::log_parts&& parts) {
      return peers_->make_log(std::move(parts));
    };
  made.world.disk = disk_.get();
  made.world.broken = shape_.broken;
  made.world.reuses_identifiers = shape_.reuses_identifiers;
  return made;
}

bool machine::drive() {
  bool worked = false;
  for (std::size_t i = 0; i < shape_.reactors; ++i)
    worked |= turn(i);
  for (const auto which : node_storage::all_work)
    worked |= step(which);
  if (peers_ && !crashing_)
    worked |= peers_->work();
  if (starting_ && !worked) {
    // A node that nobody can be reached from would wait for ever.
    if (peers_ && elapsed_ - *starting_ > 5s)
      peers_->heal();
    if (elapsed_ - *starting_ > 60s)
      throw std::runtime_error("the node never leads its shards");
    let_pass(10ms);
  }
  return worked;
}

// ---- lives -----------------------------------------------------------------

void machine::start() {
  // A process knows nothing of the steady clock of the one before it.
  boot_ = std::chrono::steady_clock::time_point{std::chrono::nanoseconds{
    1'000'000'000ULL * (1 + random_() % 10'000) + random_() % 1'000'000'000}};
  if (peers_) {
    peers_->node_starts(shape_.reactors);
    starting_ = elapsed_;
  }
  node_ =
    std::make_unique<actors::node>(options(), [](const actors::log_line&) {});
  node_->start();
  starting_.reset();
}

void machine::stop() {
  disk_.on_sync({});
  node_->stop();
  if (peers_)
    peers_->node_ends();
  node_.reset();
  if (peers_)
    peers_->node_is_gone();
}

void machine::crash() {
  disk_.on_sync({});
  disk_.cut_power();
  if (peers_)
    peers_->node_ends();
  starting_.reset();
  crashing_ = true;
  node_->stop(); // whatever it writes now will not have happened
  node_.reset();
  if (peers_)
    peers_->node_is_gone();
  crashing_ = false;
  disk_.restore_power(random_);
  power_gone_ = false;
}

void machine::fail_at_next_sync() {
  disk_.on_sync(
    [this, here = std::this_thread::get_id()](std::string_view file) {
      // RocksDB's own threads sync when they like.
      if (!file.ends_with(".log") || std::this_thread::get_id() != here)
        return;
      disk_.cut_power();
      power_gone_ = true;
    });
}

// ---- work ------------------------------------------------------------------

bool machine::turn(std::size_t reactor) {
  auto& on = *node_->shared().homes[reactor];
  const bool logs = peers_ && peers_->node_turns(reactor, on);
  return on.turn(boot_ + elapsed_) || logs;
}

bool machine::step(node_storage::work which) {
  return node_->storage()->step(which);
}

int machine::attach(std::size_t reactor) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends)
      != 0)
    throw std::runtime_error("no socket pair");
  auto& shared = node_->shared();
  auto made = actors::spawn_pinned<actors::connection>(
    shared.system, *shared.homes[reactor], ends[0],
    shared.homes[reactor]->scope({}));
  made.self->begin(made.handle);
  return ends[1];
}

// ---- replicas --------------------------------------------------------------

bool machine::settled() const {
  if (!peers_)
    return true;
  const auto& all = node_->shared().shard_actors;
  return peers_->node_leads()
         && std::none_of(all.begin(), all.end(),
                         [](const auto* x) { return x->busy(); });
}

void machine::compare_replicas() {
  for (auto* x : node_->shared().shard_actors) {
    x->at().adopt_this_thread();
    x->flush();
  }
  while (step(node_storage::work::state)) {
  }
  peers_->compare(node_->storage()->state());
}

// ---- time ------------------------------------------------------------------

void machine::let_pass(std::chrono::milliseconds time) {
  elapsed_ += time;
  if (peers_)
    peers_->time_passed();
}

std::chrono::milliseconds machine::pass(std::chrono::milliseconds most) {
  if (peers_ && !up()) {
    const auto end = elapsed_ + most;
    while (elapsed_ < end) {
      let_pass(std::min(end - elapsed_, peers_->until_tick()));
      while (peers_->work()) {
      }
    }
    return most;
  }
  auto least = most;
  if (peers_)
    least = std::min(least, peers_->until_tick());
  if (up())
    for (auto& x : node_->shared().homes) {
      const auto next = x->wheel().next();
      if (next < boot_ + elapsed_ + least)
        least = std::max(1ms, std::chrono::ceil<std::chrono::milliseconds>(
                                next - boot_ - elapsed_));
    }
  let_pass(least);
  return least;
}

} // namespace troupe::simulator
