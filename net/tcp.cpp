#include "net/tcp.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include <utility>

namespace troupe::net {

namespace {

std::error_code last_error() { return {errno, std::generic_category()}; }

} // namespace

std::optional<endpoint> endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return std::nullopt;
  auto host = text.substr(0, colon);
  const auto port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto* end = port_text.data() + port_text.size();
  if (const auto [at, error] = std::from_chars(port_text.data(), end, port);
      error != std::errc{} || at != end)
    return std::nullopt;
  endpoint made;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    auto& v6 = made.storage_.v6;
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    made.size_ = sizeof v6;
    const std::string name{host.substr(1, host.size() - 2)};
    if (::inet_pton(AF_INET6, name.c_str(), &v6.sin6_addr) != 1)
      return std::nullopt;
    return made;
  }
  auto& v4 = made.storage_.v4;
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  made.size_ = sizeof v4;
  const std::string name{host.empty() ? std::string_view{"0.0.0.0"} : host};
  if (::inet_pton(AF_INET, name.c_str(), &v4.sin_addr) != 1)
    return std::nullopt;
  return made;
}

std::optional<endpoint>
endpoint::from_bytes(std::span<const std::uint8_t> address,
                     std::uint16_t port) {
  endpoint made;
  in6_addr v6{};
  if (address.size() == sizeof v6) {
    std::memcpy(&v6, address.data(), sizeof v6);
    if (!IN6_IS_ADDR_V4MAPPED(&v6)) {
      made.storage_.v6.sin6_family = AF_INET6;
      made.storage_.v6.sin6_port = htons(port);
      made.storage_.v6.sin6_addr = v6;
      made.size_ = sizeof made.storage_.v6;
      return made;
    }
    address = address.last(sizeof(in_addr));
  }
  auto& v4 = made.storage_.v4;
  if (address.size() != sizeof v4.sin_addr)
    return std::nullopt;
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  std::memcpy(&v4.sin_addr, address.data(), sizeof v4.sin_addr);
  made.size_ = sizeof v4;
  return made;
}

endpoint endpoint::peer_of(int fd) {
  endpoint made;
  made.size_ = sizeof made.storage_;
  if (::getpeername(fd, &made.storage_.any, &made.size_) != 0)
    return {};
  return made;
}

endpoint endpoint::local_of(int fd) {
  endpoint made;
  made.size_ = sizeof made.storage_;
  if (::getsockname(fd, &made.storage_.any, &made.size_) != 0)
    return {};
  return made;
}

std::string endpoint::address() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage_.any.sa_family == AF_INET6)
    ::inet_ntop(AF_INET6, &storage_.v6.sin6_addr, text, sizeof text);
  else if (storage_.any.sa_family == AF_INET)
    ::inet_ntop(AF_INET, &storage_.v4.sin_addr, text, sizeof text);
  return text;
}

std::string endpoint::to_string() const {
  if (storage_.any.sa_family == AF_UNIX)
    return "unix";
  const auto host = address();
  const auto port_text = std::to_string(port());
  return storage_.any.sa_family == AF_INET6 ? '[' + host + "]:" + port_text
                                            : host + ':' + port_text;
}

std::uint16_t endpoint::port() const noexcept {
  if (storage_.any.sa_family == AF_UNIX)
    return 0;
  return ntohs(storage_.any.sa_family == AF_INET6 ? storage_.v6.sin6_port
                                                  : storage_.v4.sin_port);
}

void endpoint::set_port(std::uint16_t port) noexcept {
  if (storage_.any.sa_family == AF_INET6)
    storage_.v6.sin6_port = htons(port);
  else
    storage_.v4.sin_port = htons(port);
}

bool endpoint::is_loopback() const noexcept {
  if (storage_.any.sa_family == AF_INET6)
    return IN6_IS_ADDR_LOOPBACK(&storage_.v6.sin6_addr);
  return (ntohl(storage_.v4.sin_addr.s_addr) >> 24) == 127;
}

bool endpoint::overlaps(const endpoint& other) const noexcept {
  if (storage_.any.sa_family != other.storage_.any.sa_family
      || port() != other.port())
    return false;
  if (storage_.any.sa_family == AF_INET6) {
    const auto& a = storage_.v6.sin6_addr;
    const auto& b = other.storage_.v6.sin6_addr;
    return IN6_IS_ADDR_UNSPECIFIED(&a) || IN6_IS_ADDR_UNSPECIFIED(&b)
           || IN6_ARE_ADDR_EQUAL(&a, &b);
  }
  const auto a = storage_.v4.sin_addr.s_addr;
  const auto b = other.storage_.v4.sin_addr.s_addr;
  return a == INADDR_ANY || b == INADDR_ANY || a == b;
}

namespace {

/// A socket that is bound to `at`.
std::error_code bind_to(const endpoint& at, bool shared, int& fd) {
  fd = ::socket(at.data()->sa_family,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return last_error();
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared)
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (at.data()->sa_family == AF_INET6)
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  return ::bind(fd, at.data(), at.size()) == 0 ? std::error_code{}
                                               : last_error();
}

std::error_code give_up(int& fd, std::error_code error) {
  if (fd >= 0)
    ::close(std::exchange(fd, -1));
  return error;
}

} // namespace

std::error_code probe(const endpoint& at) {
  int fd = -1;
  const auto error = bind_to(at, false, fd);
  give_up(fd, error);
  return error;
}

std::error_code listen(const endpoint& at, int backlog, int& fd) {
  if (const auto error = bind_to(at, true, fd))
    return give_up(fd, error);
  if (::listen(fd, backlog) != 0)
    return give_up(fd, last_error());
  return {};
}

accepted accept(int listener) {
  accepted made;
  made.peer.size_ = sizeof made.peer.storage_;
  made.fd = ::accept4(listener, &made.peer.storage_.any, &made.peer.size_,
                      SOCK_NONBLOCK | SOCK_CLOEXEC);
  return made;
}

void set_no_delay(int fd) noexcept {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

} // namespace troupe::net
