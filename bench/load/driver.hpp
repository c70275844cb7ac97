#pragma once
// How a script keeps two generators in step: it reads what they say on
// standard error, and writes to their standard input.

#include <cstdio>
#include <poll.h>
#include <unistd.h>

namespace troupe::bench {

/// A line for the script.
inline void say(const char* what) {
  std::fprintf(stderr, "troupe-bench: %s\n", what);
}

/// Whether there is something on the standard input, its end included.
inline bool input_ready() {
  pollfd input{};
  input.fd = STDIN_FILENO;
  input.events = POLLIN;
  return ::poll(&input, 1, 0) > 0;
}

} // namespace troupe::bench
