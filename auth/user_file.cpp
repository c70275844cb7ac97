#include "auth/user_file.hpp"

namespace troupe::auth {

bool user_edit::has(std::string_view name) const {
  if (added_at_.find(name) != added_at_.end())
    return true;
  const auto found = from_->find(name);
  if (!found)
    return false;
  const auto at = changed_.find(
    static_cast<std::size_t>(found->line.data() - from_->text().data()));
  return at == changed_.end() || !at->second.empty();
}

void user_edit::put(const user& x) {
  if (const auto found = from_->find(x.name))
    changed_[static_cast<std::size_t>(found->line.data()
                                      - from_->text().data())] = x.line();
  else if (const auto at = added_at_.find(x.name); at != added_at_.end())
    added_[at->second] = x.line();
  else {
    added_at_.emplace(x.name, added_.size());
    added_.push_back(x.line());
  }
}

bool user_edit::remove(std::string_view name) {
  if (!has(name))
    return false;
  if (const auto at = added_at_.find(name); at != added_at_.end()) {
    added_[at->second].clear();
    added_at_.erase(at);
  } else if (const auto found = from_->find(name)) {
    changed_[static_cast<std::size_t>(found->line.data()
                                      - from_->text().data())] = "";
  }
  return true;
}

std::string user_edit::text() const {
  const auto old = from_->text();
  std::string made;
  made.reserve(old.size());
  std::size_t at = 0;
  for (const auto& [offset, line] : changed_) {
    made += old.substr(at, offset - at);
    at = std::min(old.find('\n', offset), old.size() - 1) + 1;
    made += line;
    if (!line.empty())
      made += '\n';
  }
  made += old.substr(at);
  if (!made.empty() && made.back() != '\n')
    made += '\n';
  for (const auto& line : added_)
    if (!line.empty())
      made += line + '\n';
  return made;
}

} // namespace troupe::auth
