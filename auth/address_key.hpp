#pragma once
// By what one sender is told from another where senders are counted.

#include "net/tcp.hpp"

#include <string>

namespace troupe::auth {

/// The four bytes of an IPv4 address (also of one that came as IPv6), or the
/// eight of an IPv6 network: who has a /64 has all of its addresses.
std::string address_key(const net::endpoint& of);

} // namespace troupe::auth
