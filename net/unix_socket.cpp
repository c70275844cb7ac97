#include "net/unix_socket.hpp"

#include <cerrno>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace troupe::net {

namespace {

/// Whether somebody listens there.
bool is_served(const sockaddr_un& at) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return false;
  const bool served =
    ::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0
    || errno == EAGAIN;
  ::close(fd);
  return served;
}

} // namespace

std::error_code listen_local(const std::string& path, unsigned mode,
                             int backlog, int& fd) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof at.sun_path)
    return std::make_error_code(std::errc::filename_too_long);
  path.copy(at.sun_path, path.size());
  if (is_served(at))
    return std::make_error_code(std::errc::address_in_use);
  struct stat what {};
  if (::lstat(path.c_str(), &what) == 0) {
    if (!S_ISSOCK(what.st_mode))
      return std::make_error_code(std::errc::file_exists);
    ::unlink(path.c_str());
  }
  const int made =
    ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0)
    return {errno, std::generic_category()};
  const bool bound =
    ::bind(made, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  if (bound && ::chmod(path.c_str(), mode) == 0
      && ::listen(made, backlog) == 0) {
    fd = made;
    return {};
  }
  const std::error_code error{errno, std::generic_category()};
  if (bound)
    ::unlink(path.c_str());
  ::close(made);
  return error;
}

socket_file::socket_file(std::string path) {
  struct stat what {};
  if (::lstat(path.c_str(), &what) != 0)
    return;
  path_ = std::move(path);
  device_ = what.st_dev;
  inode_ = what.st_ino;
}

socket_file::socket_file(socket_file&& other) noexcept
  : path_(std::exchange(other.path_, {})),
    device_(other.device_),
    inode_(other.inode_) {}

socket_file& socket_file::operator=(socket_file&& other) noexcept {
  if (this == &other)
    return *this;
  remove();
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

void socket_file::remove() noexcept {
  if (path_.empty())
    return;
  struct stat what {};
  if (::lstat(path_.c_str(), &what) == 0 && what.st_dev == device_
      && what.st_ino == inode_)
    ::unlink(path_.c_str());
  path_.clear();
}

} // namespace troupe::net
