// Space that is given up comes back.

#include "storage/log_store.hpp"
#include "tests/storage/support/recorders.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace troupe::storage;
using namespace troupe::test;

BOOST_AUTO_TEST_CASE(a_log_that_is_trimmed_stays_small) {
  constexpr std::size_t mib = std::size_t{1} << 20;
  constexpr std::size_t written = 200 * mib;
  constexpr std::size_t each = 64 << 10;
  constexpr std::uint16_t shards = 16;
  constexpr std::uint64_t kept = 10; // entries of a shard: 10 MiB of all

  const temporary_directory home;
  told_groups told;
  std::uint64_t greatest = 0;
  {
    log_store log{{.directory = home / "log.db"}};
    log.start(told.listener());
    std::size_t count = 0;
    for (std::uint64_t index = 1; count * each < written; ++index) {
      for (std::uint16_t shard = 0; shard < shards; ++shard, ++count) {
        log.append(shard, index, std::string(each, 'x'));
        if (index > kept)
          log.trim(shard, index - kept);
      }
      BOOST_REQUIRE(told.wait_for(count)); // as shards do: not without limit
      greatest = std::max(greatest, log.disk().total());
    }
  }
  BOOST_TEST_MESSAGE("at most " << greatest / mib << " MiB");
  BOOST_TEST(greatest < 120 * mib);
  const log_store log{{.directory = home / "log.db"}};
  BOOST_TEST(log.disk().total() < 60 * mib);
}
