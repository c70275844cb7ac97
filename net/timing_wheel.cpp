#include "net/timing_wheel.hpp"

namespace troupe::net {

timing_wheel::timing_wheel(std::chrono::milliseconds tick, clock_time start)
  : tick_(tick),
    start_(start) {
  for (auto& slot : wheel_)
    slot.next_ = slot.prev_ = &slot;
}

std::uint64_t timing_wheel::tick_of(clock_time at) const noexcept {
  return at <= start_ ? 0 : static_cast<std::uint64_t>((at - start_) / tick_);
}

void timing_wheel::arm(timer& x, clock_time deadline) noexcept {
  x.unlink();
  const auto due = tick_of(deadline) + 1; // rounded up: never too early
  x.due_ = due > now_ ? due : now_ + 1;
  auto& slot = wheel_[x.due_ % slots];
  x.prev_ = slot.prev_;
  x.next_ = &slot;
  slot.prev_->next_ = &x;
  slot.prev_ = &x;
}

void timing_wheel::advance(clock_time now) {
  const auto target = tick_of(now);
  if (target > now_ + slots) // a long sleep: one round sees every timer
    now_ = target - slots;
  while (now_ < target) {
    ++now_;
    auto& slot = wheel_[now_ % slots];
    // Handlers may arm and destroy any timer, so due ones move to a list of
    // their own first.
    anchor due;
    due.next_ = due.prev_ = &due;
    for (auto* x = slot.next_; x != &slot;) {
      auto* following = x->next_;
      if (x->due_ <= now_) {
        x->unlink();
        x->prev_ = due.prev_;
        x->next_ = &due;
        due.prev_->next_ = x;
        due.prev_ = x;
      }
      x = following;
    }
    while (due.next_ != &due) {
      auto* x = due.next_;
      x->unlink();
      x->on_timer();
    }
  }
}

timing_wheel::clock_time timing_wheel::next() const noexcept {
  for (std::size_t i = 1; i <= slots; ++i)
    if (const auto& slot = wheel_[(now_ + i) % slots]; slot.next_ != &slot)
      return start_ + (now_ + i) * tick_;
  return clock_time::max();
}

} // namespace troupe::net
