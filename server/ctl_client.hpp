#pragma once
// `troupe ctl`.

#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace troupe::server {

struct ctl_command;

/// The commands of `ctl_commands` on the command line, and the one chosen.
class ctl_client {
public:
  void add_to(CLI::App& ctl);

  /// Asks the broker whose socket is `at` and prints what it answers.
  /// @returns the exit code of the process.
  int run(const std::filesystem::path& at) const;

private:
  void add(CLI::App& to, const ctl_command& command);

  bool json_ = false;
  const ctl_command* chosen_ = nullptr;
  /// By command and key: what was typed.
  std::map<std::string, std::map<std::string, std::string>> arguments_;
};

} // namespace troupe::server
