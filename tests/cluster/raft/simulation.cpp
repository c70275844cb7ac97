#include "tests/cluster/raft/simulation.hpp"

#include "protocol/hash.hpp"

namespace troupe::test {

using namespace cluster;

raft_simulation::raft_simulation(simulation_options options)
  : options_(options),
    random_(options.seed) {
  raft_engine::seed(options.seed);
  for (std::uint16_t i = 0; i < simulated_shards; ++i) {
    const auto seed = static_cast<std::uint32_t>(random_());
    shards_.push_back({random_commands{seed}, {}});
  }
  node_world& world = *this;
  for (std::uint64_t id = 1; id <= simulated_nodes; ++id)
    nodes_.push_back(std::make_unique<raft_node>(
      static_cast<node_id>(id), world, node_shape{options.broken}));
}

raft_simulation::~raft_simulation() = default;

std::optional<std::string> raft_simulation::run() {
  try {
    for (auto& x : nodes_)
      start(*x);
    for (std::uint16_t i = 0; i < simulated_shards; ++i)
      propose_again_and_again(i);
    after(500ms, [this] { make_trouble(); });
    run_until(now_ + options_.trouble);
    heal();
    run_until(now_ + 5s);
    if (!wrong_)
      check_end();
  } catch (const std::exception& e) {
    wrong(e.what());
  }
  counters_.agreed = agreed_.counters();
  return wrong_;
}

// ---- time and network ------------------------------------------------------

void raft_simulation::after(std::chrono::milliseconds time,
                            std::function<void()> f) {
  events_.push({now_ + time, scheduled_++, std::move(f)});
}

void raft_simulation::run_until(time_point end) {
  while (!events_.empty() && events_.top().due <= end && !wrong_) {
    const auto next = events_.top();
    events_.pop();
    now_ = next.due;
    next.what();
  }
  now_ = end;
}

void raft_simulation::send(node_id from, node_id to, std::uint16_t shard,
                           std::vector<std::uint8_t> message) {
  ++counters_.messages;
  if (cut_.contains({from, to}) || chance(drop_))
    return;
  const auto bytes =
    std::make_shared<std::vector<std::uint8_t>>(std::move(message));
  for (int copies = chance(0.02) ? 2 : 1; copies > 0; --copies)
    after(std::chrono::milliseconds{random(1, delay_max_ms_)},
          [this, from, to, shard, bytes] {
            if (node(to).up() && !cut_.contains({from, to}))
              node(to).receive(shard, *bytes);
          });
}

// ---- disks and clocks ------------------------------------------------------

void raft_simulation::start(raft_node& which) {
  which.start();
  tick(which);
  which.advance();
}

void raft_simulation::tick(raft_node& which) {
  after(std::chrono::milliseconds{random(5, 30)},
        [this, &which, life = which.life()] {
          if (life != which.life())
            return;
          which.advance();
          tick(which);
        });
}

void raft_simulation::to_write(raft_node& by) {
  if (!writing_.insert(by.id()).second)
    return;
  const auto wait = slow_.contains(by.id()) ? random(30, 700)
                    : random(0, 19) == 0    ? random(10, 150)
                                            : random(1, 6);
  after(std::chrono::milliseconds{wait}, [this, &by, life = by.life()] {
    if (life != by.life())
      return;
    writing_.erase(by.id());
    by.write();
  });
}

// ---- clients ---------------------------------------------------------------

raft_node* raft_simulation::leader_of(std::uint16_t shard) {
  for (auto& x : nodes_)
    if (x->up() && x->log(shard).leads())
      return x.get();
  return nullptr;
}

void raft_simulation::propose_again_and_again(std::uint16_t shard) {
  if (calm_)
    return;
  // Deposed leaders that do not know it yet are proposed to as well, and
  // sometimes those that never were one.
  for (auto& x : nodes_)
    if (x->up() && x->log(shard).outstanding() < 4
        && (x->log(shard).leads() || chance(0.02)))
      propose(shard, *x);
  after(std::chrono::milliseconds{random(2, 60)},
        [this, shard] { propose_again_and_again(shard); });
}

void raft_simulation::propose(std::uint16_t shard, raft_node& to) {
  auto& of = shards_[shard];
  std::vector<command> commands;
  // No two entries are the same.
  commands.emplace_back(
    remove_retained_command{"entry/" + std::to_string(scheduled_++)});
  for (auto count = random(1, 4); count > 0; --count)
    commands.push_back(of.next(of.seen));
  to.propose(shard, std::move(commands));
}

void raft_simulation::granted(std::uint16_t shard,
                              const std::vector<claim_granted>& all) {
  auto& seen = shards_[shard].seen.grants;
  seen.insert(seen.end(), all.begin(), all.end());
}

// ---- what must be true -----------------------------------------------------

void raft_simulation::wrong(const std::string& what) {
  if (!wrong_)
    wrong_ =
      text(what, ", ", describe(now_) / 1'000'000, " ms after the start");
}

void raft_simulation::note(const std::string& what) {
  counters_.fingerprint = protocol::hash64(
    text(counters_.fingerprint, ' ', describe(now_), ' ', what));
}

void raft_simulation::applied(node_id by, std::uint16_t shard, log_index index,
                              const std::string& entry, bool own) {
  note(text(static_cast<std::uint64_t>(by), ' ', shard, ' ', index, ' ',
            protocol::hash64(entry)));
  if (own)
    ++counters_.acknowledged;
  agreed_.applied(by, shard, index, entry);
}

void raft_simulation::lost(std::uint16_t shard, const std::string& entry) {
  ++counters_.lost;
  agreed_.lost(shard, entry);
}

void raft_simulation::leads(node_id by, std::uint16_t shard,
                            std::uint64_t term) {
  note(text("leader ", static_cast<std::uint64_t>(by), ' ', term));
  agreed_.leads(by, shard, term);
}

void raft_simulation::rows(std::uint16_t shard, log_index index, lines&& dump) {
  agreed_.rows(shard, index, std::move(dump));
}

void raft_simulation::check_end() {
  for (std::uint16_t i = 0; i < simulated_shards; ++i) {
    auto* leader = leader_of(i);
    if (leader == nullptr)
      return wrong(text("shard ", i, " has no leader when all is well"));
    propose(i, *leader);
  }
  run_until(now_ + 2s);
  for (std::uint16_t i = 0; i < simulated_shards; ++i)
    for (auto& x : nodes_) {
      const auto who =
        text("shard ", i, ", node ", static_cast<std::uint64_t>(x->id()));
      if (x->applied(i) != agreed_.last(i))
        wrong(
          text(who, " has applied ", x->applied(i), " of ", agreed_.last(i)));
      if (x->log(i).outstanding() != 0)
        wrong(text(who, " has not heard of ", x->log(i).outstanding(),
                   " entries it proposed"));
      x->flush_rows(i);
    }
}

// ---- trouble ---------------------------------------------------------------

void raft_simulation::crash(raft_node& which,
                            std::chrono::milliseconds down_for) {
  if (!which.up())
    return;
  ++counters_.crashes;
  note("crash");
  which.crash();
  writing_.erase(which.id());
  after(down_for, [this, &which] {
    if (!which.up())
      start(which);
  });
}

void raft_simulation::make_trouble() {
  if (calm_)
    return;
  const auto down = [this] {
    return std::chrono::milliseconds{random(1, 900)};
  };
  switch (random(0, 10)) {
  case 0: // all is well for a while
    cut_.clear();
    drop_ = 0;
    delay_max_ms_ = 8;
    slow_.clear();
    break;
  case 1: { // one is alone
    const auto alone = any_node().id();
    for (auto& x : nodes_) {
      cut_.insert({alone, x->id()});
      cut_.insert({x->id(), alone});
    }
    break;
  }
  case 2: // one way only
    cut_.insert({any_node().id(), any_node().id()});
    break;
  case 3:
    drop_ = 0.3;
    break;
  case 4: // much overtakes much
    delay_max_ms_ = 250;
    break;
  case 5:
    crash(any_node(), down());
    break;
  case 6: // a leader, mostly with entries on their way
    if (auto* x = leader_of(
          static_cast<std::uint16_t>(random(0, simulated_shards - 1))))
      crash(*x, down());
    break;
  case 7:
    for (auto& x : nodes_)
      crash(*x, down());
    break;
  case 8:
    slow_.insert(any_node().id());
    break;
  case 9: {
    auto& x = any_node();
    if (x.up())
      x.campaign(static_cast<std::uint16_t>(random(0, simulated_shards - 1)));
    break;
  }
  default: // a little of everything
    cut_.clear();
    delay_max_ms_ = 40;
    drop_ = 0.05;
  }
  after(std::chrono::milliseconds{random(20, 700)}, [this] { make_trouble(); });
}

void raft_simulation::heal() {
  calm_ = true;
  cut_.clear();
  drop_ = 0;
  delay_max_ms_ = 8;
  slow_.clear();
}

} // namespace troupe::test
