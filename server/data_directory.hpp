#pragma once
// The directory of a node's files, for one process at a time.

#include <filesystem>

namespace troupe::server {

/// Makes the directory if it is missing and holds the lock of `troupe.lock` in
/// it as long as it lives. Files that the process makes from then on are not
/// for users outside of its group, whatever its umask was: they have what
/// clients say. The system gives the lock back however the process ends; the
/// file stays.
class data_directory {
public:
  /// @throws std::runtime_error  the directory cannot be made, or another
  ///                             process (its pid is in the text) has it.
  explicit data_directory(const std::filesystem::path& at);
  ~data_directory();
  data_directory(const data_directory&) = delete;
  data_directory& operator=(const data_directory&) = delete;

private:
  int lock_ = -1;
};

} // namespace troupe::server
