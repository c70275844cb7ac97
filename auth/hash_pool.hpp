#pragma once
// Threads on which passwords are compared: a hash takes tens of milliseconds,
// and a reactor has none to spare.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace troupe::auth {

struct hash_pool_options {
  unsigned threads = 1; ///< cores that brute force can take at most
  int nice = 10;        ///< of these threads, 0 to 19
  std::size_t queue_max = 1'000;
  std::size_t per_address_max = 64; ///< of the queue
  /// Who waited longer is not compared any more: a client has given up then.
  std::chrono::milliseconds wait_max{10'000};
};

/// Addresses take turns, so that one that asks much waits for itself alone.
/// Thread-safe.
class hash_pool {
public:
  /// What becomes of a job: it is called exactly once, on a thread of the pool
  /// or, when stopping, on the one that stops.
  enum class fate : std::uint8_t { run, too_late, stopping };
  using job = std::function<void(fate)>;

  struct figures {
    std::uint64_t run = 0;
    std::uint64_t too_late = 0;
    std::uint64_t queue_full = 0;   ///< refused: `queue_max`
    std::uint64_t address_full = 0; ///< refused: `per_address_max`
    std::uint64_t failed = 0;       ///< jobs that threw
    std::size_t queued = 0;
  };

  /// @throws std::system_error  no thread can be started.
  explicit hash_pool(const hash_pool_options& options);
  hash_pool(const hash_pool&) = delete;
  hash_pool& operator=(const hash_pool&) = delete;
  /// Stops. Not on a thread of the pool.
  ~hash_pool();

  /// @param from  `address_key` of the client.
  /// @returns false if there is no room, or it stops: `what` is not called.
  bool submit(std::string_view from, job what);
  /// Ends what runs, tells the jobs that wait, joins. Again: does nothing.
  void stop();
  /// Also of jobs that wait already.
  void set_wait_max(std::chrono::milliseconds to);
  figures count() const;

private:
  struct waiting {
    std::chrono::steady_clock::time_point since;
    job what;
  };
  void work();
  waiting take();
  static bool call(const job& what, fate x) noexcept;

  hash_pool_options options_;
  mutable std::mutex mutex_;
  std::condition_variable some_;
  bool stopping_ = false;
  std::map<std::string, std::deque<waiting>, std::less<>> by_address_;
  std::deque<std::string> turns_; ///< each address that has jobs, once
  figures figures_;
  std::vector<std::thread> threads_;
};

} // namespace troupe::auth
