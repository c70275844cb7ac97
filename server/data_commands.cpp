#include "server/data_commands.hpp"

#include "cluster/log_codec.hpp"
#include "cluster/record_error.hpp"
#include "cluster/row_codec.hpp"
#include "server/data_directory.hpp"
#include "server/exit_codes.hpp"
#include "server/shard_check.hpp"
#include "server/table.hpp"
#include "server/text.hpp"
#include "storage/data_format.hpp"
#include "storage/error.hpp"
#include "storage/keys.hpp"
#include "storage/log_store.hpp"
#include "storage/state_store.hpp"

#include <boost/json.hpp>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

namespace troupe::server {

namespace {

constexpr std::size_t families = cluster::row_family_names.size();

/// Both databases of a directory that no broker uses.
struct databases {
  explicit databases(const std::filesystem::path& directory)
    : format(whole(directory)),
      lock(directory),
      log(log_options(directory)),
      state(state_options(directory)) {}

  /// Opening would make what is not there.
  static storage::data_format whole(const std::filesystem::path& directory) {
    const auto format = storage::data_format::read(directory);
    for (const auto* name : {"log.db", "state.db"})
      if (!std::filesystem::is_directory(directory / name))
        throw storage::storage_error(directory.string() + " has no " + name
                                     + ": restore it from a backup");
    return format;
  }

  static storage::log_store_options
  log_options(const std::filesystem::path& directory) {
    storage::log_store_options options;
    options.directory = directory / "log.db";
    return options;
  }
  static storage::state_store_options
  state_options(const std::filesystem::path& directory) {
    storage::state_store_options options;
    options.directory = directory / "state.db";
    options.families.assign(cluster::row_family_names.begin(),
                            cluster::row_family_names.end());
    return options;
  }

  storage::data_format format;
  data_directory lock;
  storage::log_store log;
  storage::state_store state;
};

int fail(const std::exception& why) {
  std::fprintf(stderr, "troupe: %s\n", why.what());
  const bool of_data =
    dynamic_cast<const storage::storage_error*>(&why) != nullptr
    || dynamic_cast<const cluster::record_error*>(&why) != nullptr;
  return of_data ? exit_storage : exit_unavailable;
}

/// @returns problems.
std::vector<std::string> check(const databases& in) {
  const cluster::time_base times{cluster::time_point{}, 0};
  const cluster::stored_rows rows{in.state};
  std::vector<std::string> all;
  in.log.verify();
  in.state.verify();
  for (std::uint32_t i = 0; i < in.format.shards; ++i) {
    const auto shard = static_cast<std::uint16_t>(i);
    shard_check one{rows, shard};
    try {
      one.run();
      const auto first = in.log.first_index(shard);
      const auto last = in.log.last_index(shard);
      if (last < one.applied() || first > one.applied() + 1)
        one.tell("its state is at entry " + std::to_string(one.applied())
                 + ", its log has " + std::to_string(first) + " to "
                 + std::to_string(last));
      in.log.read(shard, first,
                  [&](std::uint64_t, std::span<const std::uint8_t> entry) {
                    cluster::decode_entry(entry, times);
                    return true;
                  });
    } catch (const std::exception& e) {
      one.tell(e.what());
    }
    const auto problems = one.problems();
    all.insert(all.end(), problems.begin(), problems.end());
  }
  return all;
}

void close_to_others(const std::filesystem::path& of) {
  namespace fs = std::filesystem;
  const auto close = [](const fs::path& x) {
    fs::permissions(x, fs::perms::others_all | fs::perms::group_write,
                    fs::perm_options::remove);
  };
  close(of);
  if (fs::is_directory(of))
    for (const auto& x : fs::recursive_directory_iterator(of))
      close(x.path());
}

/// All of it or nothing. @throws std::runtime_error
void copy_data(const std::filesystem::path& from,
               const std::filesystem::path& to) {
  // The last one makes it a data directory: then the others are on the disk.
  constexpr const char* names[] = {"log.db", "state.db", "format"};
  const auto sync = [&] {
    const int fd = ::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = fd >= 0 && ::syncfs(fd) == 0;
    const std::error_code why{errno, std::generic_category()};
    if (fd >= 0)
      ::close(fd);
    if (!synced)
      throw std::filesystem::filesystem_error("cannot sync", to, why);
  };
  try {
    for (const auto* name : names) {
      if (name == names[2])
        sync();
      std::filesystem::copy(from / name, to / name,
                            std::filesystem::copy_options::recursive);
      close_to_others(to / name); // a copy has the rights of what was copied
    }
    sync();
  } catch (const std::filesystem::filesystem_error& why) {
    std::error_code ignored;
    for (const auto* name : names)
      std::filesystem::remove_all(to / name, ignored);
    throw std::runtime_error("the backup cannot be copied to " + to.string()
                             + ": " + why.code().message()
                             + "; nothing of it was left there");
  }
}

} // namespace

int check_data(const std::filesystem::path& directory) try {
  const databases in{directory};
  const auto problems = check(in);
  for (const auto& x : problems)
    std::printf("%s\n", printable(x).c_str());
  if (!problems.empty()) {
    std::printf("%zu problem%s: restore the directory from a backup\n",
                problems.size(), problems.size() == 1 ? "" : "s");
    return exit_storage;
  }
  std::printf("the data of %u shards is sound\n", in.format.shards);
  return exit_success;
} catch (const std::exception& e) {
  return fail(e);
}

int show_data(const std::filesystem::path& directory, bool as_json) try {
  const databases in{directory};
  boost::json::array shards;
  std::vector<std::string> heading{"shard", "first entry", "last entry"};
  for (const auto* name : cluster::row_family_names)
    heading.emplace_back(name);
  table rows(heading);
  for (std::uint32_t i = 0; i < in.format.shards; ++i) {
    const auto shard = static_cast<std::uint16_t>(i);
    boost::json::object one{{"shard", i},
                            {"first_entry", in.log.first_index(shard)},
                            {"last_entry", in.log.last_index(shard)}};
    std::vector<std::string> cells{std::to_string(i),
                                   std::to_string(in.log.first_index(shard)),
                                   std::to_string(in.log.last_index(shard))};
    for (std::size_t k = 0; k < families; ++k) {
      std::uint64_t count = 0;
      in.state.scan(static_cast<std::uint8_t>(k), storage::key_of(shard),
                    [&](std::string_view, std::string_view) {
                      ++count;
                      return true;
                    });
      one[cluster::row_family_names[k]] = count;
      cells.push_back(std::to_string(count));
    }
    rows.add(std::move(cells));
    shards.push_back(std::move(one));
  }
  if (as_json)
    std::printf("%s\n",
                boost::json::serialize(
                  boost::json::object{{"format", in.format.version},
                                      {"shards", std::move(shards)},
                                      {"log_bytes", in.log.disk().total()},
                                      {"state_bytes", in.state.disk().total()}})
                  .c_str());
  else
    std::printf("format %u, log %s, state %s; rows of the state by family:\n%s",
                in.format.version, print_bytes(in.log.disk().total()).c_str(),
                print_bytes(in.state.disk().total()).c_str(),
                rows.text().c_str());
  return exit_success;
} catch (const std::exception& e) {
  return fail(e);
}

int restore_data(const std::filesystem::path& backup,
                 const std::filesystem::path& directory) try {
  databases::whole(backup);
  {
    const data_directory lock{directory};
    for (const auto* name : {"format", "log.db", "state.db"})
      if (std::filesystem::exists(directory / name))
        throw std::runtime_error(
          directory.string() + " has data already (" + name
          + "): name an empty directory with --data-dir");
    copy_data(backup, directory);
  }
  return check_data(directory);
} catch (const std::exception& e) {
  return fail(e);
}

} // namespace troupe::server
