#pragma once
// Traces of a node and their files.

#include "actors/trace_rules.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace troupe::actors {

/// Knows which traces run, and writes what reactors hand over to
/// `DIRECTORY/NAME.log`, on a thread of its own, which begins with the first
/// trace. Thread-safe. Reactors call `write` and `watch`, which never wait for
/// a file; what finds the queue full is counted, and the file says so.
class tracer {
public:
  struct options {
    std::filesystem::path directory; ///< empty: there are no traces
    std::size_t queue_bytes = std::size_t{16} << 20;
  };
  /// Told after every change of what runs, under a lock: must not wait, nor
  /// call this.
  using on_change = std::function<void(std::shared_ptr<const trace_set>)>;

  tracer(options how, on_change changed);
  ~tracer() { close(); }
  tracer(const tracer&) = delete;
  tracer& operator=(const tracer&) = delete;

  /// Writes what is queued and ends all traces. Nothing is told any more.
  void close();

  /// @returns what is wrong and how to mend it, or nothing.
  std::string start(const trace_options& how);
  /// @returns false if it does not run.
  bool stop(std::string_view name);
  /// Also its file. @returns false if there is none.
  bool remove(std::string_view name);

  struct info {
    trace_options what; ///< of one of an earlier start: only the name
    bool running = false;
    std::uint64_t size = 0;   ///< bytes
    std::uint64_t lost = 0;   ///< lines, as the queue was full
    std::string ended;        ///< why; empty while it runs
    std::int64_t left_ms = 0; ///< while it runs
  };
  /// By name; those of earlier starts whose files are there, too.
  std::vector<info> list();
  /// Bytes from `offset` on, at most `most`. @returns false: no such trace.
  bool read(std::string_view name, std::uint64_t offset, std::size_t most,
            std::string& out);

  /// @param line  with its line feed.
  void write(trace_mask to, const std::string& line);
  /// Messages of this publisher are traced, whichever reactor has them.
  void watch(std::uint64_t publisher, trace_mask by);
  trace_mask watched(std::uint64_t publisher);

private:
  struct running {
    trace_set::entry what;
    std::chrono::steady_clock::time_point ends;
    std::FILE* file = nullptr; ///< for the thread that writes
    std::uint64_t size = 0;
    std::uint64_t lost = 0;   ///< in all
    std::uint64_t unsaid = 0; ///< of these, not said in the file
    std::string why;          ///< it is to end
    bool cut = false;         ///< nothing more can be written
  };
  struct queued {
    trace_mask to;
    std::string line;
  };

  void run();
  /// @param lock  of `mutex_`.
  void write_all(std::unique_lock<std::mutex>& lock);
  void end_some();
  void end(std::size_t slot);
  void tell();
  std::filesystem::path path_of(std::string_view name) const;
  running* find(std::string_view name);

  options how_;
  on_change changed_;
  std::mutex mutex_; ///< of all below
  std::condition_variable wake_;
  std::condition_variable idle_; ///< no line is being written
  std::vector<std::unique_ptr<running>> slots_;
  /// Slots are used in turn: lines of a trace that ended are not taken for
  /// those of another one.
  std::size_t next_slot_ = 0;
  std::map<std::string, info, std::less<>> ended_;
  std::deque<queued> queue_;
  std::size_t queue_size_ = 0; ///< bytes
  bool stopping_ = false;
  std::unordered_map<std::uint64_t, trace_mask> watched_;
  std::thread thread_;
};

} // namespace troupe::actors
