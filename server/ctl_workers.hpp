#pragma once
// Threads for questions of `troupe ctl` that take their time.

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace troupe::server {

/// One thread for each question that is being answered: there are as few as
/// there are connections of `troupe ctl`, mostly none.
class ctl_workers {
public:
  explicit ctl_workers(boost::asio::io_context& control) : control_(control) {}
  ~ctl_workers() { join(); }
  ctl_workers(const ctl_workers&) = delete;
  ctl_workers& operator=(const ctl_workers&) = delete;

  /// Runs `work` on a thread of its own, and then `done` with its result on
  /// that of `control`. For the latter.
  /// @throws std::system_error  there is no thread to be had.
  void run(std::function<std::string()> work,
           std::function<void(std::string)> done);
  /// Waits for all; nothing may be run from then on. Any thread but theirs.
  void join();

private:
  void join_one(std::uint64_t number);

  boost::asio::io_context& control_;
  std::mutex mutex_;
  std::uint64_t last_ = 0;                       ///< guarded by mutex_
  std::map<std::uint64_t, std::thread> running_; ///< likewise
};

} // namespace troupe::server
