#include "cluster/memory_log.hpp"

#include <utility>

namespace troupe::cluster {

memory_log::memory_log(std::chrono::milliseconds delay, later run_later,
                       committed on_committed)
  : delay_(delay),
    later_(std::move(run_later)),
    committed_(std::move(on_committed)) {}

log_index memory_log::propose(entry_ptr entry) {
  waiting_.push_back(std::move(entry));
  later_(delay_, [this] { commit(); });
  return last_ + waiting_.size();
}

void memory_log::commit() {
  const auto entry = std::move(waiting_.front());
  waiting_.pop_front();
  committed_(++last_, entry);
}

} // namespace troupe::cluster
