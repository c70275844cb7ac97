// What the service manager says and hears, and when a process may say that it
// is alive.
#include "server/service_manager.hpp"
#include "server/watchdog_rules.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <map>
#include <random>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace troupe::server;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t me = 77;

service_environment read(const std::map<std::string, std::string>& from) {
  return service_environment::read(
    [&](const char* name) -> const char* {
      const auto found = from.find(name);
      return found == from.end() ? nullptr : found->second.c_str();
    },
    me);
}

/// A service manager at an abstract address.
class listener {
public:
  listener() {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    // The kernel chooses an abstract name.
    BOOST_REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&to),
                         sizeof to.sun_family)
                  == 0);
    socklen_t size = sizeof to;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&to), &size);
    name_ = '@'
            + std::string{to.sun_path + 1,
                          size - offsetof(sockaddr_un, sun_path) - 1};
  }
  ~listener() { ::close(socket_); }
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  const std::string& name() const { return name_; }
  /// The next datagram; empty without one.
  std::string hear() const {
    char text[512];
    const auto size = ::recv(socket_, text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? "" : std::string{text, static_cast<std::size_t>(size)};
  }

private:
  int socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  std::string name_;
};

struct process {
  process(std::size_t parts, std::chrono::microseconds timeout)
    : rules(parts, timeout),
      answered(parts) {}

  watchdog_rules::decision decide() {
    auto made = rules.decide(now, answered);
    if (made.ask != 0)
      asked = made.ask;
    BOOST_TEST((made.next > now));
    now = made.next;
    return made;
  }
  void all_answer() { answered.assign(answered.size(), asked); }

  watchdog_rules rules;
  std::vector<std::uint64_t> answered;
  watchdog_rules::time_point now{1h};
  std::uint64_t asked = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE(without_a_socket_there_is_no_service_manager) {
  for (const auto& from : std::vector<std::map<std::string, std::string>>{
         {}, {{"NOTIFY_SOCKET", ""}}, {{"WATCHDOG_USEC", "1000"}}}) {
    const auto x = read(from);
    BOOST_TEST(x.socket.empty());
    BOOST_TEST(x.watchdog.count() == 0);
    BOOST_TEST(x.problems.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_watchdog_is_for_the_process_that_it_names_or_for_all) {
  std::map<std::string, std::string> from{{"NOTIFY_SOCKET", "/run/notify"},
                                          {"WATCHDOG_USEC", "30000000"}};
  BOOST_TEST((read(from).watchdog == 30s));
  from["WATCHDOG_PID"] = "77";
  BOOST_TEST((read(from).watchdog == 30s));
  from["WATCHDOG_PID"] = "78";
  BOOST_TEST(read(from).watchdog.count() == 0);
  BOOST_TEST(read(from).problems.empty());
  BOOST_TEST(read(from).socket == "/run/notify");
}

BOOST_AUTO_TEST_CASE(what_is_not_understood_is_named_and_passed_over) {
  const std::string socket = "NOTIFY_SOCKET";
  for (const auto& bad : {std::string{"notify"}, std::string{"vsock:2:1234"},
                          '/' + std::string(107, 'x')}) {
    const auto x = read({{socket, bad}, {"WATCHDOG_USEC", "1000"}});
    BOOST_TEST(x.socket.empty(), bad);
    BOOST_TEST(x.watchdog.count() == 0, bad);
    BOOST_TEST_REQUIRE(x.problems.size() == 1U, bad);
    BOOST_TEST(x.problems[0].find(socket) == 0U, x.problems[0]);
  }
  BOOST_TEST(read({{socket, '/' + std::string(106, 'x')}}).problems.empty());
  for (const auto* bad : {"", "0", "-1", "soon", "10s", "+5",
                          "9223372036854775808", "1.5", " 7"}) {
    const auto x = read({{socket, "@a"}, {"WATCHDOG_USEC", bad}});
    BOOST_TEST(x.socket == "@a");
    BOOST_TEST(x.watchdog.count() == 0, bad);
    BOOST_TEST_REQUIRE(x.problems.size() == 1U, bad);
    BOOST_TEST(x.problems[0].find("WATCHDOG_USEC") == 0U);
    const auto y =
      read({{socket, "@a"}, {"WATCHDOG_USEC", "1000"}, {"WATCHDOG_PID", bad}});
    BOOST_TEST(y.watchdog.count() == 0, bad);
    BOOST_TEST(y.problems.size() == 1U, bad);
  }
}

BOOST_AUTO_TEST_CASE(the_variables_are_taken_so_that_children_have_them_not) {
  ::setenv("NOTIFY_SOCKET", "@x", 1);
  ::setenv("WATCHDOG_USEC", "5000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  const auto x = take_service_environment();
  BOOST_TEST(x.socket == "@x");
  BOOST_TEST((x.watchdog == 5s));
  for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
    BOOST_TEST(std::getenv(name) == nullptr, name);
}

BOOST_AUTO_TEST_CASE(each_message_is_one_datagram_of_assignments) {
  const listener manager;
  std::vector<std::string> warned;
  service_manager to({manager.name(), 1s, {"odd"}},
                     [&](const std::string& x) { warned.push_back(x); });
  BOOST_TEST((to.watchdog() == 1s));
  to.ready("serving\nREADY=0");
  to.alive();
  to.reloading();
  to.stopping("bye", 10s);
  BOOST_TEST(manager.hear() == "READY=1\nSTATUS=serving READY=0");
  BOOST_TEST(manager.hear() == "WATCHDOG=1");
  const auto reloading = manager.hear();
  BOOST_TEST(reloading.find("RELOADING=1\nMONOTONIC_USEC=") == 0U);
  const auto at = std::strtoll(
    reloading.c_str() + std::string{"RELOADING=1\nMONOTONIC_USEC="}.size(),
    nullptr, 10);
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                     std::chrono::steady_clock::now().time_since_epoch())
                     .count();
  BOOST_TEST(at <= now);
  BOOST_TEST(at > now - 60'000'000);
  BOOST_TEST(manager.hear()
             == "STOPPING=1\nSTATUS=bye\nEXTEND_TIMEOUT_USEC=15000000");
  BOOST_TEST(manager.hear().empty());
  BOOST_TEST(warned == std::vector<std::string>{"odd"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_service_manager_that_is_gone_is_a_warning_each_time) {
  std::vector<std::string> warned;
  service_manager to({"/nonexistent/notify", 0s, {}},
                     [&](const std::string& x) { warned.push_back(x); });
  to.ready("x");
  to.alive();
  BOOST_TEST(warned.size() == 2U);
  BOOST_TEST(warned[0].find("READY=1: No such file") != std::string::npos,
             warned[0]);
  service_manager nobody({},
                         [&](const std::string& x) { warned.push_back(x); });
  nobody.ready("x");
  nobody.stopping("x", 1s);
  BOOST_TEST(warned.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_sign_is_given_at_half_of_the_time_while_all_answer) {
  process x(3, 10s);
  const auto begin = x.now;
  auto first = x.decide();
  BOOST_TEST(!first.feed);
  BOOST_TEST(first.ask == 1U);
  for (int i = 1; i <= 5; ++i) {
    x.all_answer();
    BOOST_TEST((x.now == begin + i * 5s));
    const auto made = x.decide();
    BOOST_TEST(made.feed);
    BOOST_TEST(made.ask == static_cast<std::uint64_t>(i) + 1);
    BOOST_TEST(made.silent.empty());
    BOOST_TEST(!made.mended);
  }
}

BOOST_AUTO_TEST_CASE(a_decision_that_comes_too_early_changes_nothing) {
  process x(1, 10s);
  x.decide();
  x.all_answer();
  const auto due = x.now;
  const auto early = x.rules.decide(due - 1us, x.answered);
  BOOST_TEST(!early.feed);
  BOOST_TEST(early.ask == 0U);
  BOOST_TEST((early.next == due));
  BOOST_TEST(x.decide().feed);
}

BOOST_AUTO_TEST_CASE(one_part_without_an_answer_silences_the_process) {
  for (std::size_t hangs = 0; hangs < 3; ++hangs) {
    process x(3, 10s);
    x.decide();
    x.all_answer();
    BOOST_TEST(x.decide().feed);
    for (std::size_t i = 0; i < 3; ++i)
      if (i != hangs)
        x.answered[i] = x.asked;
    const auto first = x.decide();
    BOOST_TEST(!first.feed);
    BOOST_TEST(first.silent == std::vector<std::size_t>{hangs},
               boost::test_tools::per_element());
    const auto until = x.now + 1h;
    while (x.now < until) {
      const auto made = x.decide();
      BOOST_TEST(!made.feed);
      BOOST_TEST(made.ask == 0U);
      BOOST_TEST(made.silent.empty()); // is said once
    }
    x.all_answer();
    const auto last = x.decide();
    BOOST_TEST(last.feed);
    BOOST_TEST(last.mended);
  }
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_a_little_late_is_in_time) {
  process x(2, 16s);
  x.decide();
  x.answered[0] = x.asked;
  const auto due = x.now;
  BOOST_TEST(!x.decide().feed);
  x.all_answer();
  BOOST_TEST((x.now == due + 1s));
  BOOST_TEST(x.decide().feed);
  BOOST_TEST((x.now == due + 9s)); // half of the time after the late sign
}

BOOST_AUTO_TEST_CASE(an_answer_to_an_older_question_does_not_count) {
  process x(2, 10s);
  x.decide();
  x.all_answer();
  BOOST_TEST(x.decide().feed);
  x.answered[1] = x.asked; // and part 0 has answered the one before only
  BOOST_TEST(!x.decide().feed);
}

BOOST_AUTO_TEST_CASE(no_sign_without_an_answer_of_every_part_since_the_last) {
  std::mt19937 random{20'261};
  for (int run = 0; run < 200; ++run) {
    const auto parts = 1 + random() % 5;
    process x(parts, std::chrono::microseconds{2 + random() % 20'000'000});
    std::vector<bool> since(parts);
    x.decide();
    for (int i = 0; i < 100; ++i) {
      for (std::size_t part = 0; part < parts; ++part)
        if (random() % 3 != 0) {
          x.answered[part] = x.asked;
          since[part] = true;
        }
      const bool all =
        std::find(since.begin(), since.end(), false) == since.end();
      BOOST_TEST(x.decide().feed == all);
      if (all)
        since.assign(parts, false);
    }
  }
}
