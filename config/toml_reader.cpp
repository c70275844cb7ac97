#include "config/toml_reader.hpp"

#include "config/text.hpp"

// The one place that includes it: it takes seconds to compile.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>

namespace troupe::config {
namespace {

struct placed {
  entry e;
  toml::source_position at;
};

raw to_raw(const toml::node& node) {
  switch (node.type()) {
  case toml::node_type::boolean:
    return node.as_boolean()->get();
  case toml::node_type::integer:
    return node.as_integer()->get();
  case toml::node_type::floating_point:
    return node.as_floating_point()->get();
  case toml::node_type::string:
    return node.as_string()->get();
  case toml::node_type::array:
    return unusable{"an array"};
  default:
    return unusable{"a date or time"};
  }
}

std::string where(const std::string& name, toml::source_position at) {
  return name + ":" + print(static_cast<std::int64_t>(at.line));
}

/// Adds the leaves of a table, and the tables without leaves.
void flatten(const toml::table& table, std::vector<std::string>& path,
             const std::string& name, std::vector<placed>& into) {
  for (auto&& [key, node] : table) {
    path.emplace_back(key.str());
    const auto at = key.source().begin;
    const auto* const inner = node.as_table();
    if (inner && !inner->empty())
      flatten(*inner, path, name, into);
    else
      into.push_back(
        {{path, inner ? raw{empty_section{}} : to_raw(node), where(name, at)},
         at});
    path.pop_back();
  }
}

/// The parser and its tables recurse once per part of a dotted key, so a
/// line of ten thousand parts would overflow the stack.
/// @returns the first line with more dots than any key has, or 0.
std::int64_t too_deep(std::string_view text) {
  constexpr int most = 32;
  std::int64_t line = 1;
  int dots = 0;
  char previous = '.';
  bool comment = false;
  for (const char c : text) {
    if (c == '\n') {
      ++line;
      dots = 0;
      comment = false;
      previous = '.';
      continue;
    }
    if (c == ' ' || c == '\t')
      continue;
    if (c == '#' && previous == '.' && dots == 0)
      comment = true;
    if (!comment && c == '.' && previous != '.' && ++dots > most)
      return line;
    previous = c;
  }
  return 0;
}

} // namespace

std::vector<entry> read_toml(std::string_view text, const std::string& name,
                             std::vector<problem>& problems) {
  if (const auto line = too_deep(text)) {
    problems.push_back(
      {name + ":" + print(line), "", "too many dots in one line"});
    return {};
  }
  const auto parsed = toml::parse(text, std::string_view{name});
  if (!parsed) {
    const auto at = parsed.error().source().begin;
    problems.push_back(
      {where(name, at) + ":" + print(static_cast<std::int64_t>(at.column)), "",
       std::string{parsed.error().description()}});
    return {};
  }
  std::vector<placed> found;
  std::vector<std::string> path;
  flatten(parsed.table(), path, name, found);
  std::ranges::stable_sort(
    found, [](const auto& a, const auto& b) { return a.at < b.at; });
  std::vector<entry> result;
  result.reserve(found.size());
  for (auto& one : found)
    result.push_back(std::move(one.e));
  return result;
}

} // namespace troupe::config
