#include "storage/data_format.hpp"

#include "storage/error.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <unistd.h>

namespace troupe::storage {

namespace {

std::filesystem::path file_in(const std::filesystem::path& directory) {
  return directory / "format";
}

/// The name as well outlives a power failure: what comes next relies on it.
void sync(const std::filesystem::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0)
    ::close(fd);
  if (!synced)
    throw storage_error(directory.string()
                        + " cannot be synced: " + std::strerror(why)
                        + "; choose another directory with --data-dir");
}

} // namespace

bool data_format::exists(const std::filesystem::path& directory) {
  std::error_code error;
  return std::filesystem::exists(file_in(directory), error);
}

data_format data_format::read(const std::filesystem::path& directory) {
  const auto path = file_in(directory);
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error))
    throw unavailable_error(
      directory.string()
      + " cannot be read: " + (error ? error.message() : "Not a directory")
      + "; name a data directory, and run as the user whose data it is");
  std::ifstream in(path);
  const auto why = errno;
  if (!in && why != ENOENT)
    throw unavailable_error(path.string()
                            + " cannot be read: " + std::strerror(why)
                            + "; run as the user whose data it is");
  if (!in)
    throw storage_error(directory.string()
                        + " is no data directory, or lost a part: it has no "
                          "file format; name another one, or restore it from "
                          "a backup");
  std::string troupe, word;
  std::int64_t version = 0; // with a sign: a stream takes -1 for 2^32 - 1
  std::int64_t shards = 0;
  if (!(in >> troupe >> version) || troupe != "troupe-data" || version < 1)
    throw storage_error(path.string()
                        + " is damaged: restore the directory from a backup");
  if (version > newest)
    throw storage_error(directory.string() + " has data of format "
                        + std::to_string(version)
                        + ", this version reads up to " + std::to_string(newest)
                        + ": use the version that wrote it, or a newer");
  if (!(in >> word >> shards) || word != "shards" || shards < 1
      || shards > std::numeric_limits<std::uint16_t>::max())
    throw storage_error(path.string()
                        + " does not say how many shards the "
                          "data has: restore it from a backup");
  return {static_cast<std::uint32_t>(version),
          static_cast<std::uint32_t>(shards)};
}

void data_format::write(const std::filesystem::path& directory) const {
  const auto path = file_in(directory);
  const auto fresh = path.string() + ".new";
  std::ostringstream text;
  text << "troupe-data " << version << "\nshards " << shards << '\n';
  const auto bytes = text.str();
  const int fd =
    ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = fd >= 0
                       && ::write(fd, bytes.data(), bytes.size())
                            == static_cast<ssize_t>(bytes.size())
                       && ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0)
    ::close(fd);
  if (!written || std::rename(fresh.c_str(), path.c_str()) != 0)
    throw storage_error(path.string() + " cannot be written: "
                        + std::strerror(written ? errno : why)
                        + "; choose another directory with --data-dir");
  sync(directory);
}

void require_format(const std::filesystem::path& directory,
                    std::uint32_t shards) {
  if (!data_format::exists(directory)) {
    for (const auto* name : {"log.db", "state.db"}) // written after it
      if (std::error_code error;
          std::filesystem::exists(directory / name, error))
        throw storage_error(
          directory.string() + " has a " + name
          + ", but no file format: it is damaged, or a restore into it did not "
            "come to its end; restore it from a backup, into an empty "
            "directory");
    data_format{data_format::newest, shards}.write(directory);
    return;
  }
  const auto found = data_format::read(directory);
  const auto has = [&](const char* name) {
    std::error_code error;
    return std::filesystem::exists(directory / name, error);
  };
  // That one is opened after this one: what it had is gone.
  if (has("state.db") && !has("log.db"))
    throw storage_error(directory.string()
                        + " has a state.db, but no log.db: it is damaged; "
                          "restore it from a backup");
  if (found.shards != shards)
    throw storage_error(
      directory.string() + " has data in " + std::to_string(found.shards)
      + " shards, shards.count is " + std::to_string(shards)
      + ": the number cannot be changed later; set shards.count = "
      + std::to_string(found.shards));
}

} // namespace troupe::storage
