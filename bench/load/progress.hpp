#pragma once
// The line that moves while a run lasts.

#include "bench/load/run_control.hpp"

#include <condition_variable>
#include <thread>

namespace troupe::bench {

/// Rewrites a line on standard error each second, if that is a terminal or
/// the user asks for it, until it is destroyed. Has a thread of its own.
class progress {
public:
  progress(const options& o, run_control& control);
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

private:
  void show(const std::stop_token& stop);
  void print(seconds_f passed);

  run_control& control_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::uint64_t before_ = 0; ///< deliveries at the last line
  std::jthread thread_;
};

} // namespace troupe::bench
