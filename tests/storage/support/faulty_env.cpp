#include "tests/storage/support/faulty_env.hpp"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::test {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr auto unlimited = std::numeric_limits<std::uint64_t>::max();

struct sizes {
  std::uint64_t written = 0;
  std::uint64_t synced = 0;
};

} // namespace

struct faulty_env::disk {
  std::mutex mutex;
  std::map<std::string, sizes> files;
  std::uint64_t budget = unlimited;
  fault what = fault::no_space;
  std::optional<std::map<std::string, sizes>> at_cut; ///< the power is off
  std::uint64_t wal_syncs = 0;
  std::function<void(std::string_view)> on_sync;

  // The following: with the mutex locked.
  IOStatus error() const {
    return what == fault::no_space
             ? IOStatus::NoSpace("No space left on device")
             : IOStatus::IOError("Input/output error");
  } // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the library's own text
  bool power() const { return !at_cut; }
};

/// A file that is written.
class faulty_env::file : public rocksdb::FSWritableFileOwnerWrapper {
public:
  file(std::string name, std::unique_ptr<rocksdb::FSWritableFile> real,
       std::shared_ptr<disk> shared)
    : FSWritableFileOwnerWrapper(std::move(real)),
      name_(std::move(name)),
      disk_(std::move(shared)) {}

  IOStatus Append(const Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    const std::lock_guard guard{disk_->mutex};
    const auto fits = std::min<std::uint64_t>(disk_->budget, data.size());
    if (disk_->budget != unlimited)
      disk_->budget -= fits;
    if (fits > 0) {
      auto status = target()->Append(Slice{data.data(), fits}, options, debug);
      if (!status.ok())
        return status;
      disk_->files[name_].written += fits;
    }
    return fits == data.size() ? IOStatus::OK() : disk_->error();
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }

  IOStatus Sync(const IOOptions&, IODebugContext*) override { return synced(); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return synced();
  }
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&,
                     IODebugContext*) override {
    return IOStatus::OK(); // promises nothing
  }

private:
  IOStatus synced() {
    std::function<void(std::string_view)> call;
    std::uint64_t written = 0;
    {
      const std::lock_guard guard{disk_->mutex};
      call = disk_->on_sync;
      written = disk_->files[name_].written;
    }
    if (call)
      call(name_);
    const std::lock_guard guard{disk_->mutex};
    if (disk_->what == fault::sync_error)
      return disk_->error();
    disk_->files[name_].synced = written;
    if (name_.ends_with(".log"))
      ++disk_->wal_syncs;
    return IOStatus::OK();
  }

  std::string name_;
  std::shared_ptr<disk> disk_;
};

/// Names of files are durable at once.
class directory : public rocksdb::FSDirectory {
public:
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
};

class faulty_env::files : public rocksdb::FileSystemWrapper {
public:
  explicit files(std::shared_ptr<disk> shared)
    : FileSystemWrapper(rocksdb::FileSystem::Default()),
      disk_(std::move(shared)) {}

  const char* Name() const override { return "faulty_env"; }

  IOStatus NewWritableFile(const std::string& name, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override {
    const std::lock_guard guard{disk_->mutex};
    if (disk_->budget == 0)
      return disk_->error();
    std::unique_ptr<rocksdb::FSWritableFile> real;
    auto status = target()->NewWritableFile(name, options, &real, debug);
    if (status.ok()) {
      disk_->files[name] = {};
      *result = std::make_unique<file>(name, std::move(real), disk_);
    }
    return status;
  }

  IOStatus NewDirectory(const std::string&, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext*) override {
    *result = std::make_unique<directory>();
    return IOStatus::OK();
  }

  IOStatus RenameFile(const std::string& from, const std::string& to,
                      const IOOptions& options,
                      IODebugContext* debug) override {
    const std::lock_guard guard{disk_->mutex};
    if (!disk_->power())
      return IOStatus::OK();
    auto status = target()->RenameFile(from, to, options, debug);
    if (status.ok()) {
      disk_->files[to] = disk_->files[from];
      disk_->files.erase(from);
    }
    return status;
  }

  IOStatus DeleteFile(const std::string& name, const IOOptions& options,
                      IODebugContext* debug) override {
    const std::lock_guard guard{disk_->mutex};
    if (!disk_->power())
      return IOStatus::OK();
    disk_->files.erase(name);
    return target()->DeleteFile(name, options, debug);
  }

  // Files that are not tracked would be written past the faults.
  IOStatus ReopenWritableFile(const std::string& name, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>*,
                              IODebugContext*) override {
    return IOStatus::NotSupported("reopen " + name);
  }
  IOStatus ReuseWritableFile(const std::string& name, const std::string&,
                             const FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*,
                             IODebugContext*) override {
    return IOStatus::NotSupported("reuse " + name);
  }
  IOStatus NewRandomRWFile(const std::string& name, const FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*,
                           IODebugContext*) override {
    return IOStatus::NotSupported("write at random to " + name);
  }

private:
  std::shared_ptr<disk> disk_;
};

faulty_env::faulty_env()
  : disk_(std::make_shared<disk>()),
    env_(rocksdb::NewCompositeEnv(std::make_shared<files>(disk_))) {}

faulty_env::~faulty_env() = default;

rocksdb::Env* faulty_env::get() const noexcept { return env_.get(); }

void faulty_env::fail_after(std::uint64_t bytes, fault what) {
  const std::lock_guard guard{disk_->mutex};
  disk_->budget = what == fault::sync_error ? unlimited : bytes;
  disk_->what = what;
}

void faulty_env::heal() {
  const std::lock_guard guard{disk_->mutex};
  disk_->budget = unlimited;
  disk_->what = fault::no_space;
}

void faulty_env::on_sync(std::function<void(std::string_view)> call) {
  const std::lock_guard guard{disk_->mutex};
  disk_->on_sync = std::move(call);
}

std::uint64_t faulty_env::wal_syncs() const {
  const std::lock_guard guard{disk_->mutex};
  return disk_->wal_syncs;
}

void faulty_env::cut_power() {
  const std::lock_guard guard{disk_->mutex};
  if (disk_->power())
    disk_->at_cut = disk_->files;
}

void faulty_env::restore_power(std::mt19937& random) {
  const std::lock_guard guard{disk_->mutex};
  for (const auto& [name, size] : disk_->files)
    if (!disk_->at_cut->contains(name))
      std::filesystem::remove(name);
  disk_->files = *std::exchange(disk_->at_cut, std::nullopt);
  const auto crash = std::to_string(random());
  for (auto& [name, size] : disk_->files) {
    const std::filesystem::path path{name};
    auto kind = crash + path.parent_path().filename().string();
    kind += path.extension().string();
    std::seed_seq seed(kind.begin(), kind.end());
    std::mt19937 its{seed};
    // Often nothing at all: a file whose new size was not written down. It ends
    // with a whole record then, as if there had never been more.
    if (its() % 2 == 0)
      size.synced = std::uniform_int_distribution<std::uint64_t>{
        size.synced, size.written}(its);
    size.written = size.synced;
    if (std::filesystem::exists(name))
      std::filesystem::resize_file(name, size.written);
  }
}

} // namespace troupe::test

#ifdef __SANITIZE_THREAD__
/// RocksDB is not instrumented: the sanitizer does not see how its readers and
/// its writer agree. Our own hand-overs have no frame of it.
extern "C" const char* __tsan_default_suppressions() { // NOLINT: its name
  return "race:librocksdb";
}
#endif
