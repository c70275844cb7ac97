// Writes the seeds of the fuzzers of stored records below the folder given.

#include "tests/cluster/codec_support.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace {

using namespace troupe;
using namespace troupe::test;

void write(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out{path, std::ios::binary};
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}

/// A command of each kind, and a few of them together.
void write_entries(const std::filesystem::path& folder) {
  static constexpr const char* names[record_source::kinds] = {
    "publish", "claim",       "release",        "subscribe",       "checkpoint",
    "inbound", "inbound_end", "inbound_forget", "outbound",        "hold",
    "advance", "group_done",  "group_return",   "remove_retained", "time",
    "restart", "forwarded",   "group_cursor",   "forward"};
  record_source random{1};
  const auto write_entry = [&](const std::string& name,
                               std::vector<cluster::command>&& commands) {
    cluster::log_entry x;
    x.at = random.time();
    x.commands = std::move(commands);
    write(folder / name, cluster::encode_entry(x, record_times));
  };
  for (std::uint32_t kind = 0; kind < record_source::kinds; ++kind) {
    // Of some of them the one that has most in it, and is not long.
    std::string longest;
    for (auto i = 0; i < 30; ++i) {
      cluster::log_entry x;
      x.at = random.time();
      x.commands.push_back(random.command(kind));
      auto bytes = cluster::encode_entry(x, record_times);
      if (bytes.size() > longest.size() && bytes.size() < 1'200)
        longest = std::move(bytes);
    }
    write(folder / names[kind], longest);
  }
  write_entry("empty", {});
  std::vector<cluster::command> several;
  for (const std::uint32_t kind : {0U, 2U, 0U, 14U})
    several.push_back(random.command(kind));
  write_entry("several", std::move(several));
}

/// See `fuzz_state_row.cpp`: family, size of the key, key, value.
void write_rows(const std::filesystem::path& folder) {
  record_source random{2};
  row_recorder lines;
  // Both kinds of rows that `holder` has, and of filters and timers.
  std::map<std::string, int> seen;
  for (int round = 0; round < 4; ++round)
    for (const auto& x : random_rows(random, 3, lines)) {
      const auto family = static_cast<cluster::row_family>(x.family);
      const bool several = family == cluster::row_family::filter
                           || family == cluster::row_family::timer;
      std::string name = cluster::row_family_names.at(x.family);
      if (family == cluster::row_family::holder && x.key.ends_with('\0'))
        name += "_cursor";
      if (const auto number = ++seen[name]; number > 1) {
        if (!several)
          continue;
        name += '_' + std::to_string(number);
      }
      const std::string sizes{static_cast<char>(x.family),
                              static_cast<char>(x.key.size())};
      write(folder / name, sizes + x.key + *x.value);
    }
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("make_record_corpus <folder>\n", stderr);
    return 1;
  }
  const std::filesystem::path folder = argv[1];
  write_entries(folder / "fuzz_log_entry");
  write_rows(folder / "fuzz_state_row");
  return 0;
}
