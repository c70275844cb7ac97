#include "bench/load/run.hpp"

#include "bench/load/broadcast_worker.hpp"
#include "bench/load/connect_worker.hpp"
#include "bench/load/durable_worker.hpp"
#include "bench/load/filters_worker.hpp"
#include "bench/load/progress.hpp"
#include "bench/load/resume_worker.hpp"
#include "bench/load/retained_worker.hpp"
#include "bench/load/storm_worker.hpp"
#include "bench/load/stream_worker.hpp"
#include "bench/load/subscribe_worker.hpp"

#include <algorithm>
#include <csignal>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <thread>

namespace troupe::bench {

namespace {

std::unique_ptr<worker> make_worker(const options& o, run_control& control,
                                    unsigned number) {
  switch (o.what) {
  case mode::connect:
    return std::make_unique<connect_worker>(o, control, number);
  case mode::filters:
    return std::make_unique<filters_worker>(o, control, number);
  case mode::durable:
    return std::make_unique<durable_worker>(o, control, number);
  case mode::sessions:
    return std::make_unique<offline_worker>(o, control, number);
  case mode::subscribe:
    return std::make_unique<subscribe_worker>(o, control, number);
  case mode::resume:
    return std::make_unique<resume_worker>(o, control, number);
  case mode::broadcast:
    return std::make_unique<broadcast_worker>(o, control, number);
  case mode::retained:
    return std::make_unique<retained_worker>(o, control, number);
  case mode::storm:
    return std::make_unique<storm_worker>(o, control, number);
  default:
    return std::make_unique<stream_worker>(o, control, number);
  }
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

/// What lies between two readings.
phase between(const sample& from, const sample& to) {
  phase out;
  out.from = from.at;
  out.elapsed = to.at - from.at;
  out.count = to.count;
  out.count -= from.count;
  out.broker_cpu = to.broker_cpu - from.broker_cpu;
  out.broker_split = {to.broker_split.user - from.broker_split.user,
                      to.broker_split.system - from.broker_split.system};
  out.own_cpu = to.own_cpu - from.own_cpu;
  return out;
}

using all_workers = std::vector<std::unique_ptr<worker>>;
using reading = const sample& (worker::*)() const;

/// From where the first worker began to where the last one ended.
phase sum_up(const all_workers& workers, reading first, reading last) {
  const auto earlier = [](reading which) {
    return [which](const auto& a, const auto& b) {
      return ((*a).*which)().at < ((*b).*which)().at;
    };
  };
  const auto begin =
    std::min_element(workers.begin(), workers.end(), earlier(first));
  const auto end =
    std::max_element(workers.begin(), workers.end(), earlier(last));
  auto out = between(((**begin).*first)(), ((**end).*last)());
  out.count = {};
  for (const auto& each : workers) {
    out.count += ((*each).*last)().count;
    out.count -= ((*each).*first)().count;
  }
  return out;
}

outcome sum_up(const all_workers& workers) {
  outcome out;
  out.window = sum_up(workers, &worker::first, &worker::last);
  out.set_up = sum_up(workers, &worker::set_up_first, &worker::set_up_last);
  for (const auto& each : workers) {
    out.total += each->total();
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
  std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
  const process_probe broker{o.pid};
  run_control control{o, broker};
  all_workers workers;
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
  out.disk = {control.written_after - control.written_before, control.load_at,
              control.quiet_at};
  return out;
}

} // namespace troupe::bench
