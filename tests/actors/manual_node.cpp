#include "tests/actors/manual_node.hpp"

#include "actors/node.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <stdexcept>
#include <sys/socket.h>

namespace troupe::test {

using actors::home;

struct manual_node::parts {
  explicit parts(const actors::node_options& options)
    : node(options, [](const actors::log_line&) {}) {}

  actors::node node;
  std::chrono::steady_clock::time_point now;
  std::vector<std::unique_ptr<client>> clients;
  bool shut_down = false;

  auto& homes() { return node.shared().homes; }
  std::vector<actors::connection*> connections(home& on) {
    std::vector<actors::connection*> all;
    on.for_each_connection([&](auto& x) { all.push_back(&x); });
    return all;
  }
  template <class F>
  auto sum(F&& f) {
    decltype(f(*homes().front())) total{};
    for (auto& x : homes())
      total += f(*x);
    return total;
  }
  template <class F>
  std::int64_t sum_sessions(F&& f) {
    return sum([&](home& on) {
      std::int64_t total = 0;
      on.for_each_connection([&](actors::connection& x) {
        if (const auto* its = x.its_session())
          total += static_cast<std::int64_t>(f(its->rules()));
      });
      return total;
    });
  }
};

manual_node::manual_node(const actors::node_options& options)
  : parts_(std::make_unique<parts>(options)) {
  for (auto& x : parts_->homes()) {
    x->adopt_this_thread();
    parts_->now = std::max(parts_->now, x->now());
  }
  for (auto& x : parts_->homes()) {
    x->turn(parts_->now);
    x->start_sweeping();
  }
}

manual_node::~manual_node() {
  if (!parts_->shut_down)
    shut_down();
}

bool manual_node::turn_all() {
  bool worked = false;
  for (auto& on : parts_->homes()) {
    for (auto& x : parts_->clients)
      worked |= x->pump();
    worked |= on->turn(parts_->now);
  }
  return worked;
}

void manual_node::run_until_idle() {
  // A few idle rounds: credit and what was retired need turns to pass.
  for (int idle = 0, rounds = 0; idle < 4; ++rounds) {
    idle = turn_all() ? 0 : idle + 1;
    if (rounds == 1'000'000)
      throw std::runtime_error("the node never becomes idle");
  }
}

void manual_node::advance(std::chrono::milliseconds time) {
  const auto target = parts_->now + time;
  run_until_idle();
  while (parts_->now < target) {
    auto next = target;
    for (auto& x : parts_->homes())
      next = std::min(next, x->wheel().next());
    parts_->now = std::min(
      target,
      std::max(next, parts_->now + parts_->node.options().actors.wheel_tick));
    run_until_idle();
  }
}

void manual_node::settle() {
  run_until_idle();
  // What is sent at QoS 2 takes a few commits for each window of messages.
  if (parts_->node.options().actors.log_commit_delay != 0ms)
    advance(100 * parts_->node.options().actors.log_commit_delay);
}

client& manual_node::attach(std::size_t on, int send_buffer) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends)
      != 0)
    throw std::runtime_error("no socket pair");
  if (send_buffer != 0)
    ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &send_buffer,
                 sizeof send_buffer);
  auto& shared = parts_->node.shared();
  auto made = actors::spawn_pinned<actors::connection>(
    shared.system, *shared.homes[on], ends[0], shared.homes[on]->scope({}));
  made.self->begin(made.handle);
  parts_->clients.push_back(std::make_unique<client>(ends[1]));
  return *parts_->clients.back();
}

client& manual_node::connect(std::size_t on, const connect_shape& shape) {
  auto& made = attach(on);
  made.connect(shape);
  settle();
  if (made.connacks != 1)
    throw std::runtime_error("no CONNACK for " + shape.id);
  return made;
}

void manual_node::subscribe(client& who, const std::string& filter,
                            const subscribe_shape& shape) {
  const auto before = who.subacks.size();
  who.subscribe(filter, shape);
  settle();
  if (who.subacks.size() != before + 1)
    throw std::runtime_error("no SUBACK for " + filter);
}

void manual_node::set_access(
  const std::shared_ptr<const actors::access_control>& to) {
  for (auto& x : parts_->homes())
    x->set_access(to);
  run_until_idle();
}

std::size_t manual_node::homes() const noexcept {
  return parts_->homes().size();
}

std::uint64_t manual_node::operator[](std::string_view dotted) const {
  for (const auto& x : actors::counter_descriptions)
    if (x.dotted == dotted)
      return parts_->sum(
        [&](home& on) { return (on.numbers().*x.member).load(); });
  throw std::runtime_error("no counter " + std::string{dotted});
}

std::uint64_t manual_node::credit_stalls() const {
  return parts_->sum(
    [](home& on) { return on.numbers().credit_stalls.load(); });
}

std::int64_t manual_node::in_flight() const {
  return parts_->sum_sessions([](auto& x) { return x.in_flight_count(); });
}

std::int64_t manual_node::queued() const {
  return parts_->sum_sessions([](auto& x) { return x.queued(); });
}

std::int64_t manual_node::offline_sessions() const {
  return parts_->sum(
    [](home& on) { return on.numbers().offline_sessions.load(); });
}

std::int64_t manual_node::retained() const {
  return parts_->sum([](home& on) { return on.numbers().retained.load(); });
}

std::int64_t manual_node::stored() const {
  return parts_->sum([](home& on) { return on.numbers().stored.load(); });
}

std::int64_t manual_node::subscriptions() const {
  return parts_->sum(
    [](home& on) { return on.numbers().subscriptions.load(); });
}

std::size_t manual_node::filters() const {
  return parts_->node.shared().index.size();
}

std::size_t manual_node::largest_queue() const {
  std::size_t largest = 0;
  parts_->sum_sessions([&](auto& x) {
    largest = std::max(largest, x.queued());
    return 0;
  });
  return largest;
}

std::size_t manual_node::running_actors() const {
  return parts_->node.shared().system.registry().running();
}

void manual_node::shut_down() {
  auto& shared = parts_->node.shared();
  parts_->shut_down = true;
  shared.stopping.store(true);
  for (auto& on : parts_->homes())
    for (auto* x : parts_->connections(*on)) {
      actors::client_event gone{
        actors::kick{reason_code::server_shutting_down}};
      x->handle(gone);
    }
  settle();
  for (auto& x : shared.shards)
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  for (auto& x : parts_->homes())
    caf::anon_send_exit(x->dispatcher_handle, caf::exit_reason::user_shutdown);
  run_until_idle();
  shared.graveyard.drain();
}

actors::node_options options_with(std::size_t homes,
                                  std::chrono::milliseconds log_delay) {
  actors::node_options made;
  made.actors.reactors = homes;
  made.actors.log_commit_delay = log_delay;
  made.actors.wheel_tick = 5ms;
  made.actors.match_cache = 64;
  return made;
}

} // namespace troupe::test
