#include "auth/atomic_file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace troupe::auth {

namespace {

std::error_code last_error() { return {errno, std::generic_category()}; }

std::error_code write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR)
      return last_error();
    if (n > 0)
      bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(fd) == 0 ? std::error_code{} : last_error();
}

std::error_code sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(),
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return last_error();
  const auto failed = ::fsync(fd) == 0 ? std::error_code{} : last_error();
  ::close(fd);
  return failed;
}

} // namespace

std::error_code replace_file(const std::filesystem::path& path,
                             std::string_view bytes) {
  const auto fresh = path.string() + ".new";
  const int fd =
    ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0)
    return last_error();
  auto failed = write_all(fd, bytes);
  if (::close(fd) != 0 && !failed)
    failed = last_error();
  if (!failed && std::rename(fresh.c_str(), path.c_str()) != 0)
    failed = last_error();
  if (failed) {
    ::unlink(fresh.c_str());
    return failed;
  }
  return sync_folder(path.parent_path());
}

} // namespace troupe::auth
