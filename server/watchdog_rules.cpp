#include "server/watchdog_rules.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace troupe::server {

watchdog_rules::watchdog_rules(std::size_t parts,
                               std::chrono::microseconds timeout)
  : parts_(parts),
    timeout_(timeout) {
  assert(timeout.count() > 0);
}

watchdog_rules::decision
watchdog_rules::decide(time_point now,
                       std::span<const std::uint64_t> answered) {
  assert(answered.size() == parts_);
  decision made;
  if (asked_ == 0) {
    made.ask = ++asked_;
    made.next = due_ = now + timeout_ / 2;
    return made;
  }
  if (now < due_) {
    made.next = due_;
    return made;
  }
  for (std::size_t i = 0; i < parts_; ++i)
    if (answered[i] < asked_)
      made.silent.push_back(i);
  if (made.silent.empty()) {
    made.feed = true;
    made.ask = ++asked_;
    made.mended = std::exchange(said_, false);
    made.next = due_ = now + timeout_ / 2;
    return made;
  }
  if (std::exchange(said_, true))
    made.silent.clear();
  // There may be time for a late answer.
  made.next = now
              + std::max<std::chrono::microseconds>(
                timeout_ / 16, std::chrono::milliseconds{1});
  return made;
}

} // namespace troupe::server
