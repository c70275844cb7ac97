// Levels of free space, and the file that keeps some of it.

#include "storage/space_guard.hpp"
#include "tests/storage/support/recorders.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <fstream>
#include <limits>
#include <optional>
#include <sys/stat.h>
#include <utility>

using namespace troupe::storage;
using namespace troupe::test;
namespace fs = std::filesystem;

namespace troupe::storage {

std::ostream& operator<<(std::ostream& out, space_level x) {
  return out << (x == space_level::enough ? "enough"
                 : x == space_level::low  ? "low"
                                          : "full");
}

} // namespace troupe::storage

namespace {

constexpr std::uint64_t low_mark = 10'000;
constexpr std::uint64_t full_mark = 1'000;

/// What a listener was told.
struct change {
  space_level level;
  std::uint64_t free;
  friend bool operator==(const change&, const change&) = default;
  friend std::ostream& operator<<(std::ostream& out, const change& x) {
    return out << x.level << " with " << x.free;
  }
};

struct fixture {
  temporary_directory home;
  std::atomic<std::uint64_t> free{low_mark * 10};
  space_options options{.directory = home.path(),
                        .low_bytes = low_mark,
                        .full_bytes = full_mark,
                        .reserve_bytes = 0,
                        .interval = std::chrono::hours{1}, // only when asked
                        .free_bytes = [this] { return free.load(); }};
  recorder<change> told;
  std::optional<space_guard> guard;

  void start() {
    guard.emplace(options, [this](space_level level, std::uint64_t left) {
      told.add({level, left});
    });
  }
  /// The level once so many bytes are free.
  space_level at(std::uint64_t bytes) {
    free = bytes;
    guard->look();
    return guard->level();
  }
  fs::path reserve() const { return home / "reserve"; }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(space, fixture)

BOOST_AUTO_TEST_CASE(a_level_begins_below_its_mark) {
  start();
  BOOST_TEST(guard->level() == space_level::enough);
  BOOST_TEST(at(low_mark) == space_level::enough);
  BOOST_TEST(at(low_mark - 1) == space_level::low);
  BOOST_TEST(at(full_mark) == space_level::low);
  BOOST_TEST(at(full_mark - 1) == space_level::full);
  BOOST_TEST(at(0) == space_level::full);
  BOOST_TEST(guard->free_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_level_ends_a_tenth_above_its_mark) {
  start();
  BOOST_TEST(at(full_mark - 1) == space_level::full);
  BOOST_TEST(at(full_mark) == space_level::full);
  BOOST_TEST(at(full_mark + full_mark / 10 - 1) == space_level::full);
  BOOST_TEST(at(full_mark + full_mark / 10) == space_level::low);
  BOOST_TEST(at(full_mark) == space_level::low); // and begins where it did
  BOOST_TEST(at(low_mark) == space_level::low);
  BOOST_TEST(at(low_mark + low_mark / 10 - 1) == space_level::low);
  BOOST_TEST(at(low_mark + low_mark / 10) == space_level::enough);
  BOOST_TEST(at(low_mark) == space_level::enough);
}

BOOST_AUTO_TEST_CASE(levels_can_be_passed_over) {
  start();
  BOOST_TEST(at(0) == space_level::full);
  BOOST_TEST(at(low_mark) == space_level::low); // which it is in, from below
  BOOST_TEST(at(0) == space_level::full);
  BOOST_TEST(at(low_mark * 2) == space_level::enough);
}

BOOST_AUTO_TEST_CASE(a_mark_of_0_is_never_reached) {
  options.low_bytes = options.full_bytes = 0;
  start();
  BOOST_TEST(at(0) == space_level::enough);
}

BOOST_AUTO_TEST_CASE(the_listener_hears_of_changes_alone) {
  start();
  for (const auto bytes : {low_mark, low_mark - 1, low_mark - 2, full_mark - 1,
                           std::uint64_t{0}, low_mark * 3, low_mark * 2})
    at(bytes);
  BOOST_TEST(told.all()
               == (std::vector<change>{{space_level::low, low_mark - 1},
                                       {space_level::full, full_mark - 1},
                                       {space_level::enough, low_mark * 3}}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_listener_hears_at_the_start_of_a_disk_that_is_full) {
  free = 5;
  start();
  BOOST_TEST(told.all() == (std::vector<change>{{space_level::full, 5}}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nobody_has_to_listen) {
  guard.emplace(options, nullptr);
  BOOST_TEST(at(0) == space_level::full);
}

BOOST_AUTO_TEST_CASE(it_looks_without_being_asked) {
  options.interval = std::chrono::milliseconds{1};
  start();
  free = 0;
  BOOST_TEST(told.wait_until([](const auto& all) { return !all.empty(); }));
  free = low_mark * 2;
  BOOST_TEST(told.wait_until([](const auto& all) { return all.size() == 2; }));
  guard.reset(); // ends its thread
}

BOOST_AUTO_TEST_CASE(it_ends_at_once_however_long_the_interval) {
  start();
  const auto begin = std::chrono::steady_clock::now();
  guard.reset();
  BOOST_TEST(
    (std::chrono::steady_clock::now() - begin < std::chrono::seconds{60}));
}

BOOST_AUTO_TEST_CASE(the_system_is_asked_where_nothing_else_is_given) {
  options.free_bytes = nullptr;
  start();
  BOOST_TEST(guard->free_bytes() > 0U);
  BOOST_TEST(guard->free_bytes() < std::numeric_limits<std::uint64_t>::max());
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_gone_is_no_full_disk) {
  options.free_bytes = nullptr;
  options.directory = home / "gone";
  options.reserve_bytes = 10;
  start();
  BOOST_TEST(guard->level() == space_level::enough);
  BOOST_TEST(!fs::exists(options.directory));
}

BOOST_AUTO_TEST_CASE(the_reserve_is_there_unless_the_disk_is_full) {
  options.reserve_bytes = 300;
  start();
  BOOST_TEST(fs::file_size(reserve()) == 300U);
  BOOST_TEST(at(low_mark - 1) == space_level::low);
  BOOST_TEST(fs::file_size(reserve()) == 300U);
  BOOST_TEST(at(full_mark - 1) == space_level::full);
  BOOST_TEST(!fs::exists(reserve()));
  BOOST_TEST(at(full_mark * 2) == space_level::low);
  BOOST_TEST(fs::file_size(reserve()) == 300U);
}

BOOST_AUTO_TEST_CASE(what_the_reserve_gives_back_does_not_end_the_full_state) {
  options.reserve_bytes = 300;
  start();
  BOOST_TEST(at(full_mark - 1) == space_level::full);
  BOOST_TEST(at(full_mark - 1 + 300) == space_level::full);
  BOOST_TEST(at(full_mark + full_mark / 10 + 300 - 1) == space_level::full);
  BOOST_TEST(at(full_mark + full_mark / 10 + 300) == space_level::low);
  // With the reserve taken again, it stays.
  BOOST_TEST(at(full_mark + full_mark / 10) == space_level::low);
}

BOOST_AUTO_TEST_CASE(less_than_the_reserve_is_none_at_all) {
  options.reserve_bytes = full_mark * 5;
  start();
  BOOST_TEST(at(full_mark - 1) == space_level::full);
  BOOST_TEST(at(full_mark * 2) == space_level::full);
}

BOOST_AUTO_TEST_CASE(a_reserve_has_room_of_its_own) {
  options.reserve_bytes = 1 << 20;
  start();
  BOOST_TEST(fs::file_size(reserve()) == options.reserve_bytes);
  struct stat of {};
  BOOST_REQUIRE(::stat(reserve().c_str(), &of) == 0);
  BOOST_TEST(static_cast<std::uint64_t>(of.st_blocks) * 512
             >= options.reserve_bytes);
}

BOOST_AUTO_TEST_CASE(a_reserve_of_another_size_is_made_right) {
  for (const auto size : {10U, 1'000U}) {
    std::ofstream{reserve()} << std::string(size, 'x');
    options.reserve_bytes = 300;
    start();
    BOOST_TEST(fs::file_size(reserve()) == 300U);
    guard.reset();
  }
}

BOOST_AUTO_TEST_CASE(a_reserve_that_is_not_wanted_any_more_goes) {
  options.reserve_bytes = 300;
  start();
  guard.reset();
  BOOST_TEST(fs::exists(reserve())); // it is there for the next start
  options.reserve_bytes = 0;
  start();
  BOOST_TEST(!fs::exists(reserve()));
}

BOOST_AUTO_TEST_CASE(a_reserve_that_was_removed_is_made_again) {
  options.reserve_bytes = 300;
  start();
  fs::remove(reserve());
  at(low_mark * 2);
  BOOST_TEST(fs::file_size(reserve()) == 300U);
}

BOOST_AUTO_TEST_CASE(a_disk_that_is_full_at_the_start_gets_the_reserve_back) {
  std::ofstream{reserve()} << std::string(300, 'x');
  options.reserve_bytes = 300;
  free = 0;
  start();
  BOOST_TEST(!fs::exists(reserve()));
}

BOOST_AUTO_TEST_SUITE_END()
