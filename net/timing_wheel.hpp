#pragma once
// Deadlines of many connections at little cost (Varghese and Lauck, 1987).

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace troupe::net {

/// A hashed timing wheel: arming, disarming and passing a tick take constant
/// time, whatever the number of timers. Deadlines are rounded up to a tick.
/// Not thread-safe: one wheel per reactor.
class timing_wheel {
public:
  using clock_time = std::chrono::steady_clock::time_point;

  /// What waits in the wheel; derive from it. Destroying it disarms it.
  class timer {
  public:
    timer() = default;
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;
    bool armed() const noexcept { return next_ != nullptr; }

  protected:
    virtual ~timer() { unlink(); }
    /// Called on the reactor's thread after the deadline; may arm it again.
    virtual void on_timer() = 0;

  private:
    friend class timing_wheel;
    void unlink() noexcept {
      if (next_ == nullptr)
        return;
      prev_->next_ = next_;
      next_->prev_ = prev_;
      next_ = prev_ = nullptr;
    }
    timer* next_ = nullptr;
    timer* prev_ = nullptr;
    std::uint64_t due_ = 0; ///< in ticks
  };

  timing_wheel(std::chrono::milliseconds tick, clock_time start);

  /// Calls `x.on_timer()` once `deadline` has passed. Moves an armed timer.
  void arm(timer& x, clock_time deadline) noexcept;
  static void disarm(timer& x) noexcept { x.unlink(); }

  /// Runs what is due at `now`.
  void advance(clock_time now);

  /// When `advance` has something to do next, at the earliest; the maximum of
  /// the clock if no timer is armed.
  clock_time next() const noexcept;

private:
  static constexpr std::size_t slots = 512;
  struct anchor final : timer {
    void on_timer() override {}
  };
  std::uint64_t tick_of(clock_time at) const noexcept;

  std::array<anchor, slots> wheel_;
  std::chrono::milliseconds tick_;
  clock_time start_;
  std::uint64_t now_ = 0; ///< ticks passed
};

} // namespace troupe::net
