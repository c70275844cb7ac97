// How each type is written, and what is refused.
#include "config/text.hpp"
#include "tests/config/support.hpp"

using namespace troupe::config;

namespace {

std::string again(std::string_view duration) {
  const auto read = read_duration(duration);
  return read ? print(*read) : "refused";
}

std::string size_again(std::string_view text) {
  const auto read = read_bytes(text);
  return read ? print(*read) : "refused";
}

std::string rate_again(std::string_view text) {
  const auto read = read_rate(text);
  return read ? print(*read) : "refused";
}

std::string address_again(std::string_view text) {
  const auto read = read_address(text);
  return read ? print(*read) : "refused";
}

} // namespace

BOOST_AUTO_TEST_CASE(durations_have_units) {
  BOOST_TEST(again("500ms") == "500ms");
  BOOST_TEST(again("15s") == "15s");
  BOOST_TEST(again("300s") == "5m");
  BOOST_TEST(again("1h30m") == "90m");
  BOOST_TEST(again("2h") == "2h");
  BOOST_TEST(again("1w1d") == "8d");
  BOOST_TEST(again("0s") == "0s");
  BOOST_TEST(again("0ms") == "0s");
  BOOST_CHECK(read_duration("1d2h3m4s5ms") == milliseconds{93'784'005});
}

BOOST_AUTO_TEST_CASE(what_is_no_duration_is_refused) {
  for (const auto* const text :
       {"", "15", "s", "15 s", "15S", "1.5s", "-1s", "15sec", "1m1h", "1s1s",
        "1s ", " 1s", "99999999999999999999s", "infinity"})
    BOOST_TEST(again(text) == "refused", text);
}

BOOST_AUTO_TEST_CASE(huge_durations_do_not_overflow) {
  const auto huge = read_duration("9223372036854775807w9223372036854775807d");
  BOOST_REQUIRE(huge);
  BOOST_CHECK(*huge > std::chrono::hours{24} * 365 * 1000);
}

BOOST_AUTO_TEST_CASE(sizes_have_units_of_1024) {
  BOOST_TEST(size_again("1MB") == "1MB");
  BOOST_TEST(size_again("1024KB") == "1MB");
  BOOST_TEST(size_again("2GB") == "2048MB");
  BOOST_TEST(size_again("64kb") == "64KB");
  BOOST_TEST(size_again("100") == "100B");
  BOOST_TEST(size_again("100B") == "100B");
  BOOST_TEST(size_again("0") == "0B");
  BOOST_TEST(read_bytes("1MB")->count == 1'048'576U);
  BOOST_TEST(read_bytes("9223372036854775807GB")->count <= 1ULL << 63U);
  for (const auto* const text : {"", "MB", "1 MB", "1XB", "-1", "1.5MB", "1TB"})
    BOOST_TEST(size_again(text) == "refused", text);
}

BOOST_AUTO_TEST_CASE(rates_are_a_count_in_a_time) {
  BOOST_TEST(rate_again("1000/s") == "1000/s");
  BOOST_TEST(rate_again("5/100ms") == "5/100ms");
  BOOST_TEST(rate_again("20/1m") == "20/m");
  BOOST_TEST(rate_again("20/60s") == "20/m");
  BOOST_TEST(rate_again("3/10s") == "3/10s");
  for (const auto* const text :
       {"", "10", "10/", "/s", "0/s", "10/0s", "10/x", "10 /s", "-1/s"})
    BOOST_TEST(rate_again(text) == "refused", text);
}

BOOST_AUTO_TEST_CASE(addresses_are_numeric_with_a_port) {
  BOOST_TEST(address_again("127.0.0.1:1883") == "127.0.0.1:1883");
  BOOST_TEST(address_again("127.0.0.1:0") == "127.0.0.1:0");
  BOOST_TEST(address_again("[::1]:1883") == "[::1]:1883");
  BOOST_TEST(address_again("[0:0::0:1]:1883") == "[::1]:1883");
  BOOST_TEST(address_again(":1883") == ":1883");
  BOOST_TEST(address_again("1883") == ":1883");
  for (const auto* const text :
       {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:1883",
        "[127.0.0.1]:1883", "[::1]", "[::1:1883", "localhost:1883",
        "1.2.3:1883", "127.0.0.1:18x", "127.0.0.1:-1", " :1"})
    BOOST_TEST(address_again(text) == "refused", text);
  using namespace std::string_view_literals;
  BOOST_TEST(address_again("127.0.0.1\0x:1883"sv) == "refused");
}

BOOST_AUTO_TEST_CASE(loopback_is_what_other_machines_cannot_reach) {
  for (const auto* const text :
       {"127.0.0.1:1", "127.3.2.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"})
    BOOST_TEST(read_address(text)->is_loopback(), text);
  for (const auto* const text : {":1", "0.0.0.0:1", "[::]:1", "192.168.0.1:1",
                                 "[fe80::1]:1", "[::ffff:10.0.0.1]:1"})
    BOOST_TEST(!read_address(text)->is_loopback(), text);
}

BOOST_AUTO_TEST_CASE(integers_that_do_not_fit_become_the_nearest) {
  BOOST_TEST(*read_integer("-5") == -5);
  BOOST_TEST(*read_integer("99999999999999999999") > 1LL << 62U);
  BOOST_TEST(*read_integer("-99999999999999999999") < -(1LL << 62U));
  for (const auto* const text : {"", "x", "1x", "1.5", " 1", "+1"})
    BOOST_TEST(!read_integer(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(numbers_print_as_they_read) {
  for (const auto* const text : {"1.5", "2", "0.1", "-3.25"})
    BOOST_TEST(print(*read_number(text)) == text);
  for (const auto* const text : {"", "x", "1.5x", "1e999"})
    BOOST_TEST(!read_number(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(strings_are_quoted_as_toml_has_it) {
  using namespace std::string_view_literals;
  BOOST_TEST(quoted("a\"b\\c") == R"("a\"b\\c")");
  BOOST_TEST(quoted("\n\x7F\0"sv) == R"("\u000A\u007F\u0000")");
  const std::string path[] = {"a-b_C9", "", "x.y"};
  BOOST_TEST(dotted(path, 3) == R"(a-b_C9.""."x.y")");
}
