#include "server/ctl_client.hpp"

#include "server/ctl_commands.hpp"
#include "server/ctl_server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace troupe::server {

namespace json = boost::json;

namespace {

constexpr timeval patience{30, 0}; ///< for each part of the answer

/// Why there is no answer, as `tell_failure` tells it.
ctl_failure unavailable(std::string text) {
  return {exit_unavailable, std::move(text)};
}

std::string why_not(const std::filesystem::path& at, int error) {
  const auto path = at.string();
  if (error == EACCES || error == EPERM)
    return "the broker's socket " + path
           + " is not for you: be root, the user that runs the broker, or in "
             "its group where ctl.group_access allows that";
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

  /// @param takes_long  answers may take any time.
  /// @returns 0 or an error number.
  int open(const std::filesystem::path& at, bool takes_long) {
    if (fd_ >= 0)
      ::close(std::exchange(fd_, -1));
    asked_ = false;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = at.string();
    if (path.size() >= sizeof address.sun_path)
      return ENAMETOOLONG;
    std::memcpy(address.sun_path, path.data(), path.size());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0)
      return errno;
    if (!takes_long)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address),
                  sizeof address)
        != 0)
      return errno;
    return 0;
  }

  /// Whether it had an answer already: the broker ends a connection that asks
  /// nothing for a while, as when somebody reads a trace page by page.
  bool asked() const noexcept { return asked_; }

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
  bool receive(std::string& line) {
    char part[65'536];
    for (;;) {
      const auto size = ::recv(fd_, part, sizeof part, 0);
      if (size < 0 && errno == EINTR)
        continue;
      if (size <= 0)
        return false;
      line.append(part, static_cast<std::size_t>(size));
      if (line.back() == '\n')
        return asked_ = true;
    }
  }

private:
  int fd_ = -1;
  bool asked_ = false;
};

/// One question and its answer.
/// @param reopens  connects again; whether that was possible.
template <class F>
ctl_answer exchange(connection& broker, const std::filesystem::path& at,
                    std::string_view command, const json::object& with,
                    F&& reopens) {
  const json::object request{{"command", command}, {"with", with}};
  auto text = json::serialize(request) + '\n';
  if (text.size() > ctl_server::max_request)
    return ctl_failure{exit_usage, "this is more than can be sent at once"};
  std::string line;
  const bool may_be_over = broker.asked();
  bool answered = broker.send(text) && broker.receive(line);
  // Questions that follow others on a connection change nothing.
  if (!answered && line.empty() && may_be_over && reopens())
    answered = broker.send(text) && broker.receive(line);
  if (!answered)
    return unavailable("the broker at " + at.string() + " gives no answer");
  line.pop_back();
  boost::system::error_code error;
  const auto parsed = json::parse(line, error);
  if (error || !parsed.is_object())
    return unavailable("what listens at " + at.string()
                       + " does not speak as a broker does");
  const auto& got = parsed.get_object();
  try {
    if (const auto* why = got.if_contains("error")) {
      const auto& said = why->at("text").as_string();
      return ctl_failure{static_cast<exit_code>(why->at("code").as_int64()),
                         {said.data(), said.size()}};
    }
    return got.at("answer");
  } catch (const std::exception&) {
    return unavailable("the broker's answer is not understood: is it of "
                       "another version?");
  }
}

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
    const std::string help{x.help};
    if (x.as == ctl_argument::kind::flag) {
      made->add_flag_callback(
        std::string{x.name}, [&value] { value = "true"; }, help);
      continue;
    }
    std::string name{x.name};
    const bool may_be_missing = name.starts_with('[');
    if (may_be_missing)
      name = name.substr(1, name.size() - 2);
    auto* option = made->add_option(name, value, help);
    option->type_name("TEXT");
    if (!name.starts_with("--") && !may_be_missing)
      option->required();
  }
}

int tell_failure(const ctl_failure& why) {
  std::fprintf(stderr, "troupe: %s\n", why.text.c_str());
  return why.code;
}

int ctl_client::run(const std::filesystem::path& at) const {
  json::object with;
  if (const auto its = arguments_.find(std::string{chosen_->name});
      its != arguments_.end())
    for (const auto& [key, value] : its->second)
      if (!value.empty())
        with[key] = value;
  return carry_out(at, *chosen_, std::move(with), json_);
}

int ctl_client::run(const std::filesystem::path& at, std::string_view command,
                    json::object with, bool as_json) {
  const auto all = ctl_commands();
  const auto found = std::find_if(
    all.begin(), all.end(), [&](const auto& x) { return x.name == command; });
  return carry_out(at, *found, std::move(with), as_json);
}

int ctl_client::carry_out(const std::filesystem::path& at,
                          const ctl_command& command, json::object with,
                          bool as_json) {
  if (command.prepare != nullptr)
    if (const auto wrong = command.prepare(with))
      return tell_failure(*wrong);
  connection broker;
  if (const int error = broker.open(at, command.takes_long); error != 0)
    return tell_failure(unavailable(why_not(at, error)));
  const auto ask = [&](const json::object& what) {
    return exchange(broker, at, command.name, what,
                    [&] { return broker.open(at, command.takes_long) == 0; });
  };
  if (command.converse != nullptr)
    return command.converse(ask, with, as_json);
  const auto answer = ask(with);
  if (const auto* why = std::get_if<ctl_failure>(&answer))
    return tell_failure(*why);
  try {
    const auto& got = std::get<json::value>(answer);
    const auto text =
      as_json ? json::serialize(got) + '\n' : command.print(got);
    std::fwrite(text.data(), 1, text.size(), stdout);
  } catch (const std::exception&) {
    return tell_failure(
      unavailable("the broker's answer is not understood: is it of another "
                  "version? --json shows it as it is"));
  }
  return exit_success;
}

} // namespace troupe::server
