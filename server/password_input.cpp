#include "server/password_input.hpp"

#include "auth/secrets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <termios.h>
#include <unistd.h>

namespace troupe::server {

namespace {

constexpr std::size_t password_max = 65'535; ///< what a CONNECT can carry
constexpr char ctrl_c = 3;
constexpr char ctrl_d = 4;

class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ > STDERR_FILENO)
      ::close(fd_);
  }
  int get() const noexcept { return fd_; }

private:
  int fd_;
};

/// The controlling terminal, as it was again when this goes.
class quiet_terminal {
public:
  quiet_terminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
    if (fd_.get() < 0 || ::tcgetattr(fd_.get(), &before_) != 0)
      throw no_password("there is no terminal to ask for a password on: name "
                        "--password-file FILE (- is standard input) or "
                        "--generate");
    auto quiet = before_;
    // Ctrl-C is read like a letter, so that the echo comes back after it.
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ISIG | ICANON);
    ::tcsetattr(fd_.get(), TCSAFLUSH, &quiet);
  }
  quiet_terminal(const quiet_terminal&) = delete;
  quiet_terminal& operator=(const quiet_terminal&) = delete;
  ~quiet_terminal() { ::tcsetattr(fd_.get(), TCSAFLUSH, &before_); }

  std::string ask(std::string_view prompt) {
    say(prompt);
    std::string made;
    for (;;) {
      char c = 0;
      const auto count = ::read(fd_.get(), &c, 1);
      if (count < 0 && errno == EINTR)
        continue;
      if (count <= 0 || c == ctrl_c || c == ctrl_d) {
        say("\n");
        throw no_password("no password was given: nothing is changed");
      }
      if (c == '\n' || c == '\r')
        break;
      if (is(c, VERASE) || c == '\b') {
        // All bytes of one character.
        while (!made.empty() && (made.back() & 0xC0) == 0x80)
          made.pop_back();
        if (!made.empty())
          made.pop_back();
      } else if (is(c, VKILL)) {
        made.clear();
      } else if (made.size() < password_max) {
        made += c;
      }
    }
    say("\n");
    return made;
  }

private:
  /// Is `c` what this terminal has for a function?
  bool is(char c, std::size_t function) const noexcept {
    return static_cast<cc_t>(c) == before_.c_cc[function];
  }

  void say(std::string_view text) const {
    // Who does not see it can still type.
    [[maybe_unused]] const auto ignored =
      ::write(fd_.get(), text.data(), text.size());
  }

  descriptor fd_;
  termios before_{};
};

} // namespace

std::string ask_password(const std::string& user) {
  quiet_terminal terminal;
  auto first = terminal.ask("Password of " + user + ": ");
  if (first.empty())
    throw no_password("the password is empty: nothing is changed");
  auto second = terminal.ask("Again: ");
  const bool same = auth::equal_in_constant_time(first, second);
  auth::wipe(second);
  if (!same)
    throw no_password("the two passwords differ: nothing is changed");
  return first;
}

std::string read_password(const std::string& file) {
  const bool standard = file == "-";
  const descriptor from{standard ? STDIN_FILENO
                                 : ::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  const std::string name = standard ? "standard input" : file;
  std::string made;
  std::array<char, 4'096> part{};
  for (;;) {
    const auto count = ::read(from.get(), part.data(), part.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      throw no_password(name + " cannot be read: " + std::strerror(errno));
    if (count == 0)
      break;
    made.append(part.data(), static_cast<std::size_t>(count));
    if (made.size() > password_max + 2)
      break;
  }
  if (made.ends_with('\n'))
    made.pop_back();
  if (made.ends_with('\r'))
    made.pop_back();
  if (made.empty())
    throw no_password(name + " has no password in it");
  if (made.size() > password_max)
    throw no_password(name
                      + " has more than the 65535 bytes that a password "
                        "may have");
  return made;
}

std::string random_password() {
  auto made = auth::to_base64(auth::random_bytes(16), auth::base64::unpadded);
  // Without what a shell or an URL would read otherwise.
  std::replace(made.begin(), made.end(), '+', '-');
  std::replace(made.begin(), made.end(), '/', '_');
  return made;
}

} // namespace troupe::server
