#include "actors/node.hpp"

#include "actors/listener.hpp"
#include "actors/node_storage.hpp"
#include "actors/supervisor.hpp"
#include "actors/topic_shard.hpp"

#include <caf/all.hpp>

#include <future>
#include <stdexcept>

namespace troupe::actors {

namespace {

std::size_t cores() {
  return std::max(1U, std::thread::hardware_concurrency());
}

} // namespace

node::node(node_options options, log_sink log) : started_(options.world.now()) {
  if (options.actors.reactors == 0)
    options.actors.reactors = std::max<std::size_t>(1, cores() - 1);
  if (options.storage)
    storage_ = std::make_unique<node_storage>(*options.storage, options.world,
                                              options.actors.shards);
  config_.set("scheduler.max-threads", options.actors.worker_threads);
  system_ = std::make_unique<caf::actor_system>(config_);
  shared_ = std::make_unique<shared_state>(*system_, options, std::move(log));
  const auto& dials = shared_->options.actors;
  for (std::size_t i = 0; i < dials.reactors; ++i) {
    net::reactor_options x;
    x.index = i;
    x.wheel_tick = dials.wheel_tick;
    x.core = dials.pin_reactors ? static_cast<int>(i % cores()) : -1;
    x.own_file_table = dials.own_file_tables;
    x.sockets_per_turn = dials.sockets_per_turn;
    x.bytes_per_turn = dials.bytes_per_turn;
    x.start = started_;
    shared_->homes.push_back(std::make_unique<home>(*shared_, x));
  }
  for (auto& x : shared_->homes)
    x->connect_homes();
  for (std::size_t i = 0; i < dials.shards; ++i) {
    auto made =
      spawn_pinned<topic_shard>(*system_, *shared_->homes[i % dials.reactors],
                                static_cast<std::uint16_t>(i));
    shared_->shards.push_back(std::move(made.handle));
    shared_->shard_actors.push_back(made.self);
  }
}

node::~node() {
  stop();
  if (!started_once_)
    end_without_threads();
  shared_->shards.clear();
  shared_->shard_actors.clear();
  for (auto& x : shared_->homes)
    x->dispatcher_handle = {};
  shared_->homes.clear();
  shared_.reset();
}

void node::on_all(const std::function<void(home&)>& f) const {
  std::vector<std::promise<void>> done(shared_->homes.size());
  for (std::size_t i = 0; i < done.size(); ++i)
    shared_->homes[i]->post([&, i] {
      try {
        f(*shared_->homes[i]);
        done[i].set_value();
      } catch (...) {
        done[i].set_exception(std::current_exception());
      }
    });
  for (auto& x : done) {
    const auto finished = x.get_future();
    while (!threaded()
           && finished.wait_for(std::chrono::seconds{0})
                != std::future_status::ready)
      shared_->options.world.drive();
    finished.wait();
  }
}

void node::end_without_threads() {
  for (auto& x : shared_->homes) {
    x->adopt_this_thread();
    std::vector<connection*> left; // e.g. with a claim that nobody answers
    x->for_each_connection([&](connection& c) { left.push_back(&c); });
    for (auto* c : left)
      c->quit(caf::exit_reason::user_shutdown);
  }
  for (auto& x : shared_->shards)
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  for (auto& x : shared_->homes)
    caf::anon_send_exit(x->dispatcher_handle, caf::exit_reason::user_shutdown);
  // Mail may lead to mail on another home, so more than one round.
  for (int round = 0; round < 4; ++round)
    for (auto& x : shared_->homes) {
      x->adopt_this_thread();
      x->turn(x->now());
    }
}

void node::start() {
  if (storage_) {
    shared_->times = &storage_->times();
    shared_->index.exact_durable().reserve(storage_->state().estimated_rows(
      static_cast<std::uint8_t>(cluster::row_family::filter)));
    for (auto* x : shared_->shard_actors)
      x->recover(*storage_);
    // Threads of the databases begin here, with this thread's file table.
    storage_->start(*shared_);
  }
  running_ = started_once_ = true;
  for (auto& x : shared_->homes) {
    if (threaded()) {
      x->start();
    } else {
      x->adopt_this_thread();
      x->start_sweeping();
    }
  }
  if (storage_) {
    for (std::size_t i = 0; i < shared_->shard_actors.size(); ++i)
      shared_->homes[i % shared_->homes.size()]->post(
        [x = shared_->shard_actors[i]] { x->begin(); });
    // Without the other replicas there is nothing that may be served.
    while (!settle_shards() && shared_->options.world.make_log) {
    }
  }
  on_bans_changed([] {});
  if (!threaded())
    return;
  known_ = shared_->options.listeners;
  for (const auto& x : known_)
    open(x);
  supervisor_options watch;
  watch.of = this;
  watch.message_interval = shared_->options.sys_message_interval;
  watch.heartbeat_interval = shared_->options.sys_heartbeat_interval;
  supervisor_ = system_->spawn(supervisor, watch);
}

std::chrono::seconds node::uptime() const {
  return std::chrono::duration_cast<std::chrono::seconds>(
    shared_->options.world.now() - started_);
}

void node::on_each_reactor(const std::function<void(std::size_t)>& f) {
  for (auto& x : shared_->homes)
    x->post([f, i = x->index()] { f(i); });
}

void node::stop() {
  if (!std::exchange(running_, false))
    return;
  shared_->stopping.store(true);
  if (supervisor_)
    caf::anon_send_exit(supervisor_, caf::exit_reason::user_shutdown);
  supervisor_ = {};
  for (auto& x : open_)
    close(x);
  open_.clear();
  // Whom a listener takes before it hears of its end is told like the others.
  for (int i = 0; i < 2; ++i)
    on_all([](home&) {});
  on_all([](home& on) {
    std::vector<connection*> all;
    on.for_each_connection([&](connection& x) { all.push_back(&x); });
    for (auto* x : all) {
      client_event gone{kick{protocol::reason_code::server_shutting_down}};
      x->handle(gone);
    }
  });
  // Releases and wills pass the shards before these end.
  settle_shards();
  if (storage_)
    on_all([&](home& on) {
      for (auto* x : shared_->shard_actors)
        if (&x->at() == &on)
          x->flush();
    });
  for (auto& x : shared_->shards)
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  for (auto& x : shared_->homes)
    caf::anon_send_exit(x->dispatcher_handle, caf::exit_reason::user_shutdown);
  for (int i = 0; i < 2; ++i)
    on_all([](home&) {});
  for (auto& x : shared_->homes)
    x->stop_and_join();
  // A reactor may have ended with an actor's last mail unread.
  end_without_threads();
  shared_->tracer.close();
  if (storage_)
    storage_->stop();
  shared_->graveyard.drain();
}

bool node::settle_shards() {
  // What one shard commits may be for another, so a quiet round is not enough.
  const auto until =
    std::chrono::steady_clock::now() + std::chrono::seconds{10};
  int quiet = 0;
  int idle = 0; // rounds in which nobody had anything to do
  while (quiet < 3 && idle < 8 && std::chrono::steady_clock::now() < until) {
    std::atomic<bool> busy{false};
    on_all([&](home& on) {
      for (const auto* x : shared_->shard_actors)
        if (&x->at() == &on && x->busy())
          busy = true;
    });
    quiet = busy ? 0 : quiet + 1;
    if (!busy)
      continue;
    if (threaded())
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    else
      idle = shared_->options.world.drive() ? 0 : idle + 1;
  }
  return quiet == 3;
}

void node::publish(const protocol::message_options& what) {
  auto options = what;
  options.received_at = shared_->as_stored(shared_->options.world.now());
  const auto message = protocol::message::make(options);
  auto& on = *shared_->homes.front();
  on.post([&on, message] { on.publish(message); });
}

} // namespace troupe::actors
