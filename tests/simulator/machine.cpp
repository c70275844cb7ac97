#include "tests/simulator/machine.hpp"

#include <stdexcept>
#include <sys/socket.h>
#include <thread>

namespace troupe::simulator {

using actors::node_storage;

machine::machine(const machine_shape& shape, random_source& random)
  : shape_(shape),
    random_(random) {}

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
  return worked;
}

// ---- lives -----------------------------------------------------------------

void machine::start() {
  // A process knows nothing of the steady clock of the one before it.
  boot_ = std::chrono::steady_clock::time_point{std::chrono::nanoseconds{
    1'000'000'000ULL * (1 + random_() % 10'000) + random_() % 1'000'000'000}};
  node_ =
    std::make_unique<actors::node>(options(), [](const actors::log_line&) {});
  node_->start();
}

void machine::stop() {
  disk_.on_sync({});
  node_->stop();
  node_.reset();
}

void machine::crash() {
  disk_.on_sync({});
  disk_.cut_power();
  node_->stop(); // whatever it writes now will not have happened
  node_.reset();
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
  return node_->shared().homes[reactor]->turn(boot_ + elapsed_);
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
    shared.system, *shared.homes[reactor], ends[0], listener_);
  made.self->begin(made.handle);
  return ends[1];
}

// ---- time ------------------------------------------------------------------

std::chrono::milliseconds machine::pass(std::chrono::milliseconds most) {
  auto least = most;
  if (up())
    for (auto& x : node_->shared().homes) {
      const auto next = x->wheel().next();
      if (next < boot_ + elapsed_ + least)
        least = std::max(1ms, std::chrono::ceil<std::chrono::milliseconds>(
                                next - boot_ - elapsed_));
    }
  elapsed_ += least;
  return least;
}

} // namespace troupe::simulator
