#pragma once
// Scripts with which shells complete the words of the command line.

#include "server/command_tree.hpp"

namespace troupe::server {

/// For bash 4 or later; needs no package of completions.
std::string bash_completion(const command_node& of);
/// For a folder of $fpath, or to be sourced after compinit.
std::string zsh_completion(const command_node& of);
/// For a folder of $fish_complete_path, or to be sourced.
std::string fish_completion(const command_node& of);

} // namespace troupe::server
