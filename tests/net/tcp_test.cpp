// Addresses as text, and sockets that share one.

#include "net/tcp.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <poll.h>
#include <unistd.h>

using namespace troupe::net;

namespace {

/// A descriptor that closes itself.
struct owned_fd {
  explicit owned_fd(int x) : fd(x) {}
  owned_fd(const owned_fd&) = delete;
  owned_fd& operator=(const owned_fd&) = delete;
  ~owned_fd() {
    if (fd >= 0)
      ::close(fd);
  }
  int fd;
};

bool readable(int fd) {
  pollfd x{fd, POLLIN, 0};
  return ::poll(&x, 1, 2'000) == 1;
}

int connect_to(const endpoint& at) {
  const int fd = ::socket(at.data()->sa_family, SOCK_STREAM, 0);
  BOOST_REQUIRE(::connect(fd, at.data(), at.size()) == 0);
  return fd;
}

} // namespace

BOOST_AUTO_TEST_CASE(addresses_are_read_and_printed) {
  struct row {
    const char* text;
    const char* printed; ///< null: no address
    bool loopback = false;
  };
  const row rows[] = {
    {"127.0.0.1:1883", "127.0.0.1:1883", true},
    {"127.9.9.9:1", "127.9.9.9:1", true},
    {"0.0.0.0:0", "0.0.0.0:0"},
    {":1883", "0.0.0.0:1883"},
    {"10.1.2.3:65535", "10.1.2.3:65535"},
    {"[::1]:1883", "[::1]:1883", true},
    {"[::]:8883", "[::]:8883"},
    {"[2001:DB8::7]:1", "[2001:db8::7]:1"},
    {"", nullptr},
    {"1883", nullptr},
    {"127.0.0.1", nullptr},
    {"127.0.0.1:", nullptr},
    {"127.0.0.1:65536", nullptr},
    {"127.0.0.1:-1", nullptr},
    {"127.0.0.1:+1", nullptr},
    {"127.0.0.1: 1", nullptr},
    {"127.0.0.1:18x", nullptr},
    {"127.0.0:1", nullptr},
    {"256.0.0.1:1", nullptr},
    {"localhost:1883", nullptr},
    {"::1:1883", nullptr},
    {"[::1]", nullptr},
    {"[127.0.0.1]:1", nullptr},
    {"[]:1", nullptr},
    {"[::g]:1", nullptr},
  };
  for (const auto& x : rows) {
    const auto parsed = endpoint::parse(x.text);
    BOOST_TEST(parsed.has_value() == (x.printed != nullptr), x.text);
    if (!parsed || x.printed == nullptr)
      continue;
    BOOST_TEST(parsed->to_string() == x.printed);
    BOOST_TEST(parsed->is_loopback() == x.loopback, x.text);
    BOOST_TEST(endpoint::parse(parsed->to_string())->to_string() == x.printed);
  }
}

BOOST_AUTO_TEST_CASE(port_0_is_a_free_port_that_others_may_share) {
  for (const auto* text : {"127.0.0.1:0", "[::1]:0"}) {
    int fd = -1;
    if (const auto error = listen(*endpoint::parse(text), 16, fd)) {
      BOOST_TEST_MESSAGE(text << ": " << error.message()); // no IPv6 here
      continue;
    }
    const owned_fd first{fd};
    const auto at = endpoint::local_of(first.fd);
    BOOST_TEST(at.port() != 0);
    BOOST_TEST((accept(first.fd).fd < 0));
    BOOST_TEST(errno == EAGAIN);
    BOOST_REQUIRE(!listen(at, 16, fd)); // SO_REUSEPORT
    const owned_fd second{fd};
    std::size_t taken = 0;
    for (int i = 0; i < 20; ++i) {
      const owned_fd client{connect_to(at)};
      pollfd both[] = {{first.fd, POLLIN, 0}, {second.fd, POLLIN, 0}};
      BOOST_REQUIRE(::poll(both, 2, 2'000) == 1);
      const auto got = accept(both[0].revents != 0 ? first.fd : second.fd);
      const owned_fd server{got.fd};
      BOOST_REQUIRE(got.fd >= 0);
      ++taken;
      BOOST_TEST(got.peer.to_string()
                 == endpoint::local_of(client.fd).to_string());
      BOOST_TEST(endpoint::peer_of(got.fd).to_string() == got.peer.to_string());
      BOOST_TEST(got.peer.is_loopback());
      set_no_delay(got.fd);
      char byte = 0;
      BOOST_TEST(::recv(got.fd, &byte, 1, 0) < 0); // does not block
      BOOST_TEST(::send(client.fd, "x", 1, 0) == 1);
      BOOST_TEST(readable(got.fd));
      BOOST_TEST(::recv(got.fd, &byte, 1, 0) == 1);
    }
    BOOST_TEST(taken == 20U);
  }
}

BOOST_AUTO_TEST_CASE(an_address_that_is_not_ours_is_an_error) {
  int fd = 7;
  BOOST_TEST(
    static_cast<bool>(listen(*endpoint::parse("203.0.113.7:0"), 16, fd)));
  BOOST_TEST(fd == -1);
  BOOST_TEST(endpoint::peer_of(-1).to_string() == ":0");
}

BOOST_AUTO_TEST_CASE(a_port_can_be_set) {
  for (const auto* text : {"127.0.0.1:1", "[::1]:1"}) {
    auto x = *endpoint::parse(text);
    x.set_port(54'321);
    BOOST_TEST(x.port() == 54'321);
  }
}

BOOST_AUTO_TEST_CASE(an_address_is_made_from_its_bytes) {
  const std::uint8_t v4[] = {192, 0, 2, 1};
  BOOST_TEST(endpoint::from_bytes(v4, 56'324)->to_string()
             == "192.0.2.1:56324");
  std::uint8_t v6[16] = {0x20, 0x01, 0x0D, 0xB8};
  v6[15] = 7;
  BOOST_TEST(endpoint::from_bytes(v6, 1)->to_string() == "[2001:db8::7]:1");
  const std::uint8_t mapped[16] = {0, 0, 0,    0,    0,   0, 0, 0,
                                   0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
  const auto inside = endpoint::from_bytes(mapped, 2);
  BOOST_TEST(inside->to_string() == "127.0.0.1:2");
  BOOST_TEST(inside->is_loopback());
  for (const std::size_t size : {0U, 3U, 5U, 15U})
    BOOST_TEST(!endpoint::from_bytes(std::span{v6}.first(size), 1), size);
}
