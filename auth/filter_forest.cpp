#include "auth/filter_forest.hpp"

#include "protocol/hash.hpp"

#include <cassert>

namespace troupe::auth {

namespace {

constexpr auto none = filter_forest::none;

std::uint64_t hash_of(std::uint32_t parent, std::string_view text,
                      bool pattern) noexcept {
  return protocol::hash64(text,
                          (std::uint64_t{parent} << 1) | (pattern ? 1 : 0));
}

/// The levels of a topic that are still to be walked.
class levels {
public:
  explicit levels(std::string_view text) : rest_{text} {}

  bool ended() const noexcept { return ended_; }
  std::string_view take() noexcept {
    const auto slash = rest_.find('/');
    const auto level = rest_.substr(0, slash);
    ended_ = slash == std::string_view::npos;
    rest_.remove_prefix(ended_ ? rest_.size() : slash + 1);
    return level;
  }

private:
  std::string_view rest_;
  bool ended_ = false;
};

} // namespace

std::uint32_t filter_forest::plant() {
  nodes_.emplace_back();
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

std::uint32_t filter_forest::find(std::uint32_t parent, std::string_view text,
                                  bool pattern) const {
  if (table_.empty())
    return none;
  const auto mask = table_.size() - 1;
  for (auto at = hash_of(parent, text, pattern) & mask;; at = (at + 1) & mask) {
    const auto found = table_[at];
    if (found == none)
      return none;
    const auto& n = nodes_[found];
    if (n.parent == parent && (n.pattern != none) == pattern
        && text_of(n) == text)
      return found;
  }
}

void filter_forest::grow_table() {
  const auto old = std::move(table_);
  table_.assign(old.empty() ? 16 : 2 * old.size(), none);
  const auto mask = table_.size() - 1;
  for (const auto one : old) {
    if (one == none)
      continue;
    const auto& n = nodes_[one];
    auto at = hash_of(n.parent, text_of(n), n.pattern != none) & mask;
    while (table_[at] != none)
      at = (at + 1) & mask;
    table_[at] = one;
  }
}

std::uint32_t filter_forest::child(std::uint32_t parent,
                                   const rule_filter::level& level) {
  using kind = rule_filter::level::kind;
  assert(level.what != kind::hash);
  if (level.what == kind::plus && nodes_[parent].plus != none)
    return nodes_[parent].plus;
  const bool pattern = level.what == kind::pattern;
  if (level.what != kind::plus)
    if (const auto found = find(parent, level.text, pattern); found != none)
      return found;
  const auto made = plant();
  auto& n = nodes_[made];
  auto& above = nodes_[parent];
  n.parent = parent;
  if (level.what == kind::plus) {
    above.plus = made;
    return made;
  }
  n.text_at = static_cast<std::uint32_t>(texts_.size());
  n.text_size = static_cast<std::uint32_t>(level.text.size());
  texts_ += level.text;
  auto& first = pattern ? above.first_pattern : above.first_text;
  n.next = first;
  first = made;
  if (pattern) {
    n.pattern = static_cast<std::uint32_t>(patterns_.size());
    patterns_.push_back(level.pattern);
  }
  if (2 * ++in_table_ > table_.size())
    grow_table();
  const auto mask = table_.size() - 1;
  auto at = hash_of(parent, level.text, pattern) & mask;
  while (table_[at] != none)
    at = (at + 1) & mask;
  table_[at] = made;
  return made;
}

void filter_forest::add(std::uint32_t root, const rule_filter& filter,
                        std::uint32_t rule) {
  auto at = root;
  bool hash = false;
  nodes_[at].least = rule;
  for (const auto& level : filter.levels) {
    hash = level.what == rule_filter::level::kind::hash;
    if (hash)
      break;
    at = child(at, level);
    nodes_[at].least = rule;
  }
  auto& list = hash ? nodes_[at].hash : nodes_[at].ended;
  assert(list == none || rule <= entries_[list].rule);
  entries_.push_back({rule, list});
  list = static_cast<std::uint32_t>(entries_.size() - 1);
}

/// One search. Never below a node whose first rule comes after what was found.
class filter_forest::walk {
public:
  walk(const filter_forest& in, const question& q, std::uint32_t best)
    : in_{in},
      values_{q.values},
      test_{q.test},
      best_{best} {}

  std::uint32_t best() const noexcept { return best_; }

  void cover(std::uint32_t node, levels rest, bool first) {
    const auto& n = in_.nodes_[node];
    if (n.least >= best_)
      return;
    if (rest.ended()) {
      take(n.ended);
      take(n.hash); // it matches its parent, too
      return;
    }
    const auto level = rest.take();
    if (level == "#") {
      take(n.hash);
      if (first && n.plus != none) // a topic has a level: # is the same as +/#
        take(in_.nodes_[n.plus].hash);
      return;
    }
    if (!first || !level.starts_with('$')) { // [MQTT-4.7.2-1]
      take(n.hash);
      if (n.plus != none)
        cover(n.plus, rest, false);
    }
    if (level == "+")
      return;
    if (const auto found = in_.find(node, level, false); found != none)
      cover(found, rest, false);
    for (auto i = n.first_pattern; i != none; i = in_.nodes_[i].next) {
      const auto& pattern = pattern_of(i);
      if (in_.nodes_[i].least < best_ && pattern.usable(values_, first)
          && pattern.gives(level, values_))
        cover(i, rest, false);
    }
  }

  void overlap(std::uint32_t node, levels rest, bool first) {
    const auto& n = in_.nodes_[node];
    if (n.least >= best_)
      return;
    if (rest.ended()) {
      take(n.ended);
      take(n.hash);
      return;
    }
    const auto level = rest.take();
    if (level == "#") {
      take_all(node, first);
      return;
    }
    if (!first || !level.starts_with('$')) {
      take(n.hash);
      if (n.plus != none)
        overlap(n.plus, rest, false);
    }
    if (level == "+") {
      for (auto i = n.first_text; i != none; i = in_.nodes_[i].next)
        if (!first || !in_.text_of(in_.nodes_[i]).starts_with('$'))
          overlap(i, rest, false);
    } else if (const auto found = in_.find(node, level, false); found != none) {
      overlap(found, rest, false);
    }
    for (auto i = n.first_pattern; i != none; i = in_.nodes_[i].next) {
      if (in_.nodes_[i].least >= best_)
        continue;
      const auto& pattern = pattern_of(i);
      if (!pattern.usable(values_, first))
        take_all(i, false);
      else if (level == "+" ? !first || !pattern.begins_with_dollar()
                            : pattern.gives(level, values_))
        overlap(i, rest, false);
    }
  }

  void same(std::uint32_t node, levels rest, bool first, bool widen) {
    const auto& n = in_.nodes_[node];
    if (n.least >= best_)
      return;
    if (rest.ended()) {
      take(n.ended);
      return;
    }
    const auto level = rest.take();
    if (const auto found = in_.find(node, level, false); found != none)
      same(found, rest, false, widen);
    for (auto i = n.first_pattern; i != none; i = in_.nodes_[i].next) {
      const auto& pattern = pattern_of(i);
      if (!pattern.usable(values_, first)) {
        if (widen)
          take_all(i, false);
      } else if (pattern.gives(level, values_)) {
        same(i, rest, false, widen);
      }
    }
  }

private:
  const level_template& pattern_of(std::uint32_t node) const {
    return in_.patterns_[in_.nodes_[node].pattern];
  }

  void take(std::uint32_t list) {
    for (; list != none; list = in_.entries_[list].next) {
      const auto rule = in_.entries_[list].rule;
      if (rule >= best_)
        return;
      if (test_.applies(rule)) {
        best_ = rule;
        return;
      }
    }
  }

  /// What ends in `node` or below it.
  void take_all(std::uint32_t node, bool first) {
    const auto& n = in_.nodes_[node];
    if (n.least >= best_)
      return;
    take(n.ended);
    take(n.hash);
    if (n.plus != none)
      take_all(n.plus, false);
    for (auto i = n.first_text; i != none; i = in_.nodes_[i].next)
      if (!first || !in_.text_of(in_.nodes_[i]).starts_with('$'))
        take_all(i, false);
    for (auto i = n.first_pattern; i != none; i = in_.nodes_[i].next)
      if (!first || !pattern_of(i).begins_with_dollar()
          || !pattern_of(i).usable(values_, first))
        take_all(i, false);
  }

  const filter_forest& in_;
  placeholder_values& values_;
  const rule_test& test_;
  std::uint32_t best_;
};

std::uint32_t filter_forest::covering(std::uint32_t root, const question& q,
                                      std::uint32_t best) const {
  walk w{*this, q, best};
  w.cover(root, levels{q.topic}, true);
  return w.best();
}

std::uint32_t filter_forest::overlapping(std::uint32_t root, const question& q,
                                         std::uint32_t best) const {
  walk w{*this, q, best};
  w.overlap(root, levels{q.topic}, true);
  return w.best();
}

std::uint32_t filter_forest::equal(std::uint32_t root, const question& q,
                                   bool widen, std::uint32_t best) const {
  walk w{*this, q, best};
  w.same(root, levels{q.topic}, true, widen);
  return w.best();
}

} // namespace troupe::auth
