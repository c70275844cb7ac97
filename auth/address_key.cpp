#include "auth/address_key.hpp"

#include <cstring>

namespace troupe::auth {

std::string address_key(const net::endpoint& of) {
  if (of.data()->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, of.data(), sizeof v4);
    return {reinterpret_cast<const char*>(&v4.sin_addr), 4};
  }
  if (of.data()->sa_family != AF_INET6)
    return {};
  sockaddr_in6 v6{};
  std::memcpy(&v6, of.data(), sizeof v6);
  const auto* bytes = reinterpret_cast<const char*>(&v6.sin6_addr);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
    return {bytes + 12, 4};
  if (IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr))
    return {bytes, 16};
  return {bytes, 8};
}

} // namespace troupe::auth
