#include "tests/simulator/simulation.hpp"

#include <exception>

namespace troupe::simulator {

using namespace std::chrono_literals;
using actors::node_storage;

namespace {

constexpr std::uint32_t hours = 3'600;

machine_shape shape_of(const run_options& options) {
  auto shape = options.machine;
  shape.reactors = 1 + options.seed % 3;
  return shape;
}

} // namespace

simulation::simulation(const run_options& options)
  : options_(options),
    random_(options.seed),
    machine_(shape_of(options), random_),
    notes_(options.lines) {
  const auto add = [&](const client_shape& shape) {
    clients_.push_back(std::make_unique<client>(seen_, notes_, shape));
    return clients_.size() - 1;
  };
  constexpr auto old = protocol_version::mqtt_3_1_1;
  constexpr auto v5 = protocol_version::mqtt_5_0;
  add({.id = "a", .expiry = 8, .receive_maximum = 3});
  add({.id = "b", .expiry = 24});
  add({.id = "c", .expiry = hours, .receive_maximum = 2});
  add({.id = "d", .version = old, .expiry = 40});
  add({.id = "e"});
  add({.id = "f", .version = old});
  first_member_ = add({.id = "m", .expiry = hours, .share = "one"});
  add({.id = "n", .version = v5, .expiry = 20, .share = "one"});
  add({.id = "o", .share = "one"});
  add({.id = "p", .expiry = hours, .receive_maximum = 4, .share = "two"});
  add({.id = "q", .version = old, .expiry = 40, .share = "two"});
  reader_ = add({.id = "reader"});
  watcher_ = add({.id = "watcher", .expiry = hours});
}

void simulation::note(std::string text) {
  notes_.note(std::to_string(seen_.now) + " at "
              + std::to_string(machine_.elapsed().count())
              + " ms: " + std::move(text));
}

run_result simulation::run() {
  try {
    begin();
    auto until_quiet = 100 + one_of(200);
    while (seen_.now < options_.events && seen_.sound()) {
      ++seen_.now;
      seen_.time = machine_.elapsed();
      event();
      check_replicas();
      if (--until_quiet == 0) {
        quiet();
        until_quiet = 100 + one_of(200);
      }
    }
    if (seen_.sound())
      quiet();
    if (seen_.sound())
      stop_node();
  } catch (const std::exception& e) {
    seen_.violated("node", e.what());
  }
  result_.violations = seen_.violations;
  result_.events = seen_.now;
  result_.hash = notes_.hash();
  result_.publications = seen_.publications.size();
  result_.deliveries = seen_.deliveries;
  result_.elapsed = machine_.elapsed();
  if (machine_.others() != nullptr)
    result_.replicas = machine_.others()->counters();
  if (seen_.sound())
    return result_;
  result_.report = "seed " + std::to_string(options_.seed) + ", event "
                   + std::to_string(seen_.now) + "\n";
  for (const auto& line : notes_.last()) {
    for (const char c : line) // packets are noted as they are
      result_.report += c < ' ' || c > '~' ? '.' : c;
    result_.report += '\n';
  }
  for (const auto& line : seen_.violations)
    result_.report += line + '\n';
  return result_;
}

/// From the beginning somebody is to get all wills.
void simulation::begin() {
  start_node();
  auto& watcher = *clients_[watcher_];
  come(watcher);
  settle();
  watcher.subscribe("will/+", qos::exactly_once,
                    protocol::retain_handling::do_not_send);
  settle();
}

// ---- events ----------------------------------------------------------------

void simulation::event() {
  if (seen_.now == hangs_until_ && chance(50)) {
    crash_node();
    return;
  }
  if (auto* others = machine_.others(); others != nullptr && chance(45)) {
    note(others->event());
    return;
  }
  const auto dice = one_of(200);
  if (dice < 50) {
    clients_[one_of(static_cast<std::uint32_t>(clients_.size()))]->pump();
  } else if (dice < 104) {
    turn_some();
  } else if (dice < 132) {
    step(work::log);
  } else if (dice < 142) {
    const auto& all = node_storage::all_work;
    step(all[one_of(static_cast<std::uint32_t>(all.size()))]);
  } else if (dice < 152) {
    pass_time();
  } else if (dice < 197) {
    client_acts();
  } else if (dice < 199) {
    have_state_hang();
  } else {
    something_rare();
  }
}

void simulation::turn_some() {
  // Often a few of everything, so that what was begun comes to something.
  for (auto rounds = chance(30) ? 4U : 1U; rounds != 0; --rounds) {
    const auto which = one_of(static_cast<std::uint32_t>(machine_.reactors()));
    note("turn " + std::to_string(which));
    machine_.turn(which);
  }
}

void simulation::step(work which) {
  if (hangs(which))
    return;
  const bool worked = machine_.step(which);
  note("step " + std::to_string(static_cast<int>(which))
       + (worked ? "" : ", nothing to do"));
  if (machine_.has_failed())
    crash_node();
}

void simulation::pass_time() {
  const auto dice = one_of(100);
  const auto most = dice < 70 ? 50U : dice < 95 ? 600U : 4'000U;
  machine_.pass(milliseconds{1 + one_of(most)});
  seen_.time = machine_.elapsed();
  note("time passes");
}

/// All else goes on, often for so long that what was told by the state, if it
/// should not have been, has consequences.
void simulation::have_state_hang() {
  note("the state hangs");
  step(work::state);
  hangs_until_ = seen_.now + 1 + one_of(150);
  if (chance(30))
    advance(milliseconds{one_of(3'000)});
}

void simulation::something_rare() {
  const auto dice = one_of(100);
  if (dice < 35) {
    crash_node();
  } else if (dice < 50) {
    note("the power will fail");
    machine_.fail_at_next_sync();
  } else if (dice < 60) {
    stop_node();
    start_node();
  } else if (dice < 75) {
    note("a while passes");
    advance(milliseconds{1 + one_of(30'000)});
  } else {
    settle();
  }
}

// ---- the node --------------------------------------------------------------

void simulation::start_node() {
  note("start");
  hangs_until_ = 0;
  machine_.start();
  seen_.time = machine_.elapsed();
  for (auto& x : clients_)
    x->node_starts();
}

void simulation::stop_node() {
  regain();
  note("stop");
  ++result_.stops;
  seen_.node_stops = true;
  machine_.stop();
  for (auto& x : clients_)
    x->cut(0, chance(80));
  seen_.node_ended();
}

/// Of what was on its way, anything may have arrived.
void simulation::crash_node() {
  note("crash");
  ++result_.crashes;
  for (auto& x : clients_)
    x->cut(0, chance(50));
  machine_.crash();
  seen_.node_ended();
  if (auto* others = machine_.others(); others != nullptr && chance(10))
    others->crash_some();
  if (chance(30)) {
    machine_.pass(milliseconds{one_of(15'000)});
    seen_.time = machine_.elapsed();
  }
  start_node();
  if (chance(15))
    crash_node();
}

// ---- until nothing happens any more ----------------------------------------

bool simulation::settle_round() {
  bool worked = machine_.others() != nullptr && machine_.others()->work();
  for (auto& x : clients_)
    worked |= x->pump();
  for (std::size_t i = 0; i < machine_.reactors(); ++i)
    worked |= machine_.turn(i);
  for (const auto which : node_storage::all_work) {
    worked |= !hangs(which) && machine_.step(which);
    if (machine_.has_failed()) {
      crash_node();
      return true;
    }
  }
  return worked;
}

void simulation::settle() {
  note("settle");
  // A few idle rounds: credit and what was retired need turns to pass.
  for (int idle = 0, rounds = 0; idle < 4 && seen_.sound(); ++rounds) {
    idle = settle_round() ? 0 : idle + 1;
    if (rounds == 100'000)
      throw std::runtime_error("the node never becomes idle");
  }
  check_replicas();
  if (!seen_.sound() || !machine_.settled())
    return;
  for (auto& x : clients_)
    x->node_is_idle();
  seen_.node_is_idle();
}

void simulation::regain() {
  if (machine_.others() == nullptr)
    return;
  const auto until = machine_.elapsed() + 20s;
  machine_.others()->heal();
  settle();
  while (!machine_.settled() && seen_.sound()) {
    if (machine_.elapsed() > until)
      throw std::runtime_error("the node does not lead its shards again");
    machine_.pass(100ms);
    seen_.time = machine_.elapsed();
    settle();
  }
}

void simulation::advance(milliseconds time) {
  const auto target = machine_.elapsed() + time;
  settle();
  while (machine_.elapsed() < target && seen_.sound()) {
    machine_.pass(target - machine_.elapsed());
    seen_.time = machine_.elapsed();
    settle();
  }
}

/// Whoever has a session that lasts comes back, acknowledges, and waits for
/// wills and for what was delayed.
void simulation::quiet() {
  note("quiet");
  hangs_until_ = 0;
  regain();
  for (int round = 0; round < 3; ++round) {
    for (auto& x : clients_) {
      x->be_slow(false);
      if (x->durable() && !x->open())
        come(*x);
    }
    settle();
  }
  advance(7s);
  if (!seen_.sound())
    return;
  regain();
  seen_.check_quiet();
  check_ledger();
  if (machine_.others() != nullptr)
    machine_.compare_replicas();
  check_replicas();
}

void simulation::check_replicas() {
  if (const auto* others = machine_.others();
      others != nullptr && !others->wrong().empty() && seen_.sound())
    seen_.violated("replicas", others->wrong());
}

/// [I11]: each side is counted where it happens, none is derived; and what
/// clients counted is the same, or more where connections broke.
void simulation::check_ledger() {
  const auto all = machine_.numbers();
  const auto of = [&](std::string_view dotted) {
    for (std::size_t i = 0; i < all.counters.size(); ++i)
      if (actors::counter_descriptions[i].dotted == dotted)
        return all.counters[i];
    throw std::runtime_error("no counter " + std::string{dotted});
  };
  const auto began = of("delivery.routed") + of("delivery.resumed");
  auto ended = of("messages.acked") + of("messages.qos0.sent")
               + of("delivery.handed_over") + of("delivery.suspended")
               + static_cast<std::uint64_t>(all.in_flight + all.queued);
  for (const auto& x : actors::counter_descriptions)
    if (x.dotted.starts_with("delivery.dropped."))
      ended += of(x.dotted);
  const auto received = of("messages.received");
  const auto accounted =
    of("messages.qos2.duplicates") + of("messages.publish.routed")
    + of("messages.dropped.no_subscribers") + of("messages.publish.refused");
  client::counts theirs;
  for (const auto& x : clients_) {
    theirs.publishes += x->numbers.publishes;
    theirs.acks += x->numbers.acks;
    theirs.got += x->numbers.got;
    theirs.lost |= x->numbers.lost;
  }
  const auto compare = [&](const char* what, std::uint64_t a, std::uint64_t b,
                           bool may_exceed = false) {
    if (a == b || (may_exceed && a < b))
      return;
    seen_.violated("I11", std::string{what} + ": " + std::to_string(a) + " and "
                            + std::to_string(b));
  };
  compare("deliveries begun and ended", began, ended);
  compare("messages taken and accounted for", received, accounted);
  compare("messages taken and published", received, theirs.publishes,
          theirs.lost);
  compare("acknowledgements taken and sent",
          of("messages.acked") + of("packets.puback.missed")
            + of("packets.pubcomp.missed"),
          theirs.acks, theirs.lost);
  compare("messages got and sent", theirs.got,
          of("messages.qos0.sent") + of("messages.qos1.sent")
            + of("messages.qos2.sent") + of("messages.resent"),
          theirs.lost);
}

run_result simulate(const run_options& options) {
  return simulation{options}.run();
}

} // namespace troupe::simulator
