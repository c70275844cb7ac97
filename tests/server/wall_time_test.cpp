// Moments as RFC 3339 writes them.

#include "server/wall_time.hpp"

#include <boost/test/unit_test.hpp>

using troupe::server::print_time;
using troupe::server::read_time;

BOOST_AUTO_TEST_CASE(times_are_read_with_any_offset) {
  BOOST_TEST(read_time("1970-01-01T00:00:00Z").value() == 0);
  BOOST_TEST(read_time("2000-02-29T12:30:15.5Z").value() == 951827415500);
  BOOST_TEST(read_time("2000-02-29t14:30:15.500001+02:00").value()
             == 951827415500);
  BOOST_TEST(read_time("2000-02-29 08:00:15.50-04:30").value() == 951827415500);
  BOOST_TEST(print_time(951827415500) == "2000-02-29T12:30:15Z");
}

BOOST_AUTO_TEST_CASE(what_is_no_time_is_not_read) {
  for (const auto* text :
       {"", "2000", "2000-02-29", "2000-02-29T12:30", "2000-02-29T12:30:15",
        "2001-02-29T12:30:15Z", "2000-13-01T00:00:00Z", "2000-00-01T00:00:00Z",
        "2000-01-32T00:00:00Z", "2000-01-01T24:00:00Z", "2000-01-01T00:60:00Z",
        "2000-01-01T00:00:60Z", "2000-01-01T00:00:00.Z",
        "2000-01-01T00:00:00Zx", "2000-01-01T00:00:00+2:00",
        "2000-01-01T00:00:00+24:00", "2000-01-01T00:00:00+02:60",
        "-200-01-01T00:00:00Z", "2000-01-01T00:00:00 Z"})
    BOOST_TEST(!read_time(text), text);
}
