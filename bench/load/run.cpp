#include "bench/load/run.hpp"

#include "bench/load/connect_worker.hpp"
#include "bench/load/filters_worker.hpp"
#include "bench/load/progress.hpp"
#include "bench/load/stream_worker.hpp"

#include <csignal>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <thread>

namespace troupe::bench {

namespace {

std::unique_ptr<worker> make_worker(const options& o, run_control& control,
                                    unsigned number) {
  if (o.what == mode::connect)
    return std::make_unique<connect_worker>(o, control, number);
  if (o.what == mode::filters)
    return std::make_unique<filters_worker>(o, control, number);
  return std::make_unique<stream_worker>(o, control, number);
}

/// As many open files as this process may have.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

void interrupt(int) { run_control::interrupted = true; }

/// Reads the memory where the workers wait for it.
void follow(const options& o, run_control& control, memory_steps& memory) {
  memory.before = control.broker.resident();
  control.phase = "connecting";
  control.meet();
  memory.connected = control.broker.resident();
  control.phase = "subscribing";
  control.meet();
  control.meet();
  memory.subscribed = control.broker.resident();
  control.phase = o.what == mode::connect ? "connecting" : "load";
  control.load_at = clock::now();
  control.meet();
}

outcome sum_up(const std::vector<std::unique_ptr<worker>>& workers) {
  outcome out;
  const auto& watch = *workers.front(); // it reads what belongs to processes
  out.elapsed = watch.last().at - watch.first().at;
  out.broker_cpu = watch.last().broker_cpu - watch.first().broker_cpu;
  out.broker_split = {
    watch.last().broker_split.user - watch.first().broker_split.user,
    watch.last().broker_split.system - watch.first().broker_split.system};
  out.own_cpu = watch.last().own_cpu - watch.first().own_cpu;
  for (const auto& each : workers) {
    out.total += each->total();
    out.window += each->last().count;
    out.window -= each->first().count;
    out.latency.merge(each->latency());
    out.lag.merge(each->lag());
  }
  return out;
}

} // namespace

outcome run(const options& o) {
  raise_file_limit();
  std::signal(SIGINT, interrupt);
  std::signal(SIGTERM, interrupt);
  const process_probe broker{o.pid};
  run_control control{o, broker};
  std::vector<std::unique_ptr<worker>> workers;
  workers.reserve(o.threads);
  for (unsigned i = 0; i < o.threads; ++i)
    workers.push_back(make_worker(o, control, i));
  memory_steps memory;
  {
    const progress shown{o, control};
    std::vector<std::jthread> threads;
    threads.reserve(workers.size());
    for (auto& each : workers)
      threads.emplace_back([&each] {
        ::prctl(PR_SET_TIMERSLACK, 1UL); // paced messages leave on time
        each->run();
      });
    follow(o, control, memory);
  }
  if (const auto why = control.failure(); !why.empty())
    throw run_error{why};
  if (run_control::interrupted && workers.front()->last().at == instant{})
    throw run_error{"interrupted before the end of the set-up"};
  auto out = sum_up(workers);
  out.memory = memory;
  out.memory.loaded = control.resident_loaded;
  return out;
}

} // namespace troupe::bench
