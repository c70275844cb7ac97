#include "auth/whole_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::auth {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* what, const fs::path& path, int why) {
  throw fs::filesystem_error(what, path, {why, std::generic_category()});
}

/// A descriptor that closes itself.
class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  int get() const noexcept { return fd_; }

private:
  int fd_;
};

fs::path directory_of(const fs::path& file) {
  const auto parent = file.parent_path();
  return parent.empty() ? fs::path{"."} : parent;
}

/// Where a symbolic link leads: the link itself is to stay.
fs::path followed(const fs::path& path) {
  return fs::is_symlink(path) ? fs::canonical(path) : path;
}

/// A new file that is gone again unless it got the name it was made for.
class new_file {
public:
  explicit new_file(const fs::path& beside)
    : name_((directory_of(beside) / ("." + beside.filename().string())).string()
            + ".XXXXXX"),
      file_(::mkostemp(name_.data(), O_CLOEXEC)) {
    if (file_.get() < 0)
      fail("no file can be made beside", beside, errno);
  }
  new_file(const new_file&) = delete;
  new_file& operator=(const new_file&) = delete;
  ~new_file() {
    if (!named_)
      ::unlink(name_.c_str());
  }

  /// mkstemp made it with 0600.
  void take_rights_of(const fs::path& old) {
    struct stat from {};
    struct stat own {};
    if (::stat(old.c_str(), &from) != 0) {
      if (errno == ENOENT)
        return;
      fail("cannot be looked at", old, errno);
    }
    if (!S_ISREG(from.st_mode))
      fail("is no regular file", old, EINVAL);
    if (::fstat(file_.get(), &own) != 0
        || ((own.st_uid != from.st_uid || own.st_gid != from.st_gid)
            && ::fchown(file_.get(), from.st_uid, from.st_gid) != 0)
        || ::fchmod(file_.get(), from.st_mode & 07777) != 0)
      fail("owner and rights cannot be kept (do this as the owner)", old,
           errno);
  }

  void write(std::string_view text, const fs::path& meant) {
    while (!text.empty()) {
      const auto count = ::write(file_.get(), text.data(), text.size());
      if (count < 0 && errno != EINTR)
        fail("cannot be written", meant, errno);
      text.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
    }
    if (::fsync(file_.get()) != 0)
      fail("cannot be synced", meant, errno);
  }

  void become(const fs::path& path) {
    if (::rename(name_.c_str(), path.c_str()) != 0)
      fail("cannot be replaced", path, errno);
    named_ = true;
  }

private:
  std::string name_;
  descriptor file_;
  bool named_ = false;
};

} // namespace

std::string read_whole_file(const fs::path& path, std::uint64_t limit) {
  // Without waiting: opening a pipe would.
  const descriptor file{
    ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat about {};
  if (file.get() < 0 || ::fstat(file.get(), &about) != 0)
    fail("cannot be read", path, errno);
  if (!S_ISREG(about.st_mode))
    fail("is no regular file", path, S_ISDIR(about.st_mode) ? EISDIR : EINVAL);
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size > limit)
    fail("is larger than is taken", path, EFBIG);
  std::string text(size, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const auto count =
      ::read(file.get(), text.data() + have, text.size() - have);
    if (count == 0)
      break; // somebody made it shorter meanwhile
    if (count < 0 && errno != EINTR)
      fail("cannot be read", path, errno);
    have += count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  text.resize(have);
  return text;
}

void replace_file(const fs::path& path, std::string_view text) {
  const auto real = followed(path);
  new_file fresh{real};
  fresh.take_rights_of(real);
  fresh.write(text, real);
  fresh.become(real);
  // The name as well outlives a power failure.
  const descriptor directory{
    ::open(directory_of(real).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.get() < 0 || ::fsync(directory.get()) != 0)
    fail("was written, but its directory cannot be synced", real, errno);
}

edit_lock::edit_lock(const fs::path& file) {
  const auto directory = directory_of(followed(file));
  // The file itself is another one after each change.
  fd_ = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd_ < 0)
    fail("cannot be opened", directory, errno);
  int locked = -1;
  do
    locked = ::flock(fd_, LOCK_EX);
  while (locked != 0 && errno == EINTR);
  if (locked != 0) {
    const int why = errno;
    ::close(fd_);
    fail("cannot be locked", directory, why);
  }
}

edit_lock::~edit_lock() { ::close(fd_); }

} // namespace troupe::auth
