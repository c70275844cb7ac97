#pragma once
// Where a password comes from that is not to be seen.

#include <stdexcept>
#include <string>

namespace troupe::server {

/// There is no password, and why.
class no_password : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Asks twice on the terminal of the process, without echo.
/// @throws no_password  there is no terminal, the two differ, or it was Ctrl-C.
std::string ask_password(const std::string& user);

/// The bytes of a file, or of standard input for `-`, without the end of the
/// last line. @throws no_password  it cannot be read, is empty or too long.
std::string read_password(const std::string& file);

/// 22 letters, 128 bits.
std::string random_password();

} // namespace troupe::server
