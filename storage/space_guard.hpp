#pragma once
// Watches the free space of the disk that the databases are on.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

namespace troupe::storage {

enum class space_level : std::uint8_t {
  enough,
  low,  ///< below the first watermark: an alarm
  full, ///< below the second one: nothing new is taken
};

struct space_options {
  std::filesystem::path directory;
  std::uint64_t low_bytes = std::uint64_t{1} << 30;
  std::uint64_t full_bytes = std::uint64_t{256} << 20;
  /// Set aside in a file of the directory, and given back while the disk is
  /// full, so that what is under way finds room; 0: none.
  std::uint64_t reserve_bytes = std::uint64_t{16} << 20;
  std::chrono::milliseconds interval{500};
  /// Free bytes; null: asks the system. For tests.
  std::function<std::uint64_t()> free_bytes;
};

/// A thread of its own looks every now and then. Leaving a level again takes a
/// tenth more than entering it, so that it does not flicker.
class space_guard {
public:
  /// Looks once, here. @param changed  called with the level and the free
  /// bytes whenever the level changes, at first from within the constructor if
  /// it is not `enough`, then on the guard's thread.
  using listener = std::function<void(space_level, std::uint64_t free)>;
  space_guard(space_options options, listener changed);
  ~space_guard();
  space_guard(const space_guard&) = delete;
  space_guard& operator=(const space_guard&) = delete;

  space_level level() const noexcept { return level_.load(); } ///< any thread
  std::uint64_t free_bytes() const noexcept { return free_.load(); }

  /// Looks now; for tests that wait for nothing.
  void look();

private:
  void run();
  std::uint64_t ask() const;
  void keep_reserve(space_level level);

  space_options options_;
  listener changed_;
  std::atomic<space_level> level_{space_level::enough};
  std::atomic<std::uint64_t> free_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false; ///< guarded by mutex_
  std::thread thread_;
};

} // namespace troupe::storage
