#include "auth/flapping.hpp"

namespace troupe::auth {

bool flapping_detector::disconnected(std::string_view client_id,
                                     clock::time_point now) {
  if (!how_.enable)
    return false;
  const auto over = [this, now](const client& one) {
    return now - one.went.back() >= how_.window;
  };
  while (!clients_.empty() && over(clients_.back()))
    forget_last();
  auto found = by_id_.find(client_id);
  if (found == by_id_.end()) {
    while (!clients_.empty() && clients_.size() >= how_.clients_max)
      forget_last();
    clients_.push_front({std::string{client_id}, {}});
    found = by_id_.emplace(clients_.front().id, clients_.begin()).first;
  } else {
    clients_.splice(clients_.begin(), clients_, found->second);
  }
  auto& went = clients_.front().went;
  while (!went.empty() && now - went.front() >= how_.window)
    went.pop_front();
  went.push_back(now);
  if (went.size() < how_.max_count)
    return false;
  by_id_.erase(found);
  clients_.pop_front();
  return true;
}

ban flapping_detector::ban_of(std::string_view client_id,
                              std::int64_t wall_now_ms) const {
  ban made;
  made.as = ban_kind::clientid;
  made.who = client_id;
  made.by = "flapping detector";
  made.reason = "flapping is detected";
  made.at_ms = wall_now_ms;
  made.until_ms = wall_now_ms + how_.ban_time.count();
  return made;
}

void flapping_detector::set_options(options how) {
  how_ = how;
  if (!how_.enable) {
    by_id_.clear();
    clients_.clear();
  }
}

void flapping_detector::forget_last() {
  by_id_.erase(clients_.back().id);
  clients_.pop_back();
}

} // namespace troupe::auth
