#pragma once
// TCP addresses and sockets, as far as a listener and a connection need them.

#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>

namespace troupe::net {

/// An IPv4 or IPv6 address with its port, in 32 bytes.
class endpoint {
public:
  endpoint() = default;

  /// Reads "127.0.0.1:1883", "[::1]:1883", "0.0.0.0:1883" or ":1883" (every
  /// IPv4 address). Names are not resolved.
  static std::optional<endpoint> parse(std::string_view text);
  /// From the 4 bytes of an IPv4 or the 16 of an IPv6 address in the order of
  /// the network, as others send them; any other number is none. An IPv4
  /// address mapped into IPv6 (::ffff:192.0.2.1) becomes the IPv4 address, so
  /// that rules for addresses know it however it came.
  static std::optional<endpoint>
  from_bytes(std::span<const std::uint8_t> address, std::uint16_t port);
  /// The other end of a connected socket, or this end.
  static endpoint peer_of(int fd);
  static endpoint local_of(int fd);

  std::string to_string() const;
  std::string address() const;
  std::uint16_t port() const noexcept;
  void set_port(std::uint16_t port) noexcept;
  bool is_loopback() const noexcept;
  /// Whether a socket that listens here would keep one from listening there
  /// (IPv6 sockets take no IPv4 connections here).
  bool overlaps(const endpoint& other) const noexcept;

  const sockaddr* data() const noexcept { return &storage_.any; }
  socklen_t size() const noexcept { return size_; }

private:
  friend struct accepted accept(int listener);
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } storage_{.v6 = {}};
  socklen_t size_ = 0;
};

/// Opens a listening, non-blocking socket that shares its address with the
/// other reactors' (SO_REUSEPORT).
/// @param fd  receives the descriptor.
std::error_code listen(const endpoint& at, int backlog, int& fd);

/// Whether `listen` would have the address for itself: brokers of one user
/// could share it.
std::error_code probe(const endpoint& at);

/// Takes one connection: a non-blocking descriptor, or -1 and errno.
struct accepted {
  int fd = -1;
  endpoint peer;
};
accepted accept(int listener);

void set_no_delay(int fd) noexcept;

} // namespace troupe::net
