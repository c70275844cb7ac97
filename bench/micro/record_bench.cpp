// What an entry of the replicated log costs, per PUBLISH in it. Encoding is on
// the thread of a reactor.

#include "cluster/log_codec.hpp"

#include <benchmark/benchmark.h>

#include <string>

namespace {

using namespace troupe;

constexpr std::size_t commands = 1'000;
constexpr std::string_view topic = "bank/37/outlet/20000/cash/state"; // 31
constexpr protocol::time_point start{std::chrono::hours{100}};
constexpr cluster::time_base times{start, 1'767'225'600'000};

cluster::log_entry entry(std::size_t payload_size) {
  const std::string payload(payload_size, 'x');
  protocol::message_options made;
  made.topic = topic;
  made.payload = {reinterpret_cast<const std::uint8_t*>(payload.data()),
                  payload.size()};
  made.qos = protocol::qos::at_least_once;
  made.received_at = start;
  made.publisher = 42;
  cluster::log_entry x;
  x.at = start;
  for (std::size_t i = 0; i < commands; ++i) {
    cluster::publish_command publish;
    publish.message = protocol::message::make(made);
    x.commands.emplace_back(std::move(publish));
  }
  return x;
}

/// Time and bytes of a single PUBLISH.
void count(benchmark::State& state, std::size_t bytes) {
  const auto each = static_cast<double>(commands);
  state.counters["per_publish"] =
    benchmark::Counter{each, benchmark::Counter::kIsIterationInvariantRate
                               | benchmark::Counter::kInvert};
  state.counters["bytes"] = static_cast<double>(bytes) / each;
}

void encode(benchmark::State& state) {
  const auto x = entry(static_cast<std::size_t>(state.range(0)));
  std::size_t bytes = 0;
  for ([[maybe_unused]] auto _ : state) {
    const auto encoded = cluster::encode_entry(x, times);
    benchmark::DoNotOptimize(encoded.data());
    bytes = encoded.size();
  }
  count(state, bytes);
}
BENCHMARK(encode)->Arg(64)->Arg(1'024);

void decode(benchmark::State& state) {
  const auto bytes = cluster::encode_entry(
    entry(static_cast<std::size_t>(state.range(0))), times);
  for ([[maybe_unused]] auto _ : state) {
    const auto x = cluster::decode_entry(
      {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
      times);
    benchmark::DoNotOptimize(x.commands.data());
  }
  count(state, bytes.size());
}
BENCHMARK(decode)->Arg(64)->Arg(1'024);

} // namespace
