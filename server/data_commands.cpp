#include "server/data_commands.hpp"

#include "cluster/log_codec.hpp"
#include "cluster/record_error.hpp"
#include "cluster/row_codec.hpp"
#include "server/data_directory.hpp"
#include "server/exit_codes.hpp"
#include "server/table.hpp"
#include "storage/data_format.hpp"
#include "storage/error.hpp"
#include "storage/log_store.hpp"
#include "storage/state_store.hpp"

#include <boost/json.hpp>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

namespace troupe::server {

namespace {

using cluster::row_family;

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

  void scan(std::uint16_t shard, row_family family,
            const cluster::row_function& each) const {
    const std::string prefix{static_cast<char>(shard >> 8),
                             static_cast<char>(shard & 0xFF)};
    state.scan(static_cast<std::uint8_t>(family), prefix,
               [&](std::string_view key, std::string_view value) {
                 each(key, value);
                 return true;
               });
  }

  storage::data_format format;
  data_directory lock;
  storage::log_store log;
  storage::state_store state;
};

/// One shard, row by row: what rows say of each other has to agree.
class shard_check final : public cluster::row_target {
public:
  explicit shard_check(std::uint16_t shard) : shard_(shard) {}

  std::vector<std::string> problems;
  std::uint64_t applied = 0;

  void load(const cluster::applied_row& x) override {
    applied = x.index;
    at_ = x;
  }
  void load_filter(std::uint32_t id, cluster::filter_name&& x) override {
    if (id >= at_.next_filter)
      tell("filter " + x.filter + " has number " + std::to_string(id)
           + ", which is still to be given");
    if (!names_.insert(x.share_name + '\0' + x.filter).second)
      tell("filter " + x.filter + " is there twice");
    filters_.emplace(id, 0);
  }
  void load_holder(std::uint32_t filter, const std::string& client,
                   const cluster::holder_row& x) override {
    if (const auto at = filters_.find(filter); at != filters_.end())
      ++at->second;
    else
      tell(client + " holds filter " + std::to_string(filter)
           + ", which is not there");
    if (x.cursor > at_.sequence)
      tell(client + " is done up to message " + std::to_string(x.cursor)
           + ", the last one is " + std::to_string(at_.sequence));
  }
  void load_message(std::uint64_t sequence, cluster::message_row&&) override {
    if (sequence > at_.sequence)
      tell("message " + std::to_string(sequence) + " is behind the last one, "
           + std::to_string(at_.sequence));
  }
  void load_session(const std::string& client,
                    cluster::session_row&& x) override {
    if (x.epoch > at_.last_epoch)
      tell(client + " has epoch " + std::to_string(x.epoch)
           + ", the last one given is " + std::to_string(at_.last_epoch));
    std::set<std::uint16_t> identifiers;
    for (const auto& y : x.record->kept)
      if (y.packet_identifier != 0
          && !identifiers.insert(y.packet_identifier).second)
        tell(client + " has Packet Identifier "
             + std::to_string(y.packet_identifier) + " in flight twice");
  }
  void load_retained(cluster::retained_row&& x) override {
    if (x.sequence > at_.sequence)
      tell("retained message of " + std::string{x.message->topic()}
           + " is behind the last message");
  }
  void load_delayed(cluster::time_point, std::uint64_t,
                    cluster::message_row&&) override {}
  void load_outbox(std::uint16_t, cluster::forward_command&&) override {}
  void load_inbound(const std::string&, std::uint16_t, std::uint64_t) override {
  }

  void finish() {
    for (const auto& [id, holders] : filters_)
      if (holders == 0)
        tell("filter " + std::to_string(id) + " has no holder");
  }

private:
  void tell(const std::string& what) {
    problems.push_back("shard " + std::to_string(shard_) + ": " + what);
  }

  std::uint16_t shard_;
  cluster::applied_row at_;
  std::map<std::uint32_t, std::size_t> filters_; ///< with holders
  std::set<std::string> names_;
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
  std::vector<std::string> all;
  in.log.verify();
  in.state.verify();
  for (std::uint32_t i = 0; i < in.format.shards; ++i) {
    const auto shard = static_cast<std::uint16_t>(i);
    shard_check one{shard};
    try {
      cluster::load_rows(
        [&](row_family family, const cluster::row_function& each) {
          in.scan(shard, family, each);
        },
        shard, times, one);
      one.finish();
      const auto first = in.log.first_index(shard);
      const auto last = in.log.last_index(shard);
      if (last < one.applied || first > one.applied + 1)
        one.problems.push_back(
          "shard " + std::to_string(i) + ": its state is at entry "
          + std::to_string(one.applied) + ", its log has "
          + std::to_string(first) + " to " + std::to_string(last));
      in.log.read(shard, first,
                  [&](std::uint64_t, std::span<const std::uint8_t> entry) {
                    cluster::decode_entry(entry, times);
                    return true;
                  });
    } catch (const std::exception& e) {
      one.problems.push_back("shard " + std::to_string(i) + ": " + e.what());
    }
    all.insert(all.end(), one.problems.begin(), one.problems.end());
  }
  return all;
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
      in.scan(shard, static_cast<row_family>(k),
              [&](std::string_view, std::string_view) { ++count; });
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
