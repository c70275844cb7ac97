#include "server/command_tree.hpp"

#include <CLI/CLI.hpp>

namespace troupe::server {

namespace {

command_option option_of(const CLI::Option& x) {
  command_option made;
  for (const auto& name : x.get_snames())
    made.names.push_back('-' + name);
  for (const auto& name : x.get_lnames())
    made.names.push_back("--" + name);
  if (made.names.empty())
    made.value = x.get_name();
  else if (x.get_items_expected_max() > 0)
    made.value = x.get_type_name();
  made.help = x.get_description();
  made.required = x.get_required();
  return made;
}

command_node node_of(const CLI::App& app, const command_node* above) {
  command_node made;
  made.name = app.get_name();
  made.path = above == nullptr ? made.name : above->path + ' ' + made.name;
  made.help = app.get_description();
  for (const auto* x : app.get_options()) {
    auto option = option_of(*x);
    (option.names.empty() ? made.places : made.options)
      .push_back(std::move(option));
  }
  if (above != nullptr && app.get_fallthrough())
    for (auto x : above->options)
      if (x.names.back() != "--help") {
        x.inherited = true;
        made.options.push_back(std::move(x));
      }
  for (const auto* x :
       app.get_subcommands(std::function<bool(const CLI::App*)>{}))
    made.below.push_back(node_of(*x, &made));
  return made;
}

} // namespace

command_node command_tree_of(const CLI::App& app) {
  return node_of(app, nullptr);
}

} // namespace troupe::server
