#include "storage/keys.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::storage;
using namespace std::string_literals;

BOOST_AUTO_TEST_CASE(numbers_are_big_endian) {
  BOOST_TEST(key_of(std::uint16_t{0x0102}, std::uint32_t{0x03040506},
                    std::uint64_t{0x0708090A0B0C0D0E})
             == "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E"s);
}

BOOST_AUTO_TEST_CASE(numbers_come_back) {
  const auto key = key_of(std::uint16_t{0xFFFE}, std::uint64_t{0xFDFCFBFAF9F8});
  BOOST_TEST(get<std::uint16_t>(key) == 0xFFFE);
  BOOST_TEST(get<std::uint64_t>(key, 2) == 0xFDFCFBFAF9F8);
}

BOOST_AUTO_TEST_CASE(keys_sort_as_their_numbers) {
  BOOST_TEST((key_of(std::uint16_t{255}) < key_of(std::uint16_t{256})));
  BOOST_TEST((key_of(std::uint64_t{127}) < key_of(std::uint64_t{128})));
}

BOOST_AUTO_TEST_CASE(a_prefix_ends_before_the_next_one) {
  BOOST_TEST(end_of_prefix("ab") == "ac");
  BOOST_TEST(end_of_prefix("a\x7F"s) == "a\x80"s);
  BOOST_TEST(end_of_prefix("a\xFF\xFF"s) == "b");
  BOOST_TEST(end_of_prefix("\xFF\xFF"s) == "");
  BOOST_TEST(end_of_prefix("") == "");
}
