#pragma once
// `troupe passwd`: files of users.

#include "auth/user_import.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace troupe::server {

/// Adds, deletes, imports, checks and lists. A broker that runs takes a changed
/// file when it is told to reload.
class passwd_commands {
public:
  void add_to(CLI::App& app);
  /// Was one of them typed?
  bool chosen() const { return passwd_ != nullptr && passwd_->parsed(); }
  /// Says what is wrong on stderr. A file is changed wholly or not at all.
  /// @returns the exit code of the process.
  int run() const;

private:
  void add_file(CLI::App& to);
  void add_hashing(CLI::App& to);
  auth::hash_algorithm algorithm() const;
  std::uint32_t scram_iterations() const;

  int add() const;
  int remove() const;
  int import() const;
  int check() const;
  int list() const;

  CLI::App* passwd_ = nullptr;
  CLI::App* add_ = nullptr;
  CLI::App* delete_ = nullptr;
  CLI::App* import_ = nullptr;
  CLI::App* check_ = nullptr;

  std::string file_;
  std::string user_;
  std::string from_;
  std::string password_file_;
  std::string algorithm_ = "argon2id";
  std::string hashed_with_;
  auth::hash_cost cost_;
  std::uint32_t scram_iterations_ = auth::scram_keys::iterations_default;
  bool generate_ = false;
  bool no_password_ = false;
  bool superuser_ = false;
  bool no_superuser_ = false;
  bool no_scram_ = false;
  bool replace_ = false;
  bool plain_ = false;
  bool json_ = false;
};

} // namespace troupe::server
