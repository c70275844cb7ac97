#include "actors/slow_subscriptions.hpp"

#include <algorithm>

namespace troupe::actors {

void slow_subscriptions::set_options(const slow_subs_options& how) {
  how_ = how;
  if (!how_.enable)
    entries_.clear();
  else if (entries_.size() > how_.top)
    entries_.resize(how_.top);
}

void slow_subscriptions::expire(time_point now) {
  std::erase_if(entries_,
                [&](const entry& x) { return now - x.at > how_.expire; });
}

void slow_subscriptions::note(std::string_view client_id,
                              std::string_view topic,
                              std::chrono::steady_clock::duration took,
                              time_point now) {
  if (!is_slow(took) || how_.top == 0)
    return;
  expire(now);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took);
  const auto known =
    std::find_if(entries_.begin(), entries_.end(), [&](const entry& x) {
      return x.client_id == client_id && x.topic == topic;
    });
  if (known != entries_.end()) {
    if (known->took > ms)
      return;
    entries_.erase(known);
  } else if (entries_.size() >= how_.top) {
    if (entries_.back().took >= ms)
      return;
    entries_.pop_back();
  }
  const auto at = std::find_if(entries_.begin(), entries_.end(),
                               [&](const entry& x) { return x.took < ms; });
  entries_.insert(at, {std::string{client_id}, std::string{topic}, ms, now});
}

std::vector<slow_subscriptions::entry>
slow_subscriptions::list(time_point now) {
  expire(now);
  return entries_;
}

} // namespace troupe::actors
