#include "server/ctl_top.hpp"

#include "actors/operations.hpp"
#include "server/ctl_lists.hpp"
#include "server/json_fields.hpp"
#include "server/table.hpp"

#include <fmt/format.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <thread>
#include <unistd.h>

namespace troupe::server {

namespace json = boost::json;

namespace {

using found = actors::operations::activity_found;

constexpr std::size_t default_rows = 10;
constexpr std::size_t most_rows = 1'000;

/// One digit behind the point.
json::value rate_of(double x) { return number_of(std::round(x * 10) / 10); }

json::array rows_of(const std::vector<actors::operations::busy_client>& all) {
  json::array rows;
  for (const auto& x : all)
    rows.push_back(json::object{{"clientid", x.client_id},
                                {"listener", x.listener},
                                {"messages_per_second", rate_of(x.messages)},
                                {"bytes_per_second", rate_of(x.bytes)},
                                {"mqueue_len", x.queued},
                                {"blocked_ms", x.blocked_for.count()}});
  return rows;
}

} // namespace

ctl_answer top(actors::node& of, const json::object& with) {
  auto asked = with;
  if (!asked.contains("limit"))
    asked["limit"] = std::to_string(default_rows);
  std::size_t limit = 0;
  if (auto wrong = read_limit(asked, limit))
    return *wrong;
  const auto x = actors::operations(of).look(std::min(limit, most_rows));
  json::array topics;
  for (const auto& one : x.topics)
    topics.push_back(
      json::object{{"topic", one.name},
                   {"messages_per_second", rate_of(one.messages)},
                   {"bytes_per_second", rate_of(one.bytes)}});
  return json::object{{"interval_ms", x.over.count()},
                      {"clients_by_messages", rows_of(x.busiest)},
                      {"clients_by_bytes", rows_of(x.largest)},
                      {"longest_queues", rows_of(x.longest)},
                      {"slowest_subscribers", rows_of(x.slowest)},
                      {"topics", std::move(topics)},
                      {"topics_are_lower_bounds", x.topics_are_lower_bounds}};
}

// ---- for people ------------------------------------------------------------

namespace {

std::string rate_in(const json::object& x, std::string_view key) {
  boost::system::error_code error;
  const auto value = x.at(key).to_number<double>(error);
  return fmt::format("{:.{}f}", value, value < 100 && value != 0 ? 1 : 0);
}

std::string part(const json::value& answer, std::string_view key,
                 const std::string& title, std::string_view column,
                 const std::string& heading) {
  const auto& all = answer.at(key).as_array();
  if (all.empty())
    return {};
  table rows({title, heading});
  for (const auto& one : all) {
    const auto& x = one.as_object();
    const auto name = text_in(x, key == "topics" ? "topic" : "clientid");
    rows.add({name, column == "bytes_per_second"
                      ? print_bytes(static_cast<std::uint64_t>(
                        std::max(0.0, std::stod(rate_in(x, column)))))
                      : rate_in(x, column)});
  }
  return rows.text() + '\n';
}

} // namespace

std::string print_top(const json::value& answer) {
  auto text =
    part(answer, "clients_by_messages", "busiest clients",
         "messages_per_second", "messages/s")
    + part(answer, "clients_by_bytes", "clients with most traffic",
           "bytes_per_second", "bytes/s")
    + part(answer, "topics",
           answer.at("topics_are_lower_bounds").as_bool()
             ? "busiest topics (at least)"
             : "busiest topics",
           "messages_per_second", "messages/s")
    + part(answer, "longest_queues", "longest queues", "mqueue_len", "messages")
    + part(answer, "slowest_subscribers", "clients that do not read",
           "blocked_ms", "for ms");
  return text.empty() ? "nobody sends or waits\n" : text;
}

// ---- again and again -------------------------------------------------------

namespace {

volatile std::sig_atomic_t interrupted = 0;

/// Single keys, without echo, as long as it lives.
class keyboard {
public:
  keyboard() : is_one_(::isatty(STDIN_FILENO) != 0) {
    struct sigaction end {};
    end.sa_handler = [](int) { interrupted = 1; };
    ::sigaction(SIGINT, &end, nullptr);
    ::sigaction(SIGTERM, &end, nullptr);
    if (!is_one_ || ::tcgetattr(STDIN_FILENO, &before_) != 0) {
      is_one_ = false;
      return;
    }
    auto raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  ~keyboard() {
    if (is_one_)
      ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  keyboard(const keyboard&) = delete;
  keyboard& operator=(const keyboard&) = delete;

  /// @returns false: it is to end.
  bool wait(std::chrono::milliseconds time) const {
    const auto until = std::chrono::steady_clock::now() + time;
    while (interrupted == 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
      if (left.count() <= 0)
        return true;
      pollfd key{is_one_ ? STDIN_FILENO : -1, POLLIN, 0};
      if (::poll(&key, 1, static_cast<int>(left.count())) <= 0)
        continue;
      char c = 0;
      if (::read(STDIN_FILENO, &c, 1) <= 0 || c == 'q' || c == 'Q')
        return false;
    }
    return false;
  }

private:
  bool is_one_;
  termios before_{};
};

/// What fits on the screen.
std::string cut(const std::string& text) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 4)
    return text;
  std::size_t at = 0;
  for (int line = 1; line < size.ws_row; ++line) {
    const auto next = text.find('\n', at);
    if (next == std::string::npos)
      return text;
    at = next + 1;
  }
  return text.substr(0, at);
}

} // namespace

int watch_top(const ctl_exchange& ask, const json::object& with, bool as_json) {
  using namespace std::chrono_literals;
  auto asked = with;
  const bool once = asked.erase("once") != 0;
  const bool screen = !as_json && !once && ::isatty(STDOUT_FILENO) != 0;
  const keyboard keys;
  // Rates are differences of two answers.
  auto got = ask(asked);
  if (const auto* why = std::get_if<ctl_failure>(&got))
    return tell_failure(*why);
  for (auto pause = 1'000ms; keys.wait(pause); pause = 2'000ms) {
    got = ask(asked);
    if (const auto* why = std::get_if<ctl_failure>(&got))
      return tell_failure(*why);
    const auto& answer = std::get<json::value>(got);
    auto text = as_json ? json::serialize(answer) + '\n' : print_top(answer);
    if (screen)
      text = "\x1b[H\x1b[2J" + cut("q ends\n\n" + text);
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) != 0)
      return exit_failure; // nobody reads it any more
    if (once)
      break;
  }
  return exit_success;
}

} // namespace troupe::server
