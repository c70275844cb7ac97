// What a data directory says that it holds.

#include "storage/data_format.hpp"
#include "storage/error.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iterator>
#include <string>

using namespace troupe::storage;
using namespace troupe::test;
namespace fs = std::filesystem;

namespace {

struct fixture {
  temporary_directory home;
  fs::path file = home / "format";

  void put(std::string_view text) const { std::ofstream{file} << text; }
  std::string text() const {
    std::ifstream in{file};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  /// The text of the error that `f` ends with.
  template <class F>
  static std::string refusal_of(F f) {
    try {
      f();
    } catch (const storage_error& e) {
      return e.what();
    }
    return "it was taken";
  }
  std::string refusal() const {
    return refusal_of([this] { data_format::read(home.path()); });
  }
  /// Names the path and `parts`.
  void check_refusal(const std::string& text,
                     std::initializer_list<std::string_view> parts) const {
    BOOST_TEST_INFO(text);
    BOOST_TEST(text.find(home.path().string()) != std::string::npos);
    for (const auto part : parts) {
      BOOST_TEST_INFO(text << " -- " << part);
      BOOST_TEST(text.find(part) != std::string::npos);
    }
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(format, fixture)

BOOST_AUTO_TEST_CASE(what_is_written_can_be_read) {
  BOOST_TEST(!data_format::exists(home.path()));
  data_format{data_format::newest, 48}.write(home.path());
  BOOST_TEST(data_format::exists(home.path()));
  const auto read = data_format::read(home.path());
  BOOST_TEST(read.version == data_format::newest);
  BOOST_TEST(read.shards == 48U);
}

BOOST_AUTO_TEST_CASE(people_can_read_it) {
  data_format{1, 16}.write(home.path());
  BOOST_TEST(text() == "troupe-data 1\nshards 16\n");
}

BOOST_AUTO_TEST_CASE(it_is_replaced_and_nothing_else_is_left) {
  put("something that is longer than what is to take its place");
  std::ofstream{home / "format.new"} << "of a process that was killed";
  data_format{1, 16}.write(home.path());
  BOOST_TEST(text() == "troupe-data 1\nshards 16\n");
  BOOST_TEST(std::distance(fs::directory_iterator{home.path()}, {}) == 1);
}

BOOST_AUTO_TEST_CASE(a_later_format_is_refused) {
  put("troupe-data 2\nshards 16\n");
  check_refusal(refusal(), {"format 2", "up to 1", "newer"});
  // Whatever else it may say.
  put("troupe-data 7\nwhat nobody knows yet\n");
  check_refusal(refusal(), {"format 7", "up to 1", "newer"});
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_refused) {
  data_format{1, 16}.write(home.path());
  const auto whole = text();
  // A cut in the number is not seen: "shards 1" is right as well.
  for (std::size_t size = 0; size < whole.find("16"); ++size) {
    put(whole.substr(0, size));
    check_refusal(refusal(), {"backup"});
  }
  for (const auto* bad :
       {"troupe-data", "troupe-data x\nshards 16\n",
        "another-data 1\nshards 16\n", "troupe-data 1\nshard 16\n",
        "troupe-data 1\nshards x\n", "troupe-data 1\nshards 0\n",
        "troupe-data 1\nshards -1\n", "troupe-data 0\nshards 16\n",
        "troupe-data -1\nshards 16\n",
        "troupe-data 1\nshards 99999999999999999999\n"}) {
    put(bad);
    BOOST_TEST_INFO(bad);
    check_refusal(refusal(), {"backup"});
  }
  put(std::string(100'000, '\xFF'));
  check_refusal(refusal(), {"backup"});
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_refused) {
  check_refusal(refusal(), {"format", "backup"});
}

BOOST_AUTO_TEST_CASE(a_directory_in_its_place_is_refused) {
  fs::create_directory(file);
  check_refusal(refusal(), {"backup"});
  check_refusal(refusal_of([this] {
                  data_format{1, 16}.write(home.path());
                }),
                {"cannot be written", "--data-dir"});
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_gone_is_named) {
  const auto gone = home / "gone";
  const auto text = refusal_of([&] { data_format{1, 16}.write(gone); });
  check_refusal(text, {"gone", "No such file", "--data-dir"});
}

BOOST_AUTO_TEST_CASE(an_empty_directory_gets_the_number_of_shards) {
  require_format(home.path(), 5);
  BOOST_TEST(data_format::read(home.path()).shards == 5U);
  require_format(home.path(), 5);
}

BOOST_AUTO_TEST_CASE(another_number_of_shards_is_refused) {
  require_format(home.path(), 16);
  const auto text = refusal_of([this] { require_format(home.path(), 32); });
  check_refusal(text, {"16 shards", "shards.count is 32", "shards.count = 16"});
  BOOST_TEST(data_format::read(home.path()).shards == 16U);
}

BOOST_AUTO_TEST_CASE(a_later_format_is_refused_before_shards_are_counted) {
  put("troupe-data 2\nshards 16\n");
  check_refusal(refusal_of([this] { require_format(home.path(), 32); }),
                {"format 2"});
}

BOOST_AUTO_TEST_CASE(a_directory_with_databases_and_no_format_is_refused) {
  fs::create_directory(home / "state.db");
  check_refusal(refusal_of([this] { require_format(home.path(), 16); }),
                {"format", "backup"});
  BOOST_TEST(!data_format::exists(home.path()));
}

BOOST_AUTO_TEST_SUITE_END()
