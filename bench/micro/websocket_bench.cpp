// What WebSocket frames cost beside what is in them.

#include "net/websocket_deflate.hpp"
#include "net/websocket_frames.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

namespace {

using namespace troupe::net;
using octets = std::vector<std::uint8_t>;

/// As the kernel left them: masked frames that fill about 64 KiB.
octets masked_frames(std::size_t payload) {
  octets out;
  const std::uint8_t mask[] = {0x37, 0xFA, 0x21, 0x3D};
  do {
    auto header = encode_websocket_header(payload);
    header.bytes[1] |= 0x80;
    out.insert(out.end(), header.view().begin(), header.view().end());
    out.insert(out.end(), mask, mask + sizeof mask);
    for (std::size_t i = 0; i != payload; ++i)
      out.push_back(static_cast<std::uint8_t>('x' ^ mask[i % 4]));
  } while (out.size() + payload < 65'536);
  return out;
}

/// Decodes in place, so each round begins with a fresh copy: `copy` alone is
/// measured beside it.
void decode(benchmark::State& state, bool is_copied_only) {
  const auto wire = masked_frames(static_cast<std::size_t>(state.range(0)));
  octets read(wire.size());
  websocket_reader reader{1'000'000};
  for ([[maybe_unused]] auto _ : state) {
    std::memcpy(read.data(), wire.data(), wire.size());
    benchmark::DoNotOptimize(read.data());
    if (!is_copied_only) {
      auto step = reader.decode(read);
      benchmark::DoNotOptimize(step);
    }
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations()
                          * static_cast<std::int64_t>(wire.size()));
}

void websocket_copy(benchmark::State& state) { decode(state, true); }
BENCHMARK(websocket_copy)->Arg(100)->Arg(65'000);

void websocket_decode(benchmark::State& state) { decode(state, false); }
BENCHMARK(websocket_decode)->Arg(10)->Arg(100)->Arg(1'000)->Arg(65'000);

/// Unmasking alone, to a place four bytes before.
void websocket_unmask_in_place(benchmark::State& state) {
  octets buffer(static_cast<std::size_t>(state.range(0)) + 4);
  for ([[maybe_unused]] auto _ : state) {
    websocket_unmask(buffer.data(), buffer.data() + 4, buffer.size() - 4,
                     0x3D21FA37);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(websocket_unmask_in_place)->Arg(100)->Arg(16'384)->Arg(65'536);

void websocket_header_of(benchmark::State& state) {
  websocket_writer writer;
  for ([[maybe_unused]] auto _ : state) {
    writer.begin(static_cast<std::size_t>(state.range(0)));
    benchmark::DoNotOptimize(writer);
    writer.wrote(writer.header().size() + writer.owed());
  }
}
BENCHMARK(websocket_header_of)->Arg(100)->Arg(65'536);

octets readings(std::size_t size) {
  octets out;
  for (unsigned i = 0; out.size() < size; ++i)
    for (const auto c :
         "{\"outlet\":20000,\"cash\":" + std::to_string(i * 7919) + "}")
      out.push_back(static_cast<std::uint8_t>(c));
  out.resize(size);
  return out;
}

void websocket_deflate_message(benchmark::State& state) {
  const auto in = readings(static_cast<std::size_t>(state.range(0)));
  websocket_deflater deflater;
  octets out;
  for ([[maybe_unused]] auto _ : state) {
    out.clear();
    deflater.add(in, out);
    deflater.finish(out);
  }
  state.counters["part"] =
    static_cast<double>(out.size()) / static_cast<double>(in.size());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(websocket_deflate_message)->Arg(100)->Arg(10'000);

void websocket_inflate_message(benchmark::State& state) {
  const auto in = readings(static_cast<std::size_t>(state.range(0)));
  websocket_deflater deflater;
  octets small;
  deflater.add(in, small);
  deflater.finish(small);
  websocket_inflater inflater{in.size()};
  octets room(in.size() + 1);
  for ([[maybe_unused]] auto _ : state) {
    auto step = inflater.inflate(small, true, room);
    benchmark::DoNotOptimize(step);
    inflater.rest();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(websocket_inflate_message)->Arg(100)->Arg(10'000);

} // namespace
