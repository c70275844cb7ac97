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

template <class F>
void node::on_all(F&& f) {
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

void node::open(const listener_options& of) {
  const bool local = of.kind == listener_kind::local;
  auto address = local ? net::endpoint{} : net::endpoint::parse(of.bind);
  if (!address)
    throw std::runtime_error("listener " + of.id() + ": \"" + of.bind
                             + "\" is no address, e.g. 127.0.0.1:1883");
  open_listener opened{of, {}, {}};
  listener_scope* first = nullptr;
  // One reactor after the other: the first may have to learn its port.
  for (auto& on : shared_->homes) {
    std::promise<std::error_code> done;
    on->post([&] {
      auto& scope = on->scope(of);
      if (first == nullptr)
        first = &scope;
      else
        scope.share(*first);
      auto made = spawn_pinned<listener>(*system_, *on, scope, *address);
      const auto error = made.self->error();
      if (error) {
        made.self->quit();
      } else {
        address = made.self->address();
        opened.actors.push_back(std::move(made.handle));
      }
      done.set_value(error);
    });
    if (const auto error = done.get_future().get()) {
      close(opened);
      throw std::runtime_error(
        "listener " + of.id() + " cannot listen on " + of.bind + ": "
        + error.message() + "; choose another address with listeners."
        + std::string{of.kind_name()} + '.' + of.name + ".bind");
    }
    if (local) // a file has one socket; the reactor that has it is enough
      break;
  }
  opened.address = *address;
  open_.push_back(std::move(opened));
}

void node::close(open_listener& which) {
  for (auto& x : which.actors)
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  which.actors.clear();
}

std::vector<node::listening> node::listeners() const {
  std::vector<listening> all;
  for (const auto& x : open_)
    all.push_back({x.of.id(), x.of.kind == listener_kind::local
                                ? x.of.bind
                                : x.address.to_string()});
  return all;
}

std::vector<node::known_listener> node::known_listeners() const {
  std::vector<known_listener> all;
  for (const auto& x : known_)
    all.push_back({x, {}, 0});
  for (auto& x : all)
    for (const auto& one : listeners())
      if (one.id == x.of.id())
        x.address = one.address;
  std::promise<void> counted;
  // What one reactor knows of them, all do.
  shared_->homes.front()->post([&] {
    for (auto& x : all)
      if (const auto* scope = shared_->homes.front()->find_scope(x.of.id()))
        x.connections = scope->connections().load();
    counted.set_value();
  });
  counted.get_future().wait();
  return all;
}

// ---- changes ---------------------------------------------------------------

node::open_listener* node::find_open(std::string_view id) {
  const auto found = std::find_if(
    open_.begin(), open_.end(), [&](const auto& x) { return x.of.id() == id; });
  return found == open_.end() ? nullptr : &*found;
}

void node::end_connections_of(const std::string& id) {
  // Whom the listener took before it heard of its end is told like the others.
  on_all([](home&) {});
  on_all([&](home& on) {
    const auto* scope = on.find_scope(id);
    std::vector<connection*> all;
    on.for_each_connection([&](connection& x) {
      if (&x.scope() == scope)
        all.push_back(&x);
    });
    for (auto* x : all) {
      client_event gone{kick{protocol::reason_code::administrative_action}};
      x->handle(gone);
    }
  });
}

namespace {

/// Whether a listener with the settings `a` has to be opened anew for `b`.
bool same_socket(const listener_options& a, const listener_options& b) {
  return a.bind == b.bind && a.backlog == b.backlog && a.mode == b.mode;
}

} // namespace

void node::change(const settings& to) {
  // What may fail comes first, and is taken back if it does.
  std::vector<open_listener> replaced;
  std::vector<std::string> opened;
  const auto has = [&](const std::string& id) {
    return std::any_of(to.listeners.begin(), to.listeners.end(),
                       [&](const auto& x) { return x.id() == id; });
  };
  try {
    for (const auto& x : to.listeners) {
      auto* before = find_open(x.id());
      if (before != nullptr && same_socket(before->of, x))
        continue;
      const bool same_place = before != nullptr && before->of.bind == x.bind;
      if (same_place) // another backlog: two sockets there would share clients
        close(*before);
      if (before != nullptr) {
        replaced.push_back(std::move(*before));
        open_.erase(open_.begin() + (before - open_.data()));
      }
      if (same_place)
        on_all([](home&) {});
      open(x);
      opened.push_back(x.id());
    }
  } catch (...) {
    for (const auto& id : opened)
      if (auto* x = find_open(id)) {
        close(*x);
        open_.erase(open_.begin() + (x - open_.data()));
      }
    for (auto& x : replaced) {
      on_all([&](home& on) { on.scope(x.of); });
      if (x.actors.empty())
        open(x.of);
      else
        open_.push_back(std::move(x));
    }
    throw;
  }
  for (auto& x : replaced)
    close(x);
  for (auto x = open_.begin(); x != open_.end();) {
    if (has(x->of.id())) {
      ++x;
      continue;
    }
    close(*x);
    const auto id = x->of.id();
    x = open_.erase(x);
    end_connections_of(id);
  }
  known_ = to.listeners;
  for (auto& x : open_)
    for (const auto& now : to.listeners)
      if (now.id() == x.of.id())
        x.of = now;
  shared_->admission.set_options(to.admission);
  on_all([&](home& on) {
    on.set_mqtt(to.mqtt);
    for (const auto& x : to.listeners)
      on.scope(x);
    on.for_each_connection([](connection& x) { x.limits_changed(); });
    for (auto* x : shared_->shard_actors)
      if (&x->at() == &on)
        x->limits_changed();
  });
  if (supervisor_)
    caf::anon_send(
      supervisor_, intervals_atom::value,
      static_cast<std::int64_t>(to.sys_message_interval.count()),
      static_cast<std::int64_t>(to.sys_heartbeat_interval.count()));
}

void node::set_observation(const observation_options& to) {
  on_all([&](home& on) { on.set_observation(to); });
}

void node::set_access(std::shared_ptr<const access_control> to) {
  on_all([&](home& on) { on.set_access(to); });
}

void node::on_bans_changed(std::function<void()> told) {
  shared_->admission.listen(
    [this, told = std::move(told)](std::shared_ptr<const auth::ban_list> now) {
      for (auto& x : shared_->homes)
        x->post([on = x.get(), now] { on->set_bans(now); });
      told();
    });
  const auto now = shared_->admission.bans();
  for (auto& x : shared_->homes)
    x->post([on = x.get(), now] { on->set_bans(now); });
}

bool node::stop_listener(std::string_view id) {
  auto* x = find_open(id);
  if (x == nullptr)
    return std::any_of(known_.begin(), known_.end(),
                       [&](const auto& one) { return one.id() == id; });
  close(*x);
  const auto name = x->of.id();
  open_.erase(open_.begin() + (x - open_.data()));
  end_connections_of(name);
  return true;
}

bool node::start_listener(std::string_view id) {
  if (find_open(id) != nullptr)
    return true;
  for (const auto& x : known_)
    if (x.id() == id) {
      open(x);
      return true;
    }
  return false;
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

node::numbers node::count_all() {
  numbers all;
  all.counters.resize(counter_descriptions.size());
  all.reactors.resize(shared_->homes.size());
  std::int64_t backlog_bytes = 0;
  std::int64_t resident_rows = 0;
  std::mutex guard;
  on_all([&](home& on) {
    std::int64_t in_flight = 0;
    std::int64_t queued = 0;
    on.for_each_connection([&](connection& x) {
      if (const auto* its = x.its_session()) {
        in_flight += static_cast<std::int64_t>(its->rules().in_flight_count());
        queued += static_cast<std::int64_t>(its->rules().queued());
      }
    });
    const std::lock_guard lock(guard);
    const auto& x = on.numbers();
    for (std::size_t i = 0; i < all.counters.size(); ++i)
      all.counters[i] += (x.*counter_descriptions[i].member).load();
    all.connections += x.connections.load();
    all.sessions += x.sessions.load() + x.offline_sessions.load();
    all.offline_sessions += x.offline_sessions.load();
    all.subscriptions += x.subscriptions.load();
    all.retained += x.retained.load();
    all.delayed += x.delayed.load();
    all.stored += x.stored.load();
    backlog_bytes += x.backlog_bytes.load();
    resident_rows += x.resident_rows.load();
    all.in_flight += in_flight;
    all.queued += queued;
    auto& r = all.reactors[on.index()];
    const auto& c = on.counters();
    r.turns = c.turns.load();
    r.turn_nanoseconds = c.turn_nanoseconds.load();
    r.longest_turn_nanoseconds = c.longest_turn_nanoseconds.load();
    r.socket_events = c.socket_events.load();
    r.wake_ups = c.wake_ups.load();
    r.mails = x.mails.load();
    r.batches = x.batches_sent.load();
    r.batch_items = x.batch_items_sent.load();
    r.credit_stalls = x.credit_stalls.load();
    r.connections = x.connections.load();
    r.helped = c.helped.load();
    for (std::size_t k = 0; k < r.kinds.size(); ++k)
      r.kinds[k] = {x.kinds[k].runs.load(), x.kinds[k].mails.load(),
                    x.kinds[k].deepest.load(), x.kinds[k].nanoseconds.load()};
    for (std::size_t to = 0; to < shared_->homes.size(); ++to)
      r.credit_used += shared_->credit(on.index(), to).used.load();
  });
  all.filters = static_cast<std::int64_t>(shared_->index.size());
  if (storage_) {
    const auto log = storage_->log().counters();
    const auto state = storage_->state().counters();
    all.storage = {
      .log_groups = log.groups,
      .log_entries = log.entries,
      .log_bytes = log.bytes,
      .log_write_nanoseconds = log.write_ns,
      .log_longest_write_nanoseconds = log.longest_write,
      .log_largest_group = log.largest_group,
      .log_disk_bytes = storage_->log().disk().total(),
      .state_writes = state.writes,
      .state_rows = state.rows,
      .state_bytes = state.bytes,
      .state_syncs = state.syncs,
      .state_sync_nanoseconds = state.sync_ns,
      .state_queued = state.queued,
      .state_disk_bytes = storage_->state().disk().total(),
      .free_bytes = storage_->free_bytes(),
      .space = static_cast<std::uint64_t>(storage_->space()),
      .clock_jump_ms = static_cast<std::uint64_t>(storage_->clock().excess()),
      .backlog_bytes = static_cast<std::uint64_t>(backlog_bytes),
      .resident_rows = static_cast<std::uint64_t>(resident_rows),
      .exact_filter_bytes = shared_->index.exact_durable().memory(),
      .cache_bytes = storage_->cache_bytes()};
  }
  return all;
}

std::array<hop_snapshot, hop_names.size()> node::hops() const {
  std::array<hop_snapshot, hop_names.size()> all;
  for (const auto& x : shared_->homes)
    for (std::size_t i = 0; i < all.size(); ++i)
      all.at(i).merge(x->numbers().hops.at(i).read());
  return all;
}

node::waiting node::load() const {
  std::array<std::int64_t, 5> all{};
  for (const auto& on : shared_->homes) {
    const auto& x = on->numbers();
    all[0] += x.uncommitted_bytes.load();
    all[1] += x.queued_bytes.load();
    all[2] += x.unsent_bytes.load();
    all[3] += x.blocked.load();
    all[4] += x.overload_level.load();
  }
  const auto at = [&](std::size_t i) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, all.at(i)));
  };
  return {at(0), at(1), at(2), at(3), static_cast<overload_level>(at(4))};
}

std::vector<slow_subscriptions::entry> node::slow_subscribers() {
  std::vector<slow_subscriptions::entry> all;
  std::mutex guard;
  std::size_t most = 0;
  on_all([&](home& on) {
    auto its = on.slow_subs().list(on.now());
    const std::lock_guard lock(guard);
    most = on.slow_subs().options().top;
    std::move(its.begin(), its.end(), std::back_inserter(all));
  });
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.took > b.took;
  });
  if (all.size() > most)
    all.resize(most);
  return all;
}

slow_subs_options node::slow_subs() {
  slow_subs_options now;
  on_all([&](home& on) {
    if (on.index() == 0)
      now = on.slow_subs().options();
  });
  return now;
}

template <class F>
void node::on_all_shards(F&& f) {
  on_all([&](home& on) {
    for (auto* x : shared_->shard_actors)
      if (&x->at() == &on)
        f(*x);
  });
}

std::vector<node::pin> node::pins() {
  std::vector<pin> all;
  std::mutex guard;
  on_all_shards([&](const topic_shard& x) {
    const std::lock_guard lock(guard);
    for (const auto& one : x.state().pins())
      all.push_back({x.number(), one});
  });
  std::sort(all.begin(), all.end(), [](const pin& a, const pin& b) {
    return a.what.bytes > b.what.bytes;
  });
  return all;
}

std::vector<node::group> node::groups() {
  std::map<std::pair<std::string, std::string>, group> all;
  std::mutex guard;
  on_all_shards([&](const topic_shard& x) {
    const std::lock_guard lock(guard);
    x.state().for_each_group([&](const cluster::filter_name& name,
                                 std::uint64_t members, bool declared,
                                 std::uint64_t leased) {
      auto& to = all[{name.share_name, name.filter}];
      to.name = name;
      to.members = std::max(to.members, members);
      to.declared |= declared;
      to.leased += leased;
    });
  });
  std::vector<group> made;
  made.reserve(all.size());
  for (auto& [name, x] : all)
    made.push_back(std::move(x));
  return made;
}

bool node::declare_group(const cluster::filter_name& name, bool declared) {
  std::promise<void> sent;
  shared_->homes.front()->post([&] {
    cluster::hold_command command;
    command.client_id = std::string{cluster::declared_holder};
    command.subscription.share_name = name.share_name;
    command.subscription.filter = name.filter;
    command.subscription.options.maximum_qos = protocol::qos::exactly_once;
    command.holds = declared;
    auto& on = *shared_->homes.front();
    on.for_each_shard_of(name.filter, [&](std::uint16_t shard) {
      on.to_shard(shard, cluster::hold_command{command});
    });
    on.send_batches();
    sent.set_value();
  });
  sent.get_future().wait();
  return settle_shards();
}

std::optional<connection::info> node::client(std::string_view client_id) {
  std::optional<connection::info> found;
  std::mutex guard;
  on_all([&](home& on) {
    on.for_each_connection([&](connection& x) {
      if (const auto* its = x.its_session();
          its != nullptr && its->client_id() == client_id) {
        const std::lock_guard lock(guard);
        found = x.describe();
      }
    });
  });
  return found;
}

void node::publish(const protocol::message_options& what) {
  auto options = what;
  options.received_at = shared_->as_stored(shared_->options.world.now());
  const auto message = protocol::message::make(options);
  auto& on = *shared_->homes.front();
  on.post([&on, message] { on.publish(message); });
}

} // namespace troupe::actors
