#include "net/record_buffers.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

namespace {

/// Before anything of OpenSSL's, as the program does.
const bool first = [] {
  troupe::net::keep_record_buffers();
  return true;
}();

constexpr std::size_t read_buffer = 16'716; // as OpenSSL 3.0 asks for
constexpr std::size_t write_buffer = 16'745;

} // namespace

BOOST_AUTO_TEST_CASE(the_buffer_used_last_is_the_next) {
  BOOST_REQUIRE(first);
  auto* one = OPENSSL_malloc(read_buffer);
  auto* other = OPENSSL_malloc(write_buffer);
  BOOST_TEST(one != other);
  OPENSSL_free(one);
  OPENSSL_free(other);
  auto* again = OPENSSL_malloc(read_buffer);
  BOOST_TEST(again == other);
  auto* once_more = OPENSSL_malloc(write_buffer);
  BOOST_TEST(once_more == one);
  OPENSSL_free(again);
  OPENSSL_free(once_more);
}

BOOST_AUTO_TEST_CASE(buffers_are_whole_and_nobody_elses) {
  std::vector<unsigned char*> all;
  for (unsigned char i = 0; i < 40; ++i) {
    all.push_back(static_cast<unsigned char*>(OPENSSL_malloc(write_buffer)));
    std::fill_n(all.back(), write_buffer, i);
  }
  for (unsigned char i = 0; i < 40; ++i)
    BOOST_TEST(std::count(all[i], all[i] + write_buffer, i) == write_buffer);
  for (auto* x : all)
    OPENSSL_free(x);
}

BOOST_AUTO_TEST_CASE(other_sizes_are_the_allocators) {
  auto* small = static_cast<char*>(OPENSSL_malloc(10));
  small[9] = 'x';
  small = static_cast<char*>(OPENSSL_realloc(small, 40'000));
  BOOST_TEST(small[9] == 'x');
  auto* large = OPENSSL_zalloc(100'000);
  BOOST_TEST(static_cast<char*>(large)[99'999] == '\0');
  OPENSSL_free(large);
  OPENSSL_free(small);
  OPENSSL_free(nullptr);
}

BOOST_AUTO_TEST_CASE(a_thread_leaves_nothing_and_may_free_what_is_not_its_own) {
  auto* mine = OPENSSL_malloc(read_buffer);
  std::thread([mine] {
    auto* its = OPENSSL_malloc(read_buffer);
    OPENSSL_free(its);
    OPENSSL_free(mine);
    BOOST_TEST(OPENSSL_malloc(read_buffer) == mine);
    OPENSSL_free(mine);
  }).join(); // a leak would be told by the sanitizer
}
