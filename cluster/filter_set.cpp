#include "cluster/filter_set.hpp"

#include "protocol/topic.hpp"

#include <algorithm>

namespace troupe::cluster {

std::vector<std::uint32_t>& filter_set::terminal(std::string_view filter) {
  auto* at = &root_;
  while (true) {
    const auto slash = filter.find('/');
    const auto name = filter.substr(0, slash);
    if (name == "#")
      return at->multi;
    auto& child = at->children[std::string{name}];
    if (!child)
      child = std::make_unique<level>();
    at = child.get();
    if (slash == std::string_view::npos)
      return at->here;
    filter.remove_prefix(slash + 1);
  }
}

void filter_set::add(std::string_view filter, std::uint32_t id) {
  if (protocol::has_wildcard(filter))
    terminal(filter).push_back(id);
  else
    exact_[std::string{filter}].push_back(id);
}

bool filter_set::remove_from(level& from, std::string_view rest, bool last,
                             std::uint32_t id) {
  const auto slash = rest.find('/');
  const auto name = rest.substr(0, slash);
  if (last) {
    std::erase(from.here, id);
  } else if (name == "#") {
    std::erase(from.multi, id);
  } else if (const auto child = from.children.find(name);
             child != from.children.end()) {
    const bool ends = slash == std::string_view::npos;
    if (remove_from(*child->second,
                    ends ? std::string_view{} : rest.substr(slash + 1), ends,
                    id))
      from.children.erase(child);
  }
  return from.children.empty() && from.here.empty() && from.multi.empty();
}

void filter_set::remove(std::string_view filter, std::uint32_t id) {
  if (protocol::has_wildcard(filter)) {
    remove_from(root_, filter, false, id);
    return;
  }
  const auto at = exact_.find(std::string{filter});
  if (at == exact_.end())
    return;
  std::erase(at->second, id);
  if (at->second.empty())
    exact_.erase(at);
}

void filter_set::match(std::string_view topic,
                       std::vector<std::uint32_t>& into) const {
  if (const auto at = exact_.find(std::string{topic}); at != exact_.end())
    into.insert(into.end(), at->second.begin(), at->second.end());
  match_levels(root_, topic, false, topic.starts_with('$'), into);
}

void filter_set::match_levels(const level& from, std::string_view rest,
                              bool last, bool dollar,
                              std::vector<std::uint32_t>& into) {
  if (!dollar)
    into.insert(into.end(), from.multi.begin(), from.multi.end());
  if (last) {
    into.insert(into.end(), from.here.begin(), from.here.end());
    return;
  }
  if (from.children.empty())
    return;
  const auto slash = rest.find('/');
  const auto name = rest.substr(0, slash);
  const bool ends = slash == std::string_view::npos;
  const auto below = ends ? std::string_view{} : rest.substr(slash + 1);
  if (!dollar)
    if (const auto plus = from.children.find(std::string_view{"+"});
        plus != from.children.end())
      match_levels(*plus->second, below, ends, false, into);
  if (const auto child = from.children.find(name); child != from.children.end())
    match_levels(*child->second, below, ends, false, into);
}

} // namespace troupe::cluster
