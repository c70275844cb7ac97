#pragma once
// One thread of the node: readiness, timers, wake-ups, and turns.

#include "net/timing_wheel.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <sys/epoll.h>
#include <thread>
#include <vector>

namespace troupe::net {

/// Whoever wants to know when a descriptor can be read or written.
class socket_handler {
public:
  /// @param events  bits of epoll(7). Called on the reactor's thread; may
  ///                unwatch and close any descriptor, its own included.
  virtual void on_ready(std::uint32_t events) = 0;

protected:
  ~socket_handler() = default;
};

/// Does something once, at the end of the turn it was asked for in.
class flushable {
public:
  virtual void flush() = 0;

protected:
  flushable() = default;
  ~flushable() = default;

private:
  friend class reactor;
  bool scheduled_ = false;
};

struct reactor_options {
  std::size_t index = 0;
  std::chrono::milliseconds wheel_tick{100};
  /// The core this reactor's thread is bound to; -1: none.
  int core = -1;
  /// Gives the thread a file table of its own (unshare(2), CLONE_FILES).
  bool own_file_table = false;
  /// Sockets looked at between two rounds of actors.
  std::size_t sockets_per_turn = 256;
  /// Bytes read (see `has_read`) after which other sockets wait until output
  /// is written, so that what was read is still in the processor's cache then.
  std::size_t bytes_per_turn = 262'144;
  /// What the clock shows before the first turn.
  std::chrono::steady_clock::time_point start =
    std::chrono::steady_clock::now();
};

/// Counters of a reactor: written by its thread, read by any.
struct reactor_counters {
  std::atomic<std::uint64_t> turns{0};
  std::atomic<std::uint64_t> turn_nanoseconds{0};
  std::atomic<std::uint64_t> longest_turn_nanoseconds{0};
  std::atomic<std::uint64_t> socket_events{0};
  std::atomic<std::uint64_t> wake_ups{0};
  std::atomic<std::uint64_t> helped{0}; ///< turns taken by other threads
};

/// Raises a counter that only this thread writes: a load and a store.
template <class T>
void raise(std::atomic<T>& counter, T by) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by,
                std::memory_order_relaxed);
}

/// A thread with an io_context. A turn looks at ready sockets, runs what
/// became ready (see `run_ready`), passes timers and then flushes output, so
/// that a burst leaves in one write per socket. Under load a few turns flush
/// together.
///
/// Client sockets sit in an epoll set of their own that is nested in the
/// io_context's, and need no call to be watched again after each read
/// (docs/adr/0003).
///
/// A reactor that sleeps can be helped: another reactor's thread takes one
/// turn of it (`help`), which saves a wake-up and a switch between threads
/// where a message crosses two reactors that have little to do. At any time
/// one thread drives a reactor; that thread is "the reactor's thread" below.
///
/// Everything but `post`, `wake`, `help`, `stop_and_join` and the counters
/// belongs to the reactor's thread.
class reactor {
public:
  explicit reactor(const reactor_options& options);
  virtual ~reactor();
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;

  std::size_t index() const noexcept { return options_.index; }
  boost::asio::io_context& io() noexcept { return io_; }
  timing_wheel& wheel() noexcept { return wheel_; }
  /// The clock, read once per turn.
  std::chrono::steady_clock::time_point now() const noexcept { return now_; }
  bool on_this_thread() const noexcept {
    return thread_id_.load(std::memory_order_relaxed)
           == std::this_thread::get_id();
  }
  const reactor_counters& counters() const noexcept { return counters_; }

  /// For tests that call `turn` themselves: the caller's thread is taken for
  /// the reactor's. Instead of `start`.
  void adopt_this_thread() noexcept {
    thread_id_.store(std::this_thread::get_id());
  }

  /// Starts the thread. To be called once, from any thread.
  void start();
  /// Lets the thread end after its current turn, and waits for it.
  void stop_and_join();

  /// Runs `f` on the reactor's thread in one of its next turns. Thread-safe.
  void post(std::function<void()> f);
  /// Makes a sleeping reactor take a turn. Thread-safe, cheap if it is awake.
  void wake();
  /// Takes one turn in place of the reactor's own thread if that sleeps, else
  /// wakes it. Called by another reactor between its turns.
  void help();

  /// Watches `fd` for epoll `events` until `unwatch`. With EPOLLET whatever
  /// is not read to its end has to be asked for again (`rewatch`).
  /// @returns false with errno set if the kernel refuses.
  bool watch(int fd, std::uint32_t events, socket_handler& handler);
  void rewatch(int fd, std::uint32_t events, socket_handler& handler);
  /// Also drops what this turn has still to tell `handler`.
  void unwatch(int fd, socket_handler& handler);

  /// Calls `x.flush()` once at the end of this turn, or of a turn soon after.
  void at_end_of_turn(flushable& x) {
    if (!x.scheduled_) {
      x.scheduled_ = true;
      to_flush_.push_back(&x);
    }
  }
  /// What a socket handler read, for `reactor_options::bytes_per_turn`.
  void has_read(std::size_t bytes) noexcept { read_since_flush_ += bytes; }
  /// Takes back `at_end_of_turn`, for a flushable that goes away.
  void forget(flushable& x) noexcept;

protected:
  /// Runs what became ready outside of sockets; actors, in a derived class.
  virtual void run_ready() {}
  /// Whether `run_ready` has more to do at once.
  virtual bool has_ready() { return false; }
  /// Whether sockets may be looked at: false while what was read before could
  /// not be placed yet.
  virtual bool may_read() { return true; }
  /// After `run_ready` and timers, before sockets are flushed.
  virtual void before_flush() {}
  /// Before and after everything else in a turn.
  virtual void begin_of_turn() {}
  virtual void end_of_turn() {}
  /// After a turn that had something to do.
  virtual void turn_took(std::chrono::steady_clock::duration) {}
  /// On the reactor's thread, before its first turn.
  virtual void on_start() {}

  /// One turn: what is ready now, without waiting.
  /// @param sockets  false: leaves sockets to the reactor's own thread.
  /// @returns whether there may be more to do at once.
  bool turn(std::chrono::steady_clock::time_point now, bool sockets = true);
  /// Whether this turn leaves its output to the next one.
  bool holds_output() const noexcept { return holding_; }

private:
  enum class driver : std::uint32_t {
    own,    ///< its thread runs
    nobody, ///< its thread sleeps
    helper, ///< its thread sleeps, another one takes a turn
  };
  void run();
  void set_up_thread();
  void take_over();
  void wait();
  bool poll_sockets();
  bool hold_output();
  bool flush_all();
  void run_posted();
  void arm_nested();

  reactor_options options_;
  boost::asio::io_context io_;
  int epoll_ = -1;
  boost::asio::posix::stream_descriptor nested_;
  std::atomic<bool> nested_armed_{false};
  bool busy_ = false; ///< the last turn had many sockets
  std::atomic<driver> driver_{driver::own};
  std::chrono::steady_clock::time_point sleeping_until_;
  timing_wheel wheel_;
  std::chrono::steady_clock::time_point now_;
  std::vector<flushable*> to_flush_;
  std::vector<flushable*> flushing_;
  /// Handlers whose events of the current poll are still to come.
  struct pending_event {
    socket_handler* handler;
    std::uint32_t events;
  };
  std::vector<epoll_event> events_;
  std::vector<pending_event> pending_;
  std::size_t next_pending_ = 0; ///< of `pending_`: the others have been told
  std::size_t handled_ = 0;      ///< sockets, in this turn
  std::size_t read_since_flush_ = 0;
  bool holding_ = false;
  std::chrono::steady_clock::time_point held_since_;

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_; ///< guarded by posted_mutex_
  std::vector<std::function<void()>> taken_;
  std::atomic<bool> has_posted_{false};
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::thread::id> thread_id_{};
  reactor_counters counters_;
  std::thread thread_;
};

} // namespace troupe::net
