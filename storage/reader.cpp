#include "storage/reader.hpp"

#include <pthread.h>

namespace troupe::storage {

void reader::start(bool stepped) {
  if (stepped)
    return;
  thread_ = std::thread{[this] {
    ::pthread_setname_np(::pthread_self(), "state reader");
    std::vector<work> all;
    while (queue_.take(all, std::nullopt))
      for (auto& x : all)
        x();
  }};
}

bool reader::step() {
  if (taken_.empty())
    queue_.take_now(taken_);
  if (taken_.empty())
    return false;
  const auto next = std::move(taken_.front());
  taken_.erase(taken_.begin());
  next();
  return true;
}

void reader::stop() {
  queue_.close();
  if (thread_.joinable())
    thread_.join();
}

} // namespace troupe::storage
