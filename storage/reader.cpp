#include "storage/reader.hpp"

#include <pthread.h>

namespace troupe::storage {

void reader::start() {
  thread_ = std::thread{[this] {
    ::pthread_setname_np(::pthread_self(), "state reader");
    std::vector<work> all;
    while (queue_.take(all, std::nullopt))
      for (auto& x : all)
        x();
  }};
}

void reader::stop() {
  queue_.close();
  if (thread_.joinable())
    thread_.join();
}

} // namespace troupe::storage
