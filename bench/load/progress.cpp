#include "bench/load/progress.hpp"

#include <cstdio>
#include <unistd.h>

namespace troupe::bench {

using namespace std::chrono_literals;

progress::progress(const options& o, run_control& control) : control_(control) {
  if (o.progress || (::isatty(STDERR_FILENO) != 0 && !o.json))
    thread_ = std::jthread{[this](const std::stop_token& stop) { show(stop); }};
}

progress::~progress() {
  if (!thread_.joinable())
    return;
  thread_.request_stop();
  thread_.join();
  std::fprintf(stderr, "\r%79s\r", "");
}

void progress::show(const std::stop_token& stop) {
  auto last = clock::now();
  for (;;) {
    {
      std::unique_lock lock{mutex_};
      wake_.wait_for(lock, stop, 1s, [] { return false; });
    }
    if (stop.stop_requested())
      return;
    const auto now = clock::now();
    print(now - last);
    last = now;
  }
}

void progress::print(seconds_f passed) {
  std::uint64_t ready = 0;
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  for (const auto& each : control_.live) {
    ready += each.ready.load(std::memory_order_relaxed);
    published += each.published.load(std::memory_order_relaxed);
    delivered += each.delivered.load(std::memory_order_relaxed);
  }
  const auto rate = static_cast<double>(delivered - before_) / passed.count();
  before_ = delivered;
  std::fprintf(stderr,
               "\r%s: %llu clients, %llu published, %llu delivered, %.0f/s   ",
               control_.phase.load(), static_cast<unsigned long long>(ready),
               static_cast<unsigned long long>(published),
               static_cast<unsigned long long>(delivered), rate);
  std::fflush(stderr);
}

} // namespace troupe::bench
