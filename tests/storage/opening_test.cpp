// What a store says of a directory that it cannot open.

#include "storage/keys.hpp"
#include "storage/log_store.hpp"
#include "storage/state_store.hpp"
#include "tests/storage/support/recorders.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <rocksdb/db.h>

#include <fcntl.h>
#include <fstream>
#include <random>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace troupe::storage;
using namespace troupe::test;
namespace fs = std::filesystem;

namespace {

struct fixture {
  temporary_directory home;
  fs::path directory = home / "log.db";

  log_store_options options() const { return {.directory = directory}; }

  /// A log with entries, some of them in sorted files.
  void fill() const {
    auto small = options();
    small.memtable_bytes = 64 << 10;
    told_groups told;
    log_store log{small};
    log.start(told.listener());
    for (std::uint64_t index = 1; index <= 500; ++index)
      log.append(1, index, std::string(2000, 'x'));
    log.stop();
  }

  /// The text of the error that opening ends with.
  std::string refusal() const {
    try {
      const log_store log{options()};
    } catch (const storage_error& e) {
      return e.what();
    }
    return "it was opened";
  }

  /// The database without our checks.
  template <class F>
  void with_rocksdb(F change) const {
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(
      {}, directory.string(), {{"default", {}}, {"entry", {}}, {"hard", {}}},
      &families, &db);
    BOOST_REQUIRE_MESSAGE(status.ok(), status.ToString());
    change(*db, families);
    for (auto* family : families)
      db->DestroyColumnFamilyHandle(family);
    delete db;
  }

  std::vector<fs::path> files(std::string_view part) const {
    std::vector<fs::path> found;
    for (const auto& file : fs::directory_iterator{directory})
      if (file.path().filename().string().find(part) != std::string::npos)
        found.push_back(file.path());
    BOOST_REQUIRE(!found.empty());
    return found;
  }
};

/// Root may do everything.
boost::test_tools::assertion_result
is_restricted(boost::unit_test::test_unit_id) {
  return ::geteuid() != 0;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(opening, fixture)

BOOST_AUTO_TEST_CASE(creates_directories) {
  directory = home / "a/b/log.db";
  BOOST_TEST(refusal() == "it was opened");
  BOOST_TEST(fs::exists(directory / "CURRENT"));
}

BOOST_AUTO_TEST_CASE(refuses_what_is_not_a_directory) {
  std::ofstream{directory} << "a file";
  const auto text = refusal();
  BOOST_TEST_INFO(text);
  BOOST_TEST(has(text, directory.string()));
  BOOST_TEST(has(text, "not a directory"));
}

BOOST_AUTO_TEST_CASE(refuses_a_directory_without_rights,
                     *boost::unit_test::precondition(is_restricted)) {
  fs::create_directory(directory);
  fs::permissions(directory, fs::perms::owner_read | fs::perms::owner_exec);
  const auto text = refusal();
  fs::permissions(directory, fs::perms::owner_all);
  BOOST_TEST_INFO(text);
  BOOST_TEST(has(text, "by this user"));
}

BOOST_AUTO_TEST_CASE(refuses_a_second_opening_in_this_process) {
  const log_store first{options()};
  const auto text = refusal();
  BOOST_TEST_INFO(text);
  BOOST_TEST(has(text, directory.string()));
  BOOST_TEST(has(text, "open: stop"));
}

BOOST_AUTO_TEST_CASE(refuses_a_second_opening_by_another_process) {
  { const log_store log{options()}; }
  int locked[2];
  BOOST_REQUIRE(::pipe(locked) == 0);
  const auto child = ::fork();
  if (child == 0) { // only what a process of many threads may do here
    const auto file = ::open((directory / "LOCK").c_str(), O_RDWR);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    const char ok = file >= 0 && ::fcntl(file, F_SETLK, &whole) == 0;
    if (::write(locked[1], &ok, 1) == 1)
      ::pause();
    ::_exit(1);
  }
  char ok = 0;
  BOOST_REQUIRE(::read(locked[0], &ok, 1) == 1);
  BOOST_TEST(ok == 1);
  const auto text = refusal();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  BOOST_TEST_INFO(text);
  BOOST_TEST(has(text, "another process has it open"));
  BOOST_TEST(refusal() == "it was opened");
}

BOOST_AUTO_TEST_CASE(refuses_a_gap_and_names_shard_and_entries) {
  fill();
  with_rocksdb([](rocksdb::DB& db, const auto& families) {
    BOOST_REQUIRE(
      db.Delete({}, families[1], key_of(std::uint16_t{1}, std::uint64_t{17}))
        .ok());
  });
  const auto text = refusal();
  BOOST_TEST_INFO(text);
  BOOST_TEST(has(text, "shard 1"));
  BOOST_TEST(has(text, "16"));
  BOOST_TEST(has(text, "18"));
  BOOST_TEST(has(text, "missing"));
}

BOOST_AUTO_TEST_CASE(refuses_a_key_of_another_size) {
  fill();
  with_rocksdb([](rocksdb::DB& db, const auto& families) {
    BOOST_REQUIRE(db.Put({}, families[1], "short", "").ok());
  });
  BOOST_TEST(has(refusal(), "damaged"));
}

BOOST_AUTO_TEST_CASE(refuses_a_later_format) {
  fill();
  with_rocksdb([](rocksdb::DB& db, const auto& families) {
    BOOST_REQUIRE(db.Put({}, families[0], "format", "troupe log 2").ok());
  });
  const auto text = refusal();
  BOOST_TEST_INFO(text);
  BOOST_TEST(has(text, "troupe log 2"));
  BOOST_TEST(has(text, "later version"));
}

BOOST_AUTO_TEST_CASE(refuses_column_families_of_a_later_version) {
  fill();
  with_rocksdb([](rocksdb::DB& db, const auto&) {
    rocksdb::ColumnFamilyHandle* added = nullptr;
    BOOST_REQUIRE(db.CreateColumnFamily({}, "news", &added).ok());
    db.DestroyColumnFamilyHandle(added);
  });
  const auto text = refusal();
  BOOST_TEST_INFO(text);
  BOOST_TEST(has(text, "this version does not know"));
}

BOOST_AUTO_TEST_CASE(refuses_a_database_of_another_kind) {
  { const log_store log{options()}; }
  BOOST_CHECK_THROW(
    state_store({.directory = directory, .families = {"entry", "hard"}}),
    storage_error);
  BOOST_TEST(refusal() == "it was opened");
}

BOOST_AUTO_TEST_CASE(refuses_a_database_of_another_program) {
  fs::create_directory(directory);
  rocksdb::Options foreign;
  foreign.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  BOOST_REQUIRE(rocksdb::DB::Open(foreign, directory.string(), &db).ok());
  BOOST_REQUIRE(db->Put({}, "their", "row").ok());
  delete db;
  const auto text = refusal();
  BOOST_TEST_INFO(text);
  BOOST_TEST(has(text, "another program"));
  BOOST_REQUIRE(rocksdb::DB::Open(foreign, directory.string(), &db).ok());
  std::string row; // theirs is in a sorted file now, and it was not changed
  BOOST_TEST(db->Get({}, "their", &row).ok());
  delete db;
  BOOST_TEST(has(refusal(), "another program"));
}

BOOST_AUTO_TEST_CASE(refuses_when_the_file_that_names_the_others_is_gone) {
  fill();
  const auto before = files(".sst").size();
  fs::remove(directory / "CURRENT");
  const auto text = refusal();
  BOOST_TEST_INFO(text);
  BOOST_TEST(has(text, "CURRENT is missing"));
  BOOST_TEST(files(".sst").size() == before); // and touches nothing
}

BOOST_AUTO_TEST_CASE(refuses_a_truncated_current) {
  fill();
  for (const auto size : {0, 5}) {
    fs::resize_file(directory / "CURRENT", size);
    const auto text = refusal();
    BOOST_TEST_INFO(text);
    BOOST_TEST(has(text, "damaged; restore"));
  }
}

BOOST_AUTO_TEST_CASE(refuses_a_truncated_manifest) {
  fill();
  const auto manifest = files("MANIFEST-").front();
  for (const auto size : {fs::file_size(manifest) / 2, std::uintmax_t{0}}) {
    fs::resize_file(manifest, size);
    const auto text = refusal();
    BOOST_TEST_INFO(text);
    BOOST_TEST(has(text, "restore"));
    BOOST_TEST(fs::exists(manifest)); // and touches nothing
  }
}

BOOST_AUTO_TEST_CASE(refuses_random_bytes_in_a_sorted_file) {
  fill();
  const auto file = files(".sst").front();
  std::mt19937 random{7};
  for (const auto at : {fs::file_size(file) / 2, fs::file_size(file) - 200}) {
    {
      std::fstream out{file, std::ios::in | std::ios::out | std::ios::binary};
      out.seekp(static_cast<std::streamoff>(at));
      for (int n = 0; n < 100; ++n)
        out.put(static_cast<char>(random()));
    }
    const auto text = refusal();
    BOOST_TEST_INFO(text);
    BOOST_TEST(has(text, "damaged; restore"));
  }
}

BOOST_AUTO_TEST_CASE(refuses_when_a_sorted_file_is_gone) {
  fill();
  fs::remove(files(".sst").front());
  BOOST_TEST(has(refusal(), "damaged; restore"));
}

BOOST_AUTO_TEST_CASE(a_damaged_value_is_an_error_for_its_reader) {
  directory = home / "state.db";
  const state_store_options state_options{.directory = directory,
                                          .families = {"message"},
                                          .memtable_bytes = 64 << 10};
  {
    told_applied told;
    state_store state{state_options};
    state.start(told.listener());
    for (std::uint32_t n = 1; n <= 100; ++n)
      state.write(1, n, {{0, key_of(n), std::string(5000, 'x')}});
  }
  { const state_store flushed{state_options}; }
  for (const auto& file : files(".blob"))
    std::ofstream{file, std::ios::in | std::ios::out | std::ios::binary}.seekp(
      static_cast<std::streamoff>(fs::file_size(file) / 2))
      << "garbage in the middle";
  const state_store state{state_options};
  BOOST_CHECK_THROW(state.scan(0, {}, [](auto, auto) { return true; }),
                    storage_error);
}

BOOST_AUTO_TEST_SUITE_END()
