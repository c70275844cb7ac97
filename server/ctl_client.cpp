#include "server/ctl_client.hpp"

#include "server/ctl_commands.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace troupe::server {

namespace json = boost::json;

namespace {

constexpr timeval patience{30, 0}; ///< for each part of the answer

int fail(exit_code code, const std::string& text) {
  std::fprintf(stderr, "troupe: %s\n", text.c_str());
  return code;
}

std::string why_not(const std::filesystem::path& at, int error) {
  const auto path = at.string();
  if (error == EACCES || error == EPERM)
    return "the broker's socket " + path
           + " is not for you: be the user that runs the broker, or root";
  return "no broker answers at " + path + " (" + std::strerror(error)
         + "): start one with troupe serve, or say which with --data-dir or "
           "--socket";
}

/// A connected socket, closed at the end.
class connection {
public:
  ~connection() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  connection() = default;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// @returns 0 or an error number.
  int open(const std::filesystem::path& at) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = at.string();
    if (path.size() >= sizeof address.sun_path)
      return ENAMETOOLONG;
    std::memcpy(address.sun_path, path.data(), path.size());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0)
      return errno;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address),
                  sizeof address)
        != 0)
      return errno;
    return 0;
  }

  bool send(std::string_view text) const {
    while (!text.empty()) {
      const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0)
        return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Reads to the end of the line. @returns whether it came.
  bool receive(std::string& line) const {
    char part[16'384];
    for (;;) {
      const auto size = ::recv(fd_, part, sizeof part, 0);
      if (size <= 0)
        return false;
      line.append(part, static_cast<std::size_t>(size));
      if (line.back() == '\n')
        return true;
    }
  }

private:
  int fd_ = -1;
};

} // namespace

void ctl_client::add_to(CLI::App& ctl) {
  ctl.add_flag("--json", json_, "Print the answer as JSON, for programs");
  ctl.require_subcommand(1);
  ctl.fallthrough();
  std::map<std::string_view, CLI::App*> groups;
  for (const auto& x : ctl_groups()) {
    auto* made = ctl.add_subcommand(std::string{x.name}, std::string{x.help});
    made->require_subcommand(1);
    made->fallthrough();
    groups[x.name] = made;
  }
  for (const auto& x : ctl_commands()) {
    const auto space = x.name.find(' ');
    add(space == std::string_view::npos ? ctl
                                        : *groups.at(x.name.substr(0, space)),
        x);
  }
}

void ctl_client::add(CLI::App& to, const ctl_command& command) {
  const auto word = command.name.substr(command.name.rfind(' ') + 1);
  auto* made = to.add_subcommand(std::string{word}, std::string{command.help});
  made->fallthrough();
  made->callback([this, &command] { chosen_ = &command; });
  for (const auto& x : command.arguments) {
    auto& value = arguments_[std::string{command.name}][std::string{x.key}];
    auto* option =
      made->add_option(std::string{x.name}, value, std::string{x.help});
    option->type_name("TEXT");
    if (!x.name.starts_with("--"))
      option->required();
  }
}

int ctl_client::run(const std::filesystem::path& at) const {
  json::object with;
  if (const auto its = arguments_.find(std::string{chosen_->name});
      its != arguments_.end())
    for (const auto& [key, value] : its->second)
      if (!value.empty())
        with[key] = value;
  const json::object request{{"command", chosen_->name}, {"with", with}};
  connection broker;
  if (const int error = broker.open(at); error != 0)
    return fail(exit_unavailable, why_not(at, error));
  std::string line;
  if (!broker.send(json::serialize(request) + '\n') || !broker.receive(line))
    return fail(exit_unavailable,
                "the broker at " + at.string() + " gives no answer");
  line.pop_back();
  boost::system::error_code error;
  const auto parsed = json::parse(line, error);
  if (error || !parsed.is_object())
    return fail(exit_unavailable, "what listens at " + at.string()
                                    + " does not speak as a broker does");
  const auto& got = parsed.get_object();
  try {
    if (const auto* why = got.if_contains("error")) {
      const auto& text = why->at("text").as_string();
      return fail(static_cast<exit_code>(why->at("code").as_int64()),
                  {text.data(), text.size()});
    }
    const auto& answer = got.at("answer");
    const auto text =
      json_ ? json::serialize(answer) + '\n' : chosen_->print(answer);
    std::fwrite(text.data(), 1, text.size(), stdout);
  } catch (const std::exception&) {
    return fail(exit_unavailable,
                "the broker's answer is not understood: is it of another "
                "version? --json shows it as it is");
  }
  return exit_success;
}

} // namespace troupe::server
