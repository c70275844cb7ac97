#pragma once
// The command line as plain values, for what describes it.

#include <string>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming): it is that of CLI11.
namespace CLI {
class App;
}

namespace troupe::server {

/// An option, or a place for an argument.
struct command_option {
  std::vector<std::string> names; ///< `-c`, `--config`; of a place: none
  std::string value;              ///< `FILE`; of a flag: empty
  std::string help;
  bool required = false;
  bool inherited = false; ///< belongs to a command above
};

/// A command with everything below it.
struct command_node {
  std::string path; ///< words as typed, e.g. `troupe ctl clients`
  std::string name; ///< the last of them
  std::string help;
  std::vector<command_option> options;
  std::vector<command_option> places;
  std::vector<command_node> below;
};

/// Walks the commands and options that were added to `app`, in their order.
command_node command_tree_of(const CLI::App& app);

/// Calls `f` with `top` and everything below, each before what is below it.
template <class F>
void for_each_command(const command_node& top, F&& f) {
  f(top);
  for (const auto& x : top.below)
    for_each_command(x, f);
}

} // namespace troupe::server
