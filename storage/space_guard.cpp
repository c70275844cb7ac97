#include "storage/space_guard.hpp"

#include <fcntl.h>
#include <limits>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>

namespace troupe::storage {

space_guard::space_guard(space_options options, listener changed)
  : options_(std::move(options)),
    changed_(std::move(changed)) {
  look();
  thread_ = std::thread([this] { run(); });
}

space_guard::~space_guard() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void space_guard::run() {
  std::unique_lock guard(mutex_);
  while (
    !wake_.wait_for(guard, options_.interval, [this] { return stopping_; })) {
    guard.unlock();
    look();
    guard.lock();
  }
}

std::uint64_t space_guard::ask() const {
  if (options_.free_bytes)
    return options_.free_bytes();
  struct statvfs of {};
  if (::statvfs(options_.directory.c_str(), &of) != 0)
    return std::numeric_limits<std::uint64_t>::max(); // a write will tell
  return static_cast<std::uint64_t>(of.f_bavail) * of.f_frsize;
}

void space_guard::look() {
  const auto free = ask();
  free_.store(free);
  const auto before = level_.load();
  // What is given back counts as used: the level would change at once again.
  const auto left = before == space_level::full
                      ? free - std::min(free, options_.reserve_bytes)
                      : free;
  const auto leave = [](std::uint64_t mark) { return mark + mark / 10; };
  const auto below = [&](std::uint64_t mark, space_level level) {
    return left < (before >= level ? leave(mark) : mark);
  };
  const auto now =
    below(options_.full_bytes, space_level::full) ? space_level::full
    : below(options_.low_bytes, space_level::low) ? space_level::low
                                                  : space_level::enough;
  keep_reserve(now);
  level_.store(now);
  if (now != before && changed_)
    changed_(now, free);
}

void space_guard::keep_reserve(space_level level) {
  const auto file = options_.directory / "reserve";
  std::error_code error;
  if (level == space_level::full || options_.reserve_bytes == 0) {
    std::filesystem::remove(file, error);
    return;
  }
  if (std::filesystem::file_size(file, error) == options_.reserve_bytes
      && !error)
    return;
  // Less than it takes is free: then there is none, as when the disk is full.
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return;
  const auto size = static_cast<off_t>(options_.reserve_bytes);
  // The first makes one smaller that is too large, and holes, which the second
  // fills.
  const bool made =
    ::ftruncate(fd, size) == 0 && ::posix_fallocate(fd, 0, size) == 0;
  ::close(fd);
  if (!made)
    std::filesystem::remove(file, error);
}

} // namespace troupe::storage
