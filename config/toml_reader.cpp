#include "config/toml_reader.hpp"

#include "config/text.hpp"
#include "toml/parse.hpp"

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
  case toml::node_type::array: {
    text_list texts;
    for (const auto& one : *node.as_array())
      if (const auto* const text = one.as_string())
        texts.texts.push_back(text->get());
      else
        return unusable{"an array"};
    return texts;
  }
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

} // namespace

std::vector<entry> read_toml(std::string_view text, const std::string& name,
                             std::vector<problem>& problems) {
  auto read = parse_toml(text, name);
  if (const auto* wrong = std::get_if<toml_mistake>(&read)) {
    problems.push_back({name + ":" + std::to_string(wrong->line) + ":"
                          + std::to_string(wrong->column),
                        "", wrong->text});
    return {};
  }
  std::vector<placed> found;
  std::vector<std::string> path;
  flatten(std::get<toml::table>(read), path, name, found);
  std::ranges::stable_sort(
    found, [](const auto& a, const auto& b) { return a.at < b.at; });
  std::vector<entry> result;
  result.reserve(found.size());
  for (auto& one : found)
    result.push_back(std::move(one.e));
  return result;
}

} // namespace troupe::config
