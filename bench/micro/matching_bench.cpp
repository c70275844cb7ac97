// How long it takes to find the subscribers of a topic.

#include "actors/subscription_index.hpp"

#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

namespace {

using namespace troupe::actors;

std::string leaf(std::size_t i) {
  return "bank/" + std::to_string(i % 37) + "/outlet/"
         + std::to_string(i % 20'000) + "/atm/" + std::to_string(i) + "/state";
}

/// Filters like those of a fleet: 90 % exact, 9 % with `+`, 1 % with `#`.
struct fleet {
  explicit fleet(std::size_t filters)
    : graveyard(1, [] {}),
      index(1, graveyard) {
    for (std::size_t i = 0; i < filters; ++i) {
      std::string filter;
      if (i % 100 == 0)
        filter = "bank/" + std::to_string(i % 37) + "/outlet/"
                 + std::to_string(i) + "/#";
      else if (i % 100 < 10)
        filter = "bank/+/outlet/" + std::to_string(i) + "/atm/"
                 + std::to_string(i) + "/state";
      else
        filter = leaf(i);
      auto& node = index.acquire(filter);
      index.set_reactor(node, 0, true);
    }
    std::mt19937 random(1);
    for (int i = 0; i < 4'096; ++i)
      topics.push_back(leaf(random() % filters));
  }
  reclaimer graveyard;
  subscription_index index;
  std::vector<std::string> topics;
};

void match_random_leaves(benchmark::State& state) {
  const fleet of(static_cast<std::size_t>(state.range(0)));
  match_result found;
  std::size_t i = 0;
  for ([[maybe_unused]] auto _ : state) {
    found.clear();
    of.index.match(of.topics[i++ % of.topics.size()], found);
    benchmark::DoNotOptimize(found.nodes.data());
  }
}
BENCHMARK(match_random_leaves)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

void subscribe_and_unsubscribe(benchmark::State& state) {
  fleet of(100'000);
  std::size_t i = 0;
  for ([[maybe_unused]] auto _ : state) {
    auto& node = of.index.acquire("new/" + std::to_string(i++) + "/topic");
    of.index.release(node);
    of.graveyard.drain();
  }
}
BENCHMARK(subscribe_and_unsubscribe);

} // namespace
