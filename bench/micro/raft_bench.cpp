// What Raft's core costs behind its call: for a reactor's turn, for a message,
// and for an entry. Disk and network are left out; what they would tell is told
// at once.

#include "cluster/raft_log.hpp"
#include "storage/log_store.hpp"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace troupe;
using namespace std::chrono_literals;
using cluster::node_id;

constexpr protocol::time_point start{std::chrono::hours{100}};
constexpr cluster::time_base times{start, 1'767'225'600'000};

/// A log store that is never started: it takes what it is given, and forgets it
/// when it goes.
class idle_store {
public:
  idle_store() {
    auto name =
      (std::filesystem::temp_directory_path() / "raft-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      std::abort();
    directory_ = name;
    storage::log_store_options options;
    options.directory = directory_ / "log.db";
    store_ = std::make_unique<storage::log_store>(options);
  }
  ~idle_store() {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }
  idle_store(const idle_store&) = delete;
  idle_store& operator=(const idle_store&) = delete;
  storage::log_store& operator*() { return *store_; }

private:
  std::filesystem::path directory_;
  std::unique_ptr<storage::log_store> store_;
};

using message = std::pair<std::size_t, std::vector<std::uint8_t>>;

/// A node with some replicas; its messages, all of shard 0, are gathered.
struct node {
  node(std::size_t id, std::size_t voters, std::uint16_t shards)
    : engine(static_cast<node_id>(id), start) {
    for (std::uint16_t shard = 0; shard < shards; ++shard) {
      cluster::raft_options options;
      options.shard = shard;
      for (std::size_t i = 1; i <= voters; ++i)
        options.voters.push_back(static_cast<node_id>(i));
      cluster::raft_callbacks callbacks;
      callbacks.committed = [this](auto, const auto&) { ++committed; };
      callbacks.lost = [](const auto&) {};
      callbacks.send = [this](node_id to, std::span<const std::uint8_t> x) {
        sent.emplace_back(static_cast<std::size_t>(to),
                          std::vector<std::uint8_t>{x.begin(), x.end()});
      };
      logs.push_back(std::make_unique<cluster::raft_log>(
        options, engine, *store, times, std::move(callbacks)));
    }
    turn();
  }
  void turn() {
    while (engine.pending())
      engine.turn();
  }
  /// All that was asked for is on the disk.
  void sync() {
    for (auto& x : logs) {
      x->appended(0);
      x->appended(x->last_index());
    }
    turn();
  }

  idle_store store;
  cluster::raft_engine engine;
  std::vector<std::unique_ptr<cluster::raft_log>> logs;
  std::vector<message> sent;
  std::uint64_t committed = 0;
};

struct three_nodes {
  three_nodes() {
    for (std::size_t id = 1; id <= 3; ++id)
      nodes.push_back(std::make_unique<node>(id, 3, 1));
    nodes[0]->logs[0]->campaign();
    nodes[0]->turn();
    while (carry()) {
    }
  }
  bool carry() {
    bool any = false;
    for (auto& from : nodes) {
      from->sync();
      for (auto& [to, bytes] : std::exchange(from->sent, {})) {
        nodes[to - 1]->logs[0]->step(bytes);
        nodes[to - 1]->turn();
        any = true;
      }
    }
    return any;
  }
  std::vector<std::unique_ptr<node>> nodes;
};

cluster::entry_ptr entry_of(std::size_t payload) {
  const std::string bytes(payload, 'x');
  protocol::message_options made;
  made.topic = "bank/37/outlet/20000/cash/state";
  made.payload = {reinterpret_cast<const std::uint8_t*>(bytes.data()),
                  bytes.size()};
  made.received_at = start;
  auto entry = std::make_shared<cluster::log_entry>();
  entry->at = start;
  cluster::publish_command publish;
  publish.message = protocol::message::make(made);
  entry->commands.emplace_back(std::move(publish));
  return entry;
}

/// The smallest turn: a leader is asked to stand for election.
void empty_call(benchmark::State& state) {
  node one{1, 1, 1};
  one.logs[0]->campaign();
  one.turn();
  one.sync();
  for ([[maybe_unused]] auto _ : state) {
    one.logs[0]->campaign();
    one.engine.turn();
  }
}
BENCHMARK(empty_call);

/// A tick for many followers, in one call.
void tick(benchmark::State& state) {
  const auto shards = static_cast<std::uint16_t>(state.range(0));
  node one{1, 3, shards};
  auto now = start;
  for ([[maybe_unused]] auto _ : state) {
    one.engine.advance(now += 100ms);
    one.engine.turn();
    if (!one.sent.empty()) { // the followers look for a leader
      state.PauseTiming();
      one.sync();
      one.sent.clear();
      state.ResumeTiming();
    }
  }
  state.counters["per_replica"] = benchmark::Counter{
    static_cast<double>(shards), benchmark::Counter::kIsIterationInvariantRate
                                   | benchmark::Counter::kInvert};
}
BENCHMARK(tick)->Arg(1)->Arg(64);

/// A follower hears of its leader, and answers.
void heartbeat(benchmark::State& state) {
  three_nodes all;
  all.nodes[0]->engine.advance(start + 100ms);
  all.nodes[0]->turn();
  const auto [to, bytes] = all.nodes[0]->sent.at(0);
  auto& follower = *all.nodes[to - 1];
  for ([[maybe_unused]] auto _ : state) {
    follower.logs[0]->step(bytes);
    follower.engine.turn();
    follower.sent.clear();
  }
}
BENCHMARK(heartbeat);

/// A leader without followers: a call with the proposal and one after the disk.
void entry_of_one(benchmark::State& state) {
  node one{1, 1, 1};
  one.logs[0]->campaign();
  one.turn();
  one.sync();
  const auto entry = entry_of(static_cast<std::size_t>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) {
    const auto index = one.logs[0]->propose(entry);
    one.engine.turn();
    one.logs[0]->appended(index);
    one.engine.turn();
  }
  if (one.committed != static_cast<std::uint64_t>(state.iterations()) + 1)
    state.SkipWithError("not everything was committed");
}
BENCHMARK(entry_of_one)->Arg(64)->Arg(1'024)->Arg(65'536)->Iterations(4'000);

/// From the proposal until all three have committed an entry, on one thread.
void entry_of_three(benchmark::State& state) {
  three_nodes all;
  const auto entry = entry_of(static_cast<std::size_t>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) {
    all.nodes[0]->logs[0]->propose(entry);
    all.nodes[0]->engine.turn();
    while (all.carry()) {
    }
  }
  if (all.nodes[2]->committed
      != static_cast<std::uint64_t>(state.iterations()) + 1)
    state.SkipWithError("not everything was committed");
}
BENCHMARK(entry_of_three)->Arg(64)->Arg(1'024)->Arg(65'536)->Iterations(4'000);

} // namespace
