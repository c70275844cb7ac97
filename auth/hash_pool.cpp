#include "auth/hash_pool.hpp"

#include <algorithm>
#include <csignal>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace troupe::auth {

hash_pool::hash_pool(const hash_pool_options& options) : options_(options) {
  const auto count = std::max(1U, options.threads);
  threads_.reserve(count);
  try {
    for (unsigned i = 0; i < count; ++i)
      threads_.emplace_back([this] { work(); });
  } catch (...) {
    stop(); // those that did start
    throw;
  }
}

hash_pool::~hash_pool() { stop(); }

bool hash_pool::submit(std::string_view from, job what) {
  {
    const std::lock_guard guard(mutex_);
    if (stopping_)
      return false;
    if (figures_.queued >= options_.queue_max) {
      ++figures_.queue_full;
      return false;
    }
    auto at = by_address_.find(from);
    if (at != by_address_.end()
        && at->second.size() >= options_.per_address_max) {
      ++figures_.address_full;
      return false;
    }
    if (at == by_address_.end()) {
      at = by_address_.emplace(from, std::deque<waiting>{}).first;
      turns_.emplace_back(from);
    }
    at->second.push_back({std::chrono::steady_clock::now(), std::move(what)});
    ++figures_.queued;
  }
  some_.notify_one();
  return true;
}

hash_pool::waiting hash_pool::take() {
  const auto at = by_address_.find(turns_.front());
  auto next = std::move(at->second.front());
  at->second.pop_front();
  // Its next turn is after everybody else's.
  if (at->second.empty())
    by_address_.erase(at);
  else
    turns_.push_back(std::move(turns_.front()));
  turns_.pop_front();
  --figures_.queued;
  return next;
}

bool hash_pool::call(const job& what, fate x) noexcept try {
  what(x);
  return true;
} catch (...) {
  return false; // its client is refused: the chain sees no answer come
}

void hash_pool::work() {
  // Signals are for the threads that wait for them.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "hash");
  // Linux: of this thread alone.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), options_.nice);
  std::unique_lock lock(mutex_);
  for (;;) {
    some_.wait(lock, [this] { return stopping_ || !turns_.empty(); });
    if (stopping_)
      return;
    auto next = take();
    const bool late =
      std::chrono::steady_clock::now() - next.since > options_.wait_max;
    lock.unlock();
    const bool ended = call(next.what, late ? fate::too_late : fate::run);
    next.what = nullptr; // what it holds is not freed under the lock
    lock.lock();
    ++(late ? figures_.too_late : figures_.run);
    figures_.failed += ended ? 0 : 1;
  }
}

void hash_pool::set_wait_max(std::chrono::milliseconds to) {
  const std::lock_guard lock(mutex_);
  options_.wait_max = to;
}

void hash_pool::stop() {
  std::vector<std::thread> threads;
  std::vector<waiting> left;
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
    threads.swap(threads_);
    while (!turns_.empty())
      left.push_back(take());
  }
  some_.notify_all();
  for (const auto& x : left)
    call(x.what, fate::stopping);
  for (auto& x : threads)
    x.join();
}

hash_pool::figures hash_pool::count() const {
  const std::lock_guard guard(mutex_);
  return figures_;
}

} // namespace troupe::auth
