#pragma once
// Listening Unix sockets and their files.

#include <string>
#include <sys/types.h>
#include <system_error>

namespace troupe::net {

/// Opens a listening, non-blocking Unix socket; a file that nobody listens on
/// any more goes away first.
/// @param mode  rights of the file
/// @param fd  receives the descriptor.
/// @returns `file_exists` if it is no socket's, `address_in_use` if somebody
/// listens there.
std::error_code listen_local(const std::string& path, unsigned mode,
                             int backlog, int& fd);

/// The file of a socket that listens; goes away with this, unless another one
/// has taken its place. End this before the descriptor: as long as the socket
/// listens, nobody takes the place.
class socket_file {
public:
  socket_file() = default;
  /// Of the socket that listens there now.
  explicit socket_file(std::string path);
  socket_file(socket_file&& other) noexcept;
  socket_file& operator=(socket_file&& other) noexcept;
  ~socket_file() { remove(); }

  void remove() noexcept;

private:
  std::string path_; ///< empty: of nothing
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

} // namespace troupe::net
