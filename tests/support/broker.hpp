#pragma once
// A running broker for black-box tests.

#include <filesystem>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace troupe::test {

/// The real program as a child process, on a port and a data directory of its
/// own. Ends with this object. With TROUPE_TEST_BROKER=host:port in the
/// environment it is the broker that listens there, whatever the settings;
/// TROUPE_TEST_SETTINGS="key=value key=value" adds settings to all brokers.
class broker {
public:
  /// @param settings  "section.key=value", given to the program with --set.
  /// @throws std::runtime_error  it does not come up; its log is in the text.
  explicit broker(const std::vector<std::string>& settings = {});
  ~broker();
  broker(const broker&) = delete;
  broker& operator=(const broker&) = delete;

  const std::string& host() const { return host_; }
  std::uint16_t port() const { return port_; }
  /// Of another listener, as "ws:default".
  std::uint16_t port_of(const std::string& listener) const;
  /// 0 for a broker that was there before.
  pid_t pid() const { return pid_; }
  const std::filesystem::path& directory() const { return directory_; }
  /// What the program has written to its standard output and error.
  std::string log() const;
  /// Whether the program is still running.
  bool alive() const;

  /// Keeps the directory with the log when the object goes.
  void keep_log() { keep_log_ = true; }

private:
  void start(const std::vector<std::string>& settings);
  void wait_for_port();
  void stop();

  std::string host_ = "127.0.0.1";
  std::uint16_t port_ = 0;
  mutable pid_t pid_ = 0;
  std::filesystem::path directory_;
  bool keep_log_ = false;
};

/// The broker of this test program with these settings, started at the first
/// call and shared by all cases. Ends with the program.
broker& broker_with(const std::vector<std::string>& settings);

/// The one with default settings.
inline broker& default_broker() { return broker_with({}); }

/// Ends all shared brokers. After a failure their logs stay on the disk, and
/// the end of each is printed.
void end_shared_brokers(bool failed);

} // namespace troupe::test
