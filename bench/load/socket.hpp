#pragma once
// Opening non-blocking TCP sockets.

#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace troupe::bench {

/// Something that makes the whole run pointless, with a text for the user.
class run_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// A numeric address, IPv4 or IPv6.
struct address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

/// Looks a host name up; blocks.
/// @throws run_error  if it is unknown.
address resolve(const std::string& host, unsigned port);

/// Reads "127.0.0.2", "127.0.0.2-127.0.0.9" and lists of these by commas.
/// @throws run_error  if it is something else.
std::vector<address> parse_sources(const std::string& text);

/// Starts to connect without waiting for it.
/// @param source  the local address, any port of it; may be null.
/// @returns the descriptor.
/// @throws run_error  if there is no descriptor or port left.
int start_connect(const address& target, const address* source);

} // namespace troupe::bench
