#include "bench/load/socket.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sstream>
#include <unistd.h>

namespace troupe::bench {

namespace {

/// What went wrong, and what the user can do where there is something.
[[noreturn]] void fail(const std::string& what, int error) {
  auto text = what + ": " + std::strerror(error);
  if (error == EMFILE || error == ENFILE)
    text += " (raise the limit, or use --threads with --own-file-tables)";
  else if (error == EADDRNOTAVAIL)
    text += " (no free port: add addresses with --source)";
  throw run_error{text};
}

sockaddr* raw(address& x) { return reinterpret_cast<sockaddr*>(&x.storage); }
const sockaddr* raw(const address& x) {
  return reinterpret_cast<const sockaddr*>(&x.storage);
}

bool parse_ipv4(const std::string& text, in_addr& out) {
  return ::inet_pton(AF_INET, text.c_str(), &out) == 1;
}

address from_ipv4(std::uint32_t host_order) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(host_order);
  address out;
  std::memcpy(&out.storage, &in, sizeof in);
  out.size = sizeof in;
  return out;
}

void append_range(std::vector<address>& to, const std::string& range) {
  const auto dash = range.find('-');
  in_addr first{};
  in_addr last{};
  if (parse_ipv4(range.substr(0, dash), first)) {
    last = first;
    if (dash == std::string::npos || parse_ipv4(range.substr(dash + 1), last)) {
      for (auto i = ntohl(first.s_addr); i <= ntohl(last.s_addr); ++i)
        to.push_back(from_ipv4(i));
      return;
    }
  }
  sockaddr_in6 in6{};
  if (::inet_pton(AF_INET6, range.c_str(), &in6.sin6_addr) != 1)
    throw run_error{"--source: \"" + range
                    + "\" is neither an address nor a range of them"};
  in6.sin6_family = AF_INET6;
  address out;
  std::memcpy(&out.storage, &in6, sizeof in6);
  out.size = sizeof in6;
  to.push_back(out);
}

} // namespace

address resolve(const std::string& host, unsigned port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const auto error =
    ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0)
    throw run_error{"cannot resolve " + host + ": " + ::gai_strerror(error)};
  address out;
  std::memcpy(&out.storage, found->ai_addr, found->ai_addrlen);
  out.size = found->ai_addrlen;
  ::freeaddrinfo(found);
  return out;
}

std::vector<address> parse_sources(const std::string& text) {
  std::vector<address> out;
  std::istringstream in{text};
  for (std::string range; std::getline(in, range, ',');)
    append_range(out, range);
  return out;
}

int start_connect(const address& target, const address* source) {
  const int fd = ::socket(target.storage.ss_family,
                          SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    fail("cannot open a socket", errno);
  const int on = 1;
  // A turn ends in one write of everything there is: nothing to wait for.
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int result = 0;
  if (source != nullptr) {
    // The port is chosen at connect(), when the other end is known too.
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    auto local = *source;
    result = ::bind(fd, raw(local), local.size);
  }
  if (result == 0)
    result = ::connect(fd, raw(target), target.size);
  if (result != 0 && errno != EINPROGRESS) {
    const auto error = errno;
    ::close(fd);
    fail("cannot connect", error);
  }
  return fd;
}

} // namespace troupe::bench
