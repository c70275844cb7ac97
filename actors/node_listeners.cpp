// Listeners that come and go, and what else changes while a node runs.

#include "actors/listener.hpp"
#include "actors/node.hpp"
#include "actors/supervisor.hpp"
#include "actors/topic_shard.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <future>
#include <iterator>
#include <stdexcept>

namespace troupe::actors {

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

/// Whether the system chooses, so that each gets a port of its own.
bool chooses_port(const listener_options& x) {
  const auto at = net::endpoint::parse(x.bind);
  return x.kind != listener_kind::local && at && at->port() == 0;
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
      if (const auto* now = find_open(x.id());
          now != nullptr && same_socket(now->of, x))
        continue;
      // Whoever has the place (with another backlog, or another name) goes
      // first: two sockets there would share clients, and a file has one.
      const auto take_out = [&](const auto& which) {
        const auto from = std::stable_partition(
          open_.begin(), open_.end(), [&](const auto& y) { return !which(y); });
        std::move(from, open_.end(), std::back_inserter(replaced));
        open_.erase(from, open_.end());
      };
      const auto in_place = [&](const open_listener& y) {
        return y.of.bind == x.bind && (y.of.id() == x.id() || !chooses_port(x));
      };
      take_out(
        [&](const auto& y) { return y.of.id() == x.id() || in_place(y); });
      for (auto& y : replaced)
        if (in_place(y))
          close(y);
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
  for (auto& x : replaced) {
    close(x);
    if (!has(x.of.id()))
      end_connections_of(x.of.id());
  }
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
    [this,
     told = std::move(told)](const std::shared_ptr<const auth::ban_list>& now) {
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

} // namespace troupe::actors
