#pragma once
// A disk that fills up, breaks, is slow, and loses power.

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string_view>

namespace rocksdb {
class Env;
}

namespace troupe::test {

/// The system's files with faults that a test asks for. What is written goes to
/// real files; a sync is only noted, so that many rounds go quickly.
/// Thread-safe. Outlives the databases that use it.
class faulty_env {
public:
  enum class fault {
    no_space,
    io_error,
    sync_error, ///< all syncs fail, writes do not
  };

  faulty_env();
  ~faulty_env();
  faulty_env(const faulty_env&) = delete;
  faulty_env& operator=(const faulty_env&) = delete;

  rocksdb::Env* get() const noexcept;

  /// Writes succeed for `bytes` more, the one that goes beyond in part; syncs
  /// of what was written succeed (see `fault`).
  void fail_after(std::uint64_t bytes, fault what);
  /// Undoes `fail_after`.
  void heal();

  /// Called whenever a file is about to be synced, on the thread that does it.
  void on_sync(std::function<void(std::string_view file)> call);
  /// Syncs of write-ahead logs up to now.
  std::uint64_t wal_syncs() const;

  /// What happens from now on will not have happened. Whoever uses the disk
  /// does not notice, as nobody notices a power failure.
  void cut_power();
  /// The disk as it was when the power went. Of what no sync had confirmed each
  /// file keeps an arbitrary first part, or none; how much depends on `random`
  /// and on its directory and kind, not on how many files there are, which
  /// RocksDB's own threads decide. Databases that were open are closed.
  void restore_power(std::mt19937& random);

private:
  struct disk;
  class file;
  class files;
  std::shared_ptr<disk> disk_;
  std::unique_ptr<rocksdb::Env> env_;
};

} // namespace troupe::test
