#include "actors/alarm_board.hpp"

namespace troupe::actors {

void alarm_board::listen(listener told) {
  const std::lock_guard lock(mutex_);
  told_ = std::move(told);
}

void alarm_board::set_history(std::size_t most) {
  const std::lock_guard lock(mutex_);
  most_ = most;
  if (over_.size() > most_)
    over_.resize(most_);
}

bool alarm_board::raise(
  std::string_view name, std::string message,
  std::vector<std::pair<std::string, std::string>> details,
  std::int64_t wall_ms) {
  alarm raised;
  listener told;
  {
    const std::lock_guard lock(mutex_);
    auto [at, fresh] = active_.try_emplace(std::string{name});
    auto& x = at->second;
    x.message = std::move(message);
    x.details = std::move(details);
    if (!fresh)
      return false;
    x.name = name;
    x.activated_ms = wall_ms;
    raised = x;
    told = told_;
  }
  if (told)
    told(raised);
  return true;
}

bool alarm_board::clear(std::string_view name, std::int64_t wall_ms) {
  alarm over;
  listener told;
  {
    const std::lock_guard lock(mutex_);
    const auto at = active_.find(name);
    if (at == active_.end())
      return false;
    over = std::move(at->second);
    active_.erase(at);
    over.deactivated_ms = wall_ms;
    over_.push_front(over);
    if (over_.size() > most_)
      over_.pop_back();
    told = told_;
  }
  if (told)
    told(over);
  return true;
}

std::vector<alarm> alarm_board::active() const {
  const std::lock_guard lock(mutex_);
  std::vector<alarm> all;
  for (const auto& [name, x] : active_)
    all.push_back(x);
  return all;
}

std::vector<alarm> alarm_board::history() const {
  const std::lock_guard lock(mutex_);
  return {over_.begin(), over_.end()};
}

} // namespace troupe::actors
