#include "server/self_description.hpp"

#include "config/load.hpp"
#include "server/completion.hpp"
#include "server/manual.hpp"

#include <CLI/CLI.hpp>

namespace troupe::server {

self_description::self_description(CLI::App& app) : app_(app) {
  auto* completion = app.add_subcommand(
    "completion", "Print a script that completes words in a shell");
  completion->require_subcommand(1);
  for (const auto* shell : {"bash", "zsh", "fish"})
    completion->add_subcommand(shell, std::string{"For "} + shell);
  completion_ = completion;
  auto* man = app.add_subcommand("man", "Print a manual page");
  man->require_subcommand(1);
  man->add_subcommand("troupe", "troupe(1): commands, exit codes, files");
  man->add_subcommand("troupe.toml", "troupe.toml(5): every setting");
  man_ = man;
}

bool self_description::chosen() const {
  return completion_->parsed() || man_->parsed();
}

std::string self_description::text() const {
  const auto tree = command_tree_of(app_);
  if (completion_->got_subcommand("bash"))
    return bash_completion(tree);
  if (completion_->got_subcommand("zsh"))
    return zsh_completion(tree);
  if (completion_->got_subcommand("fish"))
    return fish_completion(tree);
  if (man_->got_subcommand("troupe"))
    return command_manual(tree);
  return configuration_manual(config::describe_markdown());
}

} // namespace troupe::server
