#pragma once
// `troupe ctl`.

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace troupe::server {

struct ctl_command;

/// The commands of `ctl_commands` on the command line, and the one chosen.
class ctl_client {
public:
  void add_to(CLI::App& ctl);

  /// Asks the broker whose socket is `at` and prints what it answers.
  /// @returns the exit code of the process.
  int run(const std::filesystem::path& at) const;
  /// Likewise, one command of the table that was not typed as `ctl`.
  static int run(const std::filesystem::path& at, std::string_view command,
                 boost::json::object with, bool as_json);

private:
  void add(CLI::App& to, const ctl_command& command);
  static int carry_out(const std::filesystem::path& at,
                       const ctl_command& command, boost::json::object with,
                       bool as_json);

  bool json_ = false;
  const ctl_command* chosen_ = nullptr;
  /// By command and key: what was typed.
  std::map<std::string, std::map<std::string, std::string>> arguments_;
};

} // namespace troupe::server
