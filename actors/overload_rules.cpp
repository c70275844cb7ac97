#include "actors/overload_rules.hpp"

namespace troupe::actors {

namespace {

/// Of the bound, where connections are refused: slowing publishers down was
/// not enough.
constexpr double refuse_part = 1.5;
/// Of where a step was taken, where it is left.
constexpr double leave_part = 0.8;

} // namespace

const overload_rules::verdict&
overload_rules::look(const figures& now) noexcept {
  if (!how_.enable)
    return last_ = {};
  const auto bound = static_cast<double>(how_.node_bytes);
  const auto above = [&](std::uint64_t bytes, double part, bool already) {
    return static_cast<double>(bytes)
           > bound * part * (already ? leave_part : 1.0);
  };
  const auto all = now.uncommitted + now.queued + now.unsent;
  verdict next;
  next.commits_late = above(now.uncommitted, 1, last_.commits_late);
  next.memory_high = now.memory_high;
  const auto step = [&](overload_level to, double part) {
    if (above(all, part, last_.level >= to))
      next.level = to;
  };
  step(overload_level::shedding, how_.shed_part);
  step(overload_level::slowing, 1);
  step(overload_level::refusing, refuse_part);
  if (now.memory_high)
    next.level = overload_level::refusing;
  else if (next.commits_late && next.level < overload_level::slowing)
    next.level = overload_level::slowing;
  return last_ = next;
}

} // namespace troupe::actors
