#include "server/ctl_workers.hpp"

#include <boost/asio/post.hpp>

namespace troupe::server {

void ctl_workers::run(std::function<std::string()> work,
                      std::function<void(std::string)> done) {
  const std::lock_guard lock(mutex_);
  const auto number = ++last_;
  running_.emplace(
    number,
    std::thread([this, number, work = std::move(work), done = std::move(done)] {
      auto text = work();
      boost::asio::post(control_, [this, number, done, text = std::move(text)] {
        join_one(number);
        done(text);
      });
    }));
}

void ctl_workers::join_one(std::uint64_t number) {
  std::thread ended;
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(number);
    if (found == running_.end())
      return;
    ended = std::move(found->second);
    running_.erase(found);
  }
  ended.join();
}

void ctl_workers::join() {
  std::map<std::uint64_t, std::thread> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(running_);
  }
  for (auto& [number, x] : all)
    x.join();
}

} // namespace troupe::server
