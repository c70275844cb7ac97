#include "storage/data_format.hpp"

#include "storage/error.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

namespace troupe::storage {

namespace {

std::filesystem::path file_in(const std::filesystem::path& directory) {
  return directory / "format";
}

} // namespace

bool data_format::exists(const std::filesystem::path& directory) {
  std::error_code error;
  return std::filesystem::exists(file_in(directory), error);
}

data_format data_format::read(const std::filesystem::path& directory) {
  const auto path = file_in(directory);
  std::ifstream in(path);
  std::string troupe, word;
  data_format found;
  if (!(in >> troupe >> found.version) || troupe != "troupe-data")
    throw storage_error(path.string()
                        + " is no format file of a data directory: restore "
                          "the directory from a backup, or name another one");
  if (found.version > newest)
    throw storage_error(directory.string() + " has data of format "
                        + std::to_string(found.version)
                        + ", this version reads up to " + std::to_string(newest)
                        + ": use the version that wrote it, or a newer");
  if (!(in >> word >> found.shards) || word != "shards" || found.shards == 0)
    throw storage_error(path.string()
                        + " does not say how many shards the "
                          "data has: restore it from a backup");
  return found;
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
}

void require_format(const std::filesystem::path& directory,
                    std::uint32_t shards) {
  if (!data_format::exists(directory)) {
    data_format{data_format::newest, shards}.write(directory);
    return;
  }
  const auto found = data_format::read(directory);
  if (found.shards != shards)
    throw storage_error(
      directory.string() + " has data in " + std::to_string(found.shards)
      + " shards, shards.count is " + std::to_string(shards)
      + ": the number cannot be changed later; set shards.count = "
      + std::to_string(found.shards));
}

} // namespace troupe::storage
