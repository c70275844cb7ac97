#include "tests/simulator/raft/replicas.hpp"

#include "cluster/log_codec.hpp"
#include "cluster/raft_log.hpp"

#include <algorithm>

namespace troupe::simulator {

using namespace cluster;
using test::text;
using namespace std::chrono_literals;

namespace {

constexpr node_id the_node{1};
constexpr auto tick_interval = 100ms;

} // namespace

// ---- the node's logs -------------------------------------------------------

/// A replica's log as the node has it, seen by the simulation.
class replicas::node_log final : public replicated_log {
public:
  node_log(replicas& of, raft_engine& engine, actors::log_parts&& parts)
    : of_(of),
      parts_(std::move(parts)),
      next_(parts_.applied + 1),
      log_(options(), engine, parts_.store, parts_.times, callbacks()) {
    of_.logs_[parts_.shard] = this;
  }
  ~node_log() override { of_.logs_[parts_.shard] = nullptr; }
  node_log(const node_log&) = delete;
  node_log& operator=(const node_log&) = delete;

  bool leads() const noexcept override { return log_.leads(); }
  log_index propose(entry_ptr entry) override {
    auto bytes = encode_entry(*entry, parts_.times);
    const auto index = log_.propose(entry);
    proposed_.push_back({index, std::move(entry), std::move(bytes)});
    return index;
  }
  std::size_t outstanding() const noexcept override {
    return log_.outstanding();
  }
  std::size_t take_size() noexcept override { return log_.take_size(); }
  void appended(log_index index) override {
    log_.appended(index);
    if (of_.broken_.own_disk_is_enough)
      believe(index);
  }
  raft_log& raft() noexcept { return log_; }

private:
  struct proposal {
    log_index index; ///< as foretold
    entry_ptr entry;
    std::string bytes;
  };

  raft_options options() const {
    raft_options made;
    made.shard = parts_.shard;
    for (std::uint64_t id = 1; id <= test::simulated_nodes; ++id)
      made.voters.push_back(static_cast<node_id>(id));
    made.applied = parts_.applied;
    return made;
  }

  raft_callbacks callbacks() {
    raft_callbacks made;
    made.committed = [this](log_index index, const entry_ptr& entry) {
      committed(index, entry);
    };
    made.lost = [this](const entry_ptr& entry) { lost(entry); };
    made.send = [this](node_id to, std::span<const std::uint8_t> bytes) {
      if (of_.node_up_)
        of_.send(the_node, to, parts_.shard, {bytes.begin(), bytes.end()});
    };
    made.status_changed = [this] {
      if (log_.role() == raft_role::leader)
        of_.leads(the_node, parts_.shard, log_.term());
    };
    return made;
  }

  void committed(log_index index, const entry_ptr& entry) {
    if (index != next_++)
      of_.wrong(text("entry ", index, " of the node after ", next_ - 2));
    const auto own = take(entry);
    if (own && own->index != index)
      of_.wrong(
        text("entry ", index, " of the node was to be entry ", own->index));
    const auto bytes = own ? own->bytes
                       : entry->commands.empty()
                         ? std::string{}
                         : encode_entry(*entry, parts_.times);
    of_.applied(the_node, parts_.shard, index, bytes, own.has_value());
    if (believed_.erase(entry) == 0)
      parts_.committed(index, entry);
  }

  void lost(const entry_ptr& entry) {
    ++of_.counters_.lost;
    const auto own = take(entry);
    if (!own)
      return of_.wrong("an entry of the node is lost that is not outstanding");
    // The same commands may be proposed again, so that no more can be told.
    if (own->index <= of_.agreed_.last(parts_.shard)
        && of_.agreed_.entry(parts_.shard, own->index) == own->bytes)
      of_.wrong(
        text("the node's committed entry ", own->index, " is lost to it"));
    if (believed_.erase(entry) == 0)
      parts_.lost(entry);
  }

  /// Breaks the rule that a majority has to have an entry.
  void believe(log_index index) {
    for (const auto& x : std::vector{proposed_})
      if (x.index <= index && log_.leads() && believed_.insert(x.entry).second)
        parts_.committed(x.index, x.entry);
  }

  /// What was proposed as `entry`; it is not outstanding any more.
  std::optional<proposal> take(const entry_ptr& entry) {
    const auto found =
      std::find_if(proposed_.begin(), proposed_.end(),
                   [&](const proposal& x) { return x.entry == entry; });
    if (found == proposed_.end())
      return std::nullopt;
    auto made = std::move(*found);
    proposed_.erase(found);
    return made;
  }

  replicas& of_;
  actors::log_parts parts_;
  log_index next_;
  std::vector<proposal> proposed_;
  std::set<entry_ptr> believed_;
  raft_log log_;
};

replicas::replicas(const peers_options& options,
                   const broken_replication& broken)
  : random_(options.random),
    elapsed_(options.elapsed),
    broken_(broken) {
  raft_engine::seed(random_());
  node_world& world = *this;
  for (std::uint64_t id = 2; id <= test::simulated_nodes; ++id) {
    others_.push_back(std::make_unique<test::raft_node>(
      static_cast<node_id>(id), world,
      test::node_shape{broken.rule, tick_interval, 0, 0}));
    others_.back()->start();
    others_.back()->advance();
  }
}

replicas::~replicas() = default;

void replicas::node_starts(std::size_t reactors) {
  for (std::size_t i = 0; i < reactors; ++i)
    engines_.push_back(
      std::make_unique<raft_engine>(the_node, now(), tick_interval));
  node_up_ = true;
}

std::unique_ptr<replicated_log> replicas::make_log(actors::log_parts&& parts) {
  auto& engine = *engines_[parts.shard % engines_.size()];
  auto made = std::make_unique<node_log>(*this, engine, std::move(parts));
  made->raft().campaign();
  return made;
}

bool replicas::node_turns(std::size_t reactor, actors::home& on) {
  auto& engine = *engines_[reactor];
  if (!node_up_ || !engine.pending())
    return false;
  on.post([&engine] { engine.turn(); });
  return true;
}

void replicas::node_ends() { node_up_ = false; }

void replicas::node_is_gone() { engines_.clear(); }

bool replicas::node_leads() const {
  return std::all_of(logs_.begin(), logs_.end(), [](node_log* x) {
    return x != nullptr && x->leads() && x->outstanding() == 0;
  });
}

// ---- time ------------------------------------------------------------------

test::time_point replicas::now() const { return test::start_time + elapsed_(); }

std::chrono::milliseconds replicas::until_tick() const {
  auto next = now() + tick_interval;
  if (node_up_)
    for (const auto& x : engines_)
      next = std::min(next, x->next_tick());
  for (const auto& x : others_)
    if (x->up())
      next = std::min(next, x->next_tick());
  return std::max(1ms, std::chrono::ceil<milliseconds>(next - now()));
}

void replicas::time_passed() {
  if (node_up_)
    for (auto& x : engines_)
      x->advance(now());
  if (node_up_)
    for (auto* x : logs_)
      if (x != nullptr && x->raft().leader() == node_id::none && chance(30))
        x->raft().campaign();
  for (auto& x : others_) {
    const auto due = due_.find(x->id());
    if (due != due_.end() && due->second <= elapsed_()) {
      due_.erase(due);
      x->start();
    }
    if (!x->up())
      continue;
    x->advance();
    look_after(*x);
  }
}

/// What a leader does while the node does not.
void replicas::look_after(test::raft_node& who) {
  for (std::uint16_t shard = 0; shard < test::simulated_shards; ++shard) {
    if (!who.log(shard).leads())
      continue;
    if (chance(10)) {
      std::vector<command> commands;
      // No two entries are the same.
      commands.emplace_back(
        remove_retained_command{text("time/", ++proposed_)});
      if (!node_up_)
        commands.emplace_back(restart_command{});
      commands.emplace_back(time_command{});
      who.propose(shard, std::move(commands));
    } else if (node_up_ && chance(40)) {
      who.transfer(shard, the_node);
    }
  }
}

// ---- the network -----------------------------------------------------------

std::uint64_t replicas::random(std::uint64_t from, std::uint64_t to) {
  return from + random_() % (to - from + 1);
}

void replicas::send(node_id from, node_id to, std::uint16_t shard,
                    std::vector<std::uint8_t> bytes) {
  ++counters_.messages;
  on_its_way_.push_back({from, to, shard, std::move(bytes)});
}

/// Whichever is first of those on their way.
void replicas::deliver_one() {
  const auto at = random(0, on_its_way_.size() - 1);
  const bool twice = chance(2);
  auto x = on_its_way_[at];
  if (!twice) {
    on_its_way_[at] = std::move(on_its_way_.back());
    on_its_way_.pop_back();
  }
  if (cut(x.from, x.to) || chance(drop_))
    return;
  if (x.to == the_node) {
    if (node_up_ && logs_[x.shard] != nullptr)
      logs_[x.shard]->raft().step(x.bytes);
    return;
  }
  auto& to = *others_[static_cast<std::size_t>(x.to) - 2];
  if (to.up())
    to.receive(x.shard, x.bytes);
}

bool replicas::work() {
  bool worked = !on_its_way_.empty();
  while (!on_its_way_.empty())
    deliver_one();
  for (auto& x : others_)
    if (x->up() && (!slow_.contains(x->id()) || chance(10)))
      worked |= x->write();
  return worked;
}

std::string replicas::event() {
  const auto dice = random(0, 99);
  if (dice < 65) {
    const auto most = std::min<std::size_t>(random(1, 6), on_its_way_.size());
    for (std::size_t i = 0; i < most && !on_its_way_.empty(); ++i)
      deliver_one();
    return text("messages, ", on_its_way_.size(), " are left");
  }
  if (dice < 97) {
    auto& x = any();
    const auto who = static_cast<std::uint64_t>(x.id());
    if (!x.up() || (slow_.contains(x.id()) && !chance(5)))
      return text("replica ", who, " is slow");
    return text("replica ", who, x.write() ? " writes" : " has nothing");
  }
  return make_trouble();
}

// ---- trouble ---------------------------------------------------------------

std::string replicas::make_trouble() {
  switch (random(0, 12)) {
  case 0:
    isolate(the_node);
    return "the node is alone";
  case 1: {
    const auto who = any().id();
    isolate(who);
    return text("replica ", static_cast<std::uint64_t>(who), " is alone");
  }
  case 2: { // one way only
    const auto from = static_cast<node_id>(random(1, test::simulated_nodes));
    const auto to = static_cast<node_id>(random(1, test::simulated_nodes));
    cut_.insert({from, to});
    return text("no way from ", static_cast<std::uint64_t>(from), " to ",
                static_cast<std::uint64_t>(to));
  }
  case 3:
    drop_ = 30;
    return "messages are dropped";
  case 4:
  case 5: {
    auto& x = any();
    crash(x, milliseconds{random(0, 4'000)});
    return text("replica ", static_cast<std::uint64_t>(x.id()), " crashes");
  }
  case 6:
    crash_some();
    return "replicas crash";
  case 7: {
    const auto& x = any();
    slow_.insert(x.id());
    return text("replica ", static_cast<std::uint64_t>(x.id()), " gets slow");
  }
  case 8:
  case 9: {
    const auto shard = any_shard();
    const auto to = any().id();
    if (node_up_ && logs_[shard] != nullptr)
      logs_[shard]->raft().transfer(to);
    return text("shard ", shard, " is handed to ",
                static_cast<std::uint64_t>(to));
  }
  default:
    heal();
    return "all is well";
  }
}

void replicas::isolate(node_id who) {
  for (std::uint64_t id = 1; id <= test::simulated_nodes; ++id) {
    cut_.insert({who, static_cast<node_id>(id)});
    cut_.insert({static_cast<node_id>(id), who});
  }
}

void replicas::crash(test::raft_node& who, milliseconds down_for) {
  if (!who.up())
    return;
  ++counters_.crashes;
  who.crash();
  due_[who.id()] = elapsed_() + down_for;
}

void replicas::crash_some() {
  for (auto& x : others_)
    if (chance(70))
      crash(*x, milliseconds{random(0, 2'000)});
}

void replicas::heal() {
  cut_.clear();
  slow_.clear();
  drop_ = 0;
  due_.clear();
  for (auto& x : others_)
    if (!x->up()) {
      x->start();
      x->advance();
    }
}

// ---- what must be true -----------------------------------------------------

void replicas::wrong(const std::string& what) {
  if (wrong_.empty())
    wrong_ = what;
}

void replicas::applied(node_id by, std::uint16_t shard, log_index index,
                       const std::string& entry, bool own) {
  if (by == the_node && !own)
    ++counters_.foreign;
  agreed_.applied(by, shard, index, entry);
}

void replicas::lost(std::uint16_t shard, const std::string& entry) {
  agreed_.lost(shard, entry);
}

void replicas::leads(node_id by, std::uint16_t shard, std::uint64_t term) {
  agreed_.leads(by, shard, term);
}

void replicas::rows(std::uint16_t shard, log_index index, test::lines&& dump) {
  agreed_.rows(shard, index, std::move(dump));
}

void replicas::compare(const storage::state_store& node) {
  for (std::uint16_t shard = 0; shard < test::simulated_shards; ++shard) {
    test::memory_rows found;
    const std::string prefix{static_cast<char>(shard >> 8U),
                             static_cast<char>(shard & 0xFFU)};
    for (std::size_t i = 0; i < row_family_names.size(); ++i)
      node.scan(static_cast<std::uint8_t>(i), prefix,
                [&](std::string_view key, std::string_view value) {
                  found.put(static_cast<row_family>(i), std::string{key},
                            std::string{value});
                  return true;
                });
    const test::row_store decoded{found, shard};
    const auto last = agreed_.last(shard);
    if (decoded.at.index != last)
      wrong(text("shard ", shard, ": the node has applied ", decoded.at.index,
                 " of ", last));
    agreed_.rows(shard, decoded.at.index, decoded.dump());
    for (auto& x : others_) {
      if (x->applied(shard) != last)
        wrong(text("shard ", shard, ": replica ",
                   static_cast<std::uint64_t>(x->id()), " has applied ",
                   x->applied(shard), " of ", last));
      x->flush_rows(shard);
    }
  }
}

peers_counters replicas::counters() const {
  auto made = counters_;
  const auto& agreed = agreed_.counters();
  made.committed = agreed.committed;
  made.leaders = agreed.leaders;
  made.compared = agreed.compared;
  return made;
}

peers_maker three_replicas(const broken_replication& broken) {
  return [broken](const peers_options& options) {
    return std::make_unique<replicas>(options, broken);
  };
}

} // namespace troupe::simulator
