#include "server/data_directory.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::server {

namespace {

/// What the process that has the lock wrote: its pid.
std::string owner_in(int file) {
  char text[32] = "";
  const auto size = ::pread(file, text, sizeof text - 1, 0);
  std::string pid{text, size > 0 ? static_cast<std::size_t>(size) : 0};
  pid.erase(std::min(pid.find('\n'), pid.size()));
  return pid.empty() ? "another process" : "process " + pid;
}

void keep_others_out() noexcept {
  constexpr mode_t others = 027;
  ::umask(::umask(others) | others);
}

} // namespace

data_directory::data_directory(const std::filesystem::path& at) {
  keep_others_out();
  std::error_code error;
  std::filesystem::create_directories(at, error);
  if (error)
    throw std::runtime_error("the data directory " + at.string()
                             + " cannot be made: " + error.message()
                             + "; choose another with --data-dir");
  const auto name = (at / "troupe.lock").string();
  lock_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0)
    throw std::runtime_error(name + " cannot be opened: " + std::strerror(errno)
                             + "; choose another data directory with "
                               "--data-dir");
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    const auto owner = owner_in(lock_);
    ::close(lock_);
    throw std::runtime_error("the data directory " + at.string()
                             + " is used by " + owner
                             + ": end that broker, or choose another directory "
                               "with --data-dir");
  }
  const auto pid = std::to_string(::getpid()) + '\n';
  if (::ftruncate(lock_, 0) != 0
      || ::pwrite(lock_, pid.data(), pid.size(), 0)
           != static_cast<ssize_t>(pid.size())) {
    const auto why = std::string{std::strerror(errno)};
    ::close(lock_);
    throw std::runtime_error(name + " cannot be written: " + why);
  }
}

data_directory::~data_directory() { ::close(lock_); }

} // namespace troupe::server
