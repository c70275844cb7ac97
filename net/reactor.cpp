#include "net/reactor.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <pthread.h>
#include <sched.h>
#include <system_error>
#include <unistd.h>

namespace troupe::net {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

namespace {

int make_epoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0)
    throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

} // namespace

reactor::reactor(const reactor_options& options)
  : options_(options),
    io_(1),
    epoll_(make_epoll()),
    nested_(io_, epoll_),
    wheel_(options.wheel_tick, options.start),
    now_(options.start),
    events_(options.sockets_per_turn) {
  pending_.reserve(options.sockets_per_turn);
}

reactor::~reactor() {
  if (thread_.joinable())
    stop_and_join();
}

void reactor::start() {
  thread_ = std::thread([this] { run(); });
}

void reactor::stop_and_join() {
  stopping_.store(true);
  wake();
  if (thread_.joinable())
    thread_.join();
}

void reactor::post(std::function<void()> f) {
  {
    std::lock_guard guard(posted_mutex_);
    posted_.push_back(std::move(f));
  }
  has_posted_.store(true, std::memory_order_release);
  wake();
}

void reactor::wake() {
  // Pairs with the fence in `wait`: either the sleeper sees the new work, or
  // this sees that it sleeps.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_relaxed)
      && sleeping_.exchange(false, std::memory_order_acq_rel))
    asio::post(io_, [this] { raise(counters_.wake_ups, std::uint64_t{1}); });
}

bool reactor::watch(int fd, std::uint32_t events, socket_handler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void reactor::rewatch(int fd, std::uint32_t events, socket_handler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void reactor::unwatch(int fd, socket_handler& handler) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  for (auto& event : pending_)
    if (event.handler == &handler)
      event.handler = nullptr;
}

void reactor::forget(flushable& x) noexcept {
  if (!x.scheduled_)
    return;
  x.scheduled_ = false;
  std::replace(to_flush_.begin(), to_flush_.end(), &x,
               static_cast<flushable*>(nullptr));
  std::replace(flushing_.begin(), flushing_.end(), &x,
               static_cast<flushable*>(nullptr));
}

void reactor::set_up_thread() {
  thread_id_.store(std::this_thread::get_id());
  const auto name = "reactor-" + std::to_string(options_.index);
  ::pthread_setname_np(::pthread_self(), name.c_str());
  if (options_.core >= 0) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(static_cast<std::size_t>(options_.core), &cores);
    ::pthread_setaffinity_np(::pthread_self(), sizeof cores, &cores);
  }
  if (options_.own_file_table && ::unshare(CLONE_FILES) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "unshare(CLONE_FILES)");
}

void reactor::run() {
  set_up_thread();
  on_start();
  const auto guard = asio::make_work_guard(io_);
  while (!stopping_.load(std::memory_order_acquire))
    if (!turn(clock::now()))
      wait();
}

bool reactor::turn(clock::time_point now, bool sockets) {
  now_ = now;
  begin_of_turn();
  run_posted();
  handled_ = 0;
  bool worked = sockets && poll_sockets();
  if (has_ready()) {
    run_ready();
    worked = true;
  }
  wheel_.advance(now_);
  if (!hold_output()) {
    read_since_flush_ = 0;
    before_flush();
    worked |= flush_all();
  }
  end_of_turn();
  if (worked) {
    const auto length = clock::now() - now;
    const auto took =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(length).count());
    turn_took(length);
    raise(counters_.turns, std::uint64_t{1});
    raise(counters_.turn_nanoseconds, took);
    if (took
        > counters_.longest_turn_nanoseconds.load(std::memory_order_relaxed))
      counters_.longest_turn_nanoseconds.store(took, std::memory_order_relaxed);
    // Asio's own handlers get their chance while sockets keep us busy.
    if (counters_.turns.load(std::memory_order_relaxed) % 64 == 0)
      io_.poll();
  }
  return worked || has_ready() || has_posted_.load(std::memory_order_acquire);
}

bool reactor::hold_output() {
  // While many sockets bring something, their answers wait for each other:
  // what the next ones bring leaves in the same writes. It ends as soon as
  // there is nothing to read, and after a moment in any case.
  constexpr std::size_t many = 4;
  constexpr std::size_t most_bytes = 131'072; // else the cache forgets them
  constexpr std::chrono::microseconds most_time{200};
  if (handled_ < many || read_since_flush_ >= most_bytes
      || stopping_.load(std::memory_order_relaxed))
    return holding_ = false;
  if (!holding_)
    held_since_ = now_;
  return holding_ = now_ - held_since_ < most_time;
}

bool reactor::flush_all() {
  if (to_flush_.empty())
    return false;
  while (!to_flush_.empty()) {
    flushing_.swap(to_flush_);
    for (std::size_t i = 0; i < flushing_.size(); ++i)
      if (auto* x = flushing_[i]) {
        x->scheduled_ = false;
        x->flush();
      }
    flushing_.clear();
  }
  return true;
}

bool reactor::poll_sockets() {
  if (!may_read())
    return false;
  if (next_pending_ == pending_.size()) {
    pending_.clear();
    next_pending_ = 0;
    const int count =
      ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), 0);
    if (count <= 0)
      return false;
    raise(counters_.socket_events, static_cast<std::uint64_t>(count));
    busy_ |= count >= 4;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
      pending_.push_back(
        {static_cast<socket_handler*>(events_[i].data.ptr), events_[i].events});
  }
  while (next_pending_ < pending_.size()
         && read_since_flush_ < options_.bytes_per_turn) {
    const auto event = pending_[next_pending_++];
    ++handled_;
    if (event.handler != nullptr)
      event.handler->on_ready(event.events);
  }
  return true;
}

void reactor::run_posted() {
  if (!has_posted_.exchange(false, std::memory_order_acq_rel))
    return;
  {
    std::lock_guard guard(posted_mutex_);
    taken_.swap(posted_);
  }
  for (auto& f : taken_)
    f();
  taken_.clear();
}

void reactor::take_over() {
  auto expected = driver::nobody;
  while (!driver_.compare_exchange_weak(expected, driver::own,
                                        std::memory_order_acq_rel)) {
    if (expected == driver::helper)
      driver_.wait(driver::helper, std::memory_order_acquire);
    expected = driver::nobody;
  }
}

void reactor::help() {
  auto expected = driver::nobody;
  if (!driver_.compare_exchange_strong(expected, driver::helper,
                                       std::memory_order_acq_rel)) {
    wake();
    return;
  }
  const auto own = thread_id_.exchange(std::this_thread::get_id());
  turn(clock::now(), false);
  const bool more = has_ready() || has_posted_.load(std::memory_order_acquire);
  const bool sooner = wheel_.next() < sleeping_until_;
  raise(counters_.helped, std::uint64_t{1});
  thread_id_.store(own);
  driver_.store(driver::nobody, std::memory_order_release);
  driver_.notify_one();
  if (more || sooner)
    wake();
}

void reactor::arm_nested() {
  if (nested_armed_.load(std::memory_order_relaxed) || !may_read())
    return;
  nested_armed_.store(true, std::memory_order_relaxed);
  nested_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [this](const boost::system::error_code&) {
                       nested_armed_.store(false, std::memory_order_relaxed);
                     });
}

void reactor::wait() {
  // Whoever feeds a busy reactor may have more: let it run before going to
  // sleep, so that a burst is one turn and not many wake-ups.
  if (std::exchange(busy_, false)) {
    ::sched_yield();
    return;
  }
  arm_nested();
  sleeping_.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!has_ready() && !has_posted_.load(std::memory_order_acquire)
      && !stopping_.load(std::memory_order_acquire)) {
    const auto due = sleeping_until_ = wheel_.next();
    driver_.store(driver::nobody, std::memory_order_release);
    if (due == clock::time_point::max())
      io_.run_one();
    else if (due > clock::now())
      io_.run_one_until(due);
    take_over();
  }
  sleeping_.store(false, std::memory_order_relaxed);
}

} // namespace troupe::net
