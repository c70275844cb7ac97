#pragma once
// Counters that one thread writes and any thread reads. Inside storage/ only.

#include <atomic>
#include <cstdint>

namespace troupe::storage {

class counter {
public:
  void add(std::uint64_t x) noexcept { set(value() + x); }
  void raise_to(std::uint64_t x) noexcept {
    if (x > value())
      set(x);
  }
  std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

private:
  void set(std::uint64_t x) noexcept {
    value_.store(x, std::memory_order_relaxed);
  }
  std::atomic<std::uint64_t> value_{0};
};

} // namespace troupe::storage
