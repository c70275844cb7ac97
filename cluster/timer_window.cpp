#include "cluster/timer_window.hpp"

#include <algorithm>
#include <iterator>

namespace troupe::cluster {

timer_window::timer_window(bool has_disk) : has_disk_(has_disk) {
  if (has_disk)
    horizon_ = timer_key{time_point::min(), timer_kind::delayed, {}};
}

void timer_window::add(timer_key key, message_ptr message) {
  slot fresh{std::move(message), gone_.erase(key) != 0, has_disk_, 0};
  if (has_disk_)
    dirty_.push_back(key);
  rows_.insert_or_assign(std::move(key), std::move(fresh));
}

void timer_window::remove(const timer_key& key) {
  const auto at = rows_.find(key);
  const bool on_disk = at == rows_.end() ? !in_window(key) : at->second.on_disk;
  if (at != rows_.end())
    rows_.erase(at);
  if (has_disk_ && on_disk)
    gone_.insert_or_assign(key, removal{});
}

std::optional<timer_key> timer_window::wanted(time_point now) const {
  if (!horizon_ || horizon_->due > now)
    return std::nullopt;
  std::size_t due = 0; // the window ends before `now`: all in it are
  for (auto at = rows_.begin(); at != rows_.end() && in_window(at->first); ++at)
    if (++due == batch)
      return std::nullopt;
  return horizon_;
}

void timer_window::supply(const timer_key& after, std::vector<timer_row>&& rows,
                          bool more) {
  if (!horizon_ || *horizon_ != after)
    return;
  horizon_.reset();
  if (more && !rows.empty())
    horizon_ = rows.back().first;
  for (auto& [key, message] : rows)
    if (gone_.find(key) == gone_.end())
      rows_.try_emplace(std::move(key),
                        slot{std::move(message), true, false, 0});
}

std::optional<timer_row> timer_window::take_due(time_point now) {
  if (rows_.empty())
    return std::nullopt;
  const auto first = rows_.begin();
  if (first->first.due > now || !in_window(first->first))
    return std::nullopt;
  timer_row taken{first->first, std::move(first->second.message)};
  remove(taken.first);
  return taken;
}

std::optional<time_point> timer_window::next_due() const {
  auto due = horizon_ ? horizon_->due : never;
  if (!rows_.empty() && (in_window(rows_.begin()->first) || !horizon_))
    due = rows_.begin()->first.due;
  if (due == never)
    return std::nullopt;
  return due;
}

void timer_window::stored(std::uint64_t index) {
  if (!has_disk_)
    return;
  std::erase_if(gone_, [&](const auto& x) {
    return !x.second.dirty && x.second.written <= index;
  });
  // What comes later than so many others need not be here.
  constexpr std::size_t most = 4 * batch;
  if (rows_.size() > most) {
    const auto last = std::next(rows_.begin(), most / 2);
    if (in_window(last->first))
      horizon_ = last->first;
  }
  if (!horizon_)
    return;
  for (auto at = rows_.upper_bound(*horizon_); at != rows_.end();)
    if (!at->second.dirty && at->second.written <= index)
      at = rows_.erase(at);
    else
      ++at;
}

} // namespace troupe::cluster
