#pragma once
// Manual pages, for man(1).

#include "server/command_tree.hpp"

#include <string_view>

namespace troupe::server {

/// troupe(1): every command with its options, exit codes, signals, files.
std::string command_manual(const command_node& of);

/// troupe.toml(5), from the page that `troupe config docs` prints: headings,
/// paragraphs, numbered lists and tables of it become those of man(7).
/// @param page  Markdown as docs/configuration.md has it
std::string configuration_manual(std::string_view page);

} // namespace troupe::server
