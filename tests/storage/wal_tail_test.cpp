// A write-ahead log that was cut off, and one that was changed.

#include "storage/log_store.hpp"
#include "storage/wal_tail.hpp"
#include "tests/storage/support/recorders.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <vector>

using namespace troupe::storage;
using namespace troupe::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t header_size = 7;

struct fixture {
  temporary_directory home;
  log_store_options options{.directory = home / "log.db"};
  fs::path file;
  std::string bytes;
  std::vector<std::size_t> records; ///< where they begin

  fixture() {
    {
      told_groups told;
      log_store log{options};
      log.start(told.listener());
      for (std::uint64_t index = 1; index <= 12; ++index) {
        log.append(1, index, std::string(100 + index, 'x'));
        told.wait_for(index);
      }
    }
    for (const auto& x : fs::directory_iterator{options.directory})
      if (x.path().extension() == ".log" && x.file_size() != 0)
        file = x.path();
    std::ifstream in{file, std::ios::binary};
    bytes.assign(std::istreambuf_iterator<char>{in}, {});
    for (std::size_t at = 0; at < bytes.size();) {
      records.push_back(at);
      at += header_size + static_cast<std::uint8_t>(bytes[at + 4])
            + 256U * static_cast<std::uint8_t>(bytes[at + 5]);
    }
  }

  void rewrite(const std::string& with) const {
    std::ofstream{file, std::ios::binary}.write(
      with.data(), static_cast<std::streamsize>(with.size()));
  }

  /// What opening says; empty: nothing.
  std::string refusal() const {
    try {
      const log_store log{options};
    } catch (const storage_error& e) {
      return e.what();
    }
    return {};
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(what_a_crash_cut_off_is_no_damage, fixture) {
  BOOST_REQUIRE_GE(records.size(), 12U);
  for (std::size_t size = 0; size <= bytes.size(); ++size)
    BOOST_TEST(!wrong_length_in(std::string_view{bytes}.substr(0, size)));
  rewrite(bytes.substr(0, bytes.size() - 50));
  BOOST_TEST(log_store{options}.last_index(1) == 11U);
  rewrite({});
  BOOST_TEST(refusal().empty());
}

BOOST_FIXTURE_TEST_CASE(a_length_beyond_the_file_is_seen, fixture) {
  for (std::size_t i = 0; i + 1 < records.size(); ++i) {
    auto changed = bytes;
    changed[records[i] + 5] ^= '\x40'; // 16 KiB more
    const auto found = wrong_length_in(changed);
    BOOST_REQUIRE(found);
    BOOST_TEST(*found == records[i]);
  }
}

// Whichever byte it is, no entry before the last is left out in silence.
BOOST_FIXTURE_TEST_CASE(every_changed_byte_is_refused, fixture) {
  const auto middle = records[records.size() / 2];
  for (std::size_t i = 0; i < header_size + 12; ++i) {
    auto changed = bytes;
    changed[middle + i] ^= '\x55';
    rewrite(changed);
    const auto why = refusal();
    BOOST_TEST_INFO(i);
    BOOST_TEST(why.find("damaged") != std::string::npos, why);
    BOOST_TEST(why.find("restore") != std::string::npos, why);
    BOOST_TEST(why.find("log.db") != std::string::npos, why);
  }
  rewrite(bytes);
  BOOST_TEST(refusal().empty());
}
