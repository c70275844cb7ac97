// What a message between two reactors costs.

#include "actors/messages.hpp"
#include "actors/node.hpp"

#include <benchmark/benchmark.h>
#include <caf/all.hpp>

#include <future>

namespace {

using namespace troupe::actors;

/// Takes batches and counts them.
class sink final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  std::size_t wanted = 0;
  std::promise<void> reached;

private:
  void receive(caf::type_erased_tuple& content) override {
    if (content.match_elements<batch_ptr>() && --wanted == 0)
      reached.set_value();
  }
};

/// Mailbox, run queue and wake-up of a pinned actor, fed by another thread.
void send_to_a_pinned_actor(benchmark::State& state) {
  node_options options;
  options.actors.reactors = 1;
  options.sys_heartbeat_interval = options.sys_message_interval = {};
  node of(options, [](const log_line&) {});
  of.start();
  auto to = spawn_pinned<sink>(of.shared().system, *of.shared().homes[0]);
  const auto what = std::make_shared<batch>();
  const auto burst = static_cast<std::size_t>(state.range(0));
  for ([[maybe_unused]] auto _ : state) {
    to.self->wanted = burst;
    to.self->reached = {};
    auto done = to.self->reached.get_future();
    for (std::size_t i = 0; i < burst; ++i)
      caf::anon_send(to.handle, what);
    done.wait();
  }
  state.SetItemsProcessed(state.iterations()
                          * static_cast<std::int64_t>(burst));
  caf::anon_send_exit(to.handle, caf::exit_reason::user_shutdown);
  of.stop();
}
BENCHMARK(send_to_a_pinned_actor)->Arg(1)->Arg(100)->Arg(10'000)->UseRealTime();

} // namespace
