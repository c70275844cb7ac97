#include "tests/support/broker.hpp"

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <map>
#include <signal.h>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace troupe::test {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto start_deadline = 10s;
constexpr auto stop_deadline = 5s;

fs::path make_directory() {
  auto name = (fs::temp_directory_path() / "troupe-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::runtime_error{"cannot make a directory " + name};
  return name;
}

/// The number behind the last "127.0.0.1:" of the lines that say "listening",
/// of this listener.
std::uint16_t port_in(const std::string& log, const std::string& listener) {
  const std::string address = listener + " 127.0.0.1:";
  std::istringstream lines{log};
  std::uint16_t port = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.rfind(address);
    // The last line may not be whole yet.
    if (lines.eof() || line.find("listening") == std::string::npos
        || at == std::string::npos)
      continue;
    port = static_cast<std::uint16_t>(
      std::strtoul(line.c_str() + at + address.size(), nullptr, 10));
  }
  return port;
}

using shared_map = std::map<std::vector<std::string>, std::unique_ptr<broker>>;

shared_map& shared() {
  static shared_map all;
  return all;
}

} // namespace

broker::broker(const std::vector<std::string>& settings) {
  if (const auto* given = std::getenv("TROUPE_TEST_BROKER")) {
    const std::string text = given;
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
      throw std::runtime_error{"TROUPE_TEST_BROKER is not host:port"};
    host_ = text.substr(0, colon);
    port_ = static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)));
    return;
  }
  directory_ = make_directory();
  try {
    start(settings);
    wait_for_port();
  } catch (...) {
    stop();
    fs::remove_all(directory_);
    throw;
  }
}

broker::~broker() {
  stop();
  if (!keep_log_ && !directory_.empty()) {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
}

void broker::start(const std::vector<std::string>& settings) {
  const std::string program = TROUPE_BINARY_DIR "/troupe";
  std::vector<std::string> words{
    program,      "serve",
    "--data-dir", (directory_ / "data").string(),
    "--set",      "listeners.tcp.default.bind=127.0.0.1:0",
    "--set",      "http.enable=false"};
  auto all = settings;
  if (const auto* more = std::getenv("TROUPE_TEST_SETTINGS")) {
    std::istringstream in{more};
    for (std::string one; in >> one;)
      all.push_back(one);
  }
  for (const auto& one : all) {
    words.emplace_back("--set");
    words.push_back(one);
  }
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const auto log = (directory_ / "log").string();
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0)
    throw std::runtime_error{"fork fails"};
  if (pid_ > 0)
    return;
  // It must not outlive a test program that was killed.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(126);
  const auto out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  const auto in = ::open("/dev/null", O_RDONLY);
  if (out < 0 || in < 0)
    ::_exit(126);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::close_range(3, ~0U, 0);
  ::execv(program.c_str(), arguments.data());
  ::_exit(127);
}

void broker::wait_for_port() {
  const auto deadline = std::chrono::steady_clock::now() + start_deadline;
  while ((port_ = port_in(log(), "tcp:default")) == 0) {
    if (!alive())
      throw std::runtime_error{"the broker ended at its start:\n" + log()};
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error{"the broker names no port:\n" + log()};
    std::this_thread::sleep_for(5ms);
  }
}

std::uint16_t broker::port_of(const std::string& listener) const {
  const auto deadline = std::chrono::steady_clock::now() + start_deadline;
  for (;;) {
    if (const auto port = port_in(log(), listener))
      return port;
    if (!alive() || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error{"the broker names no port of " + listener + ":\n"
                               + log()};
    std::this_thread::sleep_for(5ms);
  }
}

bool broker::alive() const {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_)
    pid_ = 0;
  return pid_ > 0;
}

void broker::stop() {
  if (!alive())
    return;
  ::kill(pid_, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + stop_deadline;
  while (alive()) {
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      pid_ = 0;
      return;
    }
    std::this_thread::sleep_for(2ms);
  }
}

std::string broker::log() const {
  std::ifstream in{directory_ / "log"};
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

broker& broker_with(const std::vector<std::string>& settings) {
  auto& one = shared()[settings];
  if (!one)
    one = std::make_unique<broker>(settings);
  return *one;
}

void end_shared_brokers(bool failed) {
  for (auto& [settings, one] : shared()) {
    if (!failed || !one || one->directory().empty())
      continue;
    one->keep_log();
    const auto log = one->log();
    std::cerr << "The log of the broker is kept in "
              << (one->directory() / "log").string() << "; it ends with:\n"
              << log.substr(log.size() > 2000 ? log.size() - 2000 : 0) << '\n';
  }
  shared().clear();
}

} // namespace troupe::test
