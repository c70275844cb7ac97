#pragma once
// `troupe certs`: certificates made by one command.

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace troupe::server {

/// Makes an authority, a server's and clients' certificates and a list of
/// revoked ones in one directory. What is there is kept: the command can be
/// given again for more clients.
class certs_commands {
public:
  void add_to(CLI::App& app);
  /// Was it typed?
  bool chosen() const { return certs_ != nullptr && certs_->parsed(); }
  /// Says what was made on stdout, what is wrong on stderr. Everything is
  /// checked before anything is written.
  /// @returns the exit code of the process.
  int run() const;

private:
  void check() const;
  int make() const;

  CLI::App* certs_ = nullptr;
  std::string directory_;
  std::vector<std::string> names_;
  std::vector<std::string> clients_;
  std::vector<std::string> revoke_;
  unsigned days_ = 825;
};

} // namespace troupe::server
