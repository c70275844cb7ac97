#include "actors/subscription_index.hpp"

#include "protocol/hash.hpp"

#include <algorithm>

namespace troupe::actors {

/// One level of the trie below its parent.
struct subscription_index::level_node {
  std::uint32_t hash = 0;
  std::uint32_t references = 0; ///< children and terminals
  level_node* parent = nullptr;
  std::atomic<level_node*> plus{nullptr};   ///< the child `+`
  std::atomic<filter_node*> here{nullptr};  ///< a filter that ends here
  std::atomic<filter_node*> multi{nullptr}; ///< the filter that ends `/#`
  std::uint16_t text_size = 0;
  bool is_plus = false;

  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), text_size};
  }
  static level_node* make(std::string_view text) {
    auto* memory = ::operator new(sizeof(level_node) + text.size());
    auto* made = new (memory) level_node;
    made->text_size = static_cast<std::uint16_t>(text.size());
    std::copy(text.begin(), text.end(), reinterpret_cast<char*>(made + 1));
    return made;
  }
  static void destroy(level_node* x) {
    x->~level_node();
    ::operator delete(x);
  }
};

namespace {

/// Cuts the first level off `rest`; `last` tells that nothing follows it.
std::string_view next_level(std::string_view& rest, bool& last) noexcept {
  const auto slash = rest.find('/');
  last = slash == std::string_view::npos;
  const auto level = rest.substr(0, slash);
  rest = last ? std::string_view{} : rest.substr(slash + 1);
  return level;
}

void destroy_node(void* x) {
  auto* node = static_cast<filter_node*>(x);
  for (std::size_t r = 0; r < node->reactor_count; ++r)
    node->list(r).~subscriber_list();
  node->~filter_node();
  ::operator delete(x);
}

} // namespace

subscription_index::subscription_index(std::size_t reactors,
                                       reclaimer& graveyard, std::uint32_t seed)
  : reactors_(reactors),
    graveyard_(graveyard),
    seed_(seed),
    exact_(graveyard),
    edges_(graveyard),
    root_(level_node::make({}), &level_node::destroy) {}

subscription_index::~subscription_index() {
  std::vector<void*> nodes;
  exact_.for_each([&](filter_node& x) { nodes.push_back(&x); });
  std::vector<level_node*> levels{root_.get()};
  edges_.for_each([&](level_node& x) { levels.push_back(&x); });
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (auto* plus = levels[i]->plus.load())
      levels.push_back(plus);
    for (auto* terminal : {levels[i]->here.load(), levels[i]->multi.load()})
      if (terminal != nullptr)
        nodes.push_back(terminal);
  }
  for (auto* x : nodes) {
    auto* group = static_cast<filter_node*>(x)->groups.load();
    while (group != nullptr) {
      auto* following = group->next.load();
      delete group->members.load();
      delete group;
      group = following;
    }
    destroy_node(x);
  }
  for (auto* x : levels)
    if (x != root_.get())
      level_node::destroy(x);
}

std::uint32_t subscription_index::hash(std::string_view text) const noexcept {
  return static_cast<std::uint32_t>(protocol::hash64(text, seed_));
}

std::uint32_t
subscription_index::edge_hash(const level_node* parent,
                              std::uint32_t level) const noexcept {
  auto mixed = (reinterpret_cast<std::uintptr_t>(parent) >> 4) + level;
  mixed *= 0x9E37'79B9'7F4A'7C15U;
  return static_cast<std::uint32_t>(mixed >> 32) ^ level;
}

void subscription_index::collect(filter_node* node, match_result& into) {
  if (node == nullptr)
    return;
  const auto reactors = node->reactors.load(std::memory_order_acquire);
  if (reactors != 0) {
    into.nodes.push_back(node);
    into.reactors |= reactors;
  }
  if (node->durable.load(std::memory_order_acquire) != 0)
    into.durable = true;
  for (auto* group = node->groups.load(std::memory_order_acquire);
       group != nullptr; group = group->next.load(std::memory_order_acquire)) {
    if (group->durable_members.load(std::memory_order_acquire) != 0) {
      into.durable = into.durable_group = true;
      into.durable_groups.push_back(group);
    } else {
      into.groups.push_back(group);
    }
  }
}

void subscription_index::match(std::string_view topic,
                               match_result& into) const {
  collect(exact_.find(hash(topic),
                      [&](const filter_node& x) { return x.text() == topic; }),
          into);
  if (exact_durable_.may_have(topic))
    into.durable = true;
  if (wildcards_.load(std::memory_order_acquire) != 0)
    match_levels(*root_, topic, false, topic.starts_with('$'), into);
}

void subscription_index::match_levels(const level_node& from,
                                      std::string_view rest, bool last,
                                      bool root_of_dollar,
                                      match_result& into) const {
  // "a/#" matches "a" as well, so `multi` counts at the end, too.
  if (!root_of_dollar)
    collect(from.multi.load(std::memory_order_acquire), into);
  if (last) {
    collect(from.here.load(std::memory_order_acquire), into);
    return;
  }
  bool ends = false;
  const auto level = next_level(rest, ends);
  if (!root_of_dollar)
    if (const auto* plus = from.plus.load(std::memory_order_acquire))
      match_levels(*plus, rest, ends, false, into);
  if (const auto* below = child(from, level))
    match_levels(*below, rest, ends, false, into);
}

subscription_index::level_node*
subscription_index::child(const level_node& parent,
                          std::string_view level) const {
  return edges_.find(edge_hash(&parent, hash(level)), [&](const level_node& x) {
    return x.parent == &parent && x.text() == level;
  });
}

subscription_index::level_node&
subscription_index::make_child(level_node& parent, std::string_view level) {
  if (level == "+") {
    if (auto* plus = parent.plus.load(std::memory_order_relaxed))
      return *plus;
    auto* made = level_node::make({});
    made->parent = &parent;
    made->is_plus = true;
    ++parent.references;
    parent.plus.store(made, std::memory_order_release);
    return *made;
  }
  if (auto* found = child(parent, level))
    return *found;
  auto* made = level_node::make(level);
  made->parent = &parent;
  made->hash = edge_hash(&parent, hash(level));
  ++parent.references;
  edges_.insert(*made);
  return *made;
}

void subscription_index::prune(level_node& from) {
  auto* at = &from;
  while (at != root_.get() && at->references == 0) {
    auto* parent = at->parent;
    if (at->is_plus)
      parent->plus.store(nullptr, std::memory_order_release);
    else
      edges_.erase(*at);
    --parent->references;
    graveyard_.retire(
      at, [](void* x) { level_node::destroy(static_cast<level_node*>(x)); });
    at = parent;
  }
}

filter_node& subscription_index::make_node(std::string_view filter,
                                           std::uint32_t hash) {
  const auto lists = reactors_ * sizeof(subscriber_list);
  auto* memory = ::operator new(sizeof(filter_node) + lists + filter.size());
  auto* made = new (memory) filter_node;
  made->hash = hash;
  made->text_size = static_cast<std::uint16_t>(filter.size());
  made->reactor_count = static_cast<std::uint16_t>(reactors_);
  for (std::size_t r = 0; r < reactors_; ++r)
    new (&made->list(r)) subscriber_list;
  std::copy(filter.begin(), filter.end(),
            const_cast<char*>(made->text().data()));
  size_.fetch_add(1, std::memory_order_relaxed);
  return *made;
}

std::atomic<filter_node*>* subscription_index::terminal(std::string_view filter,
                                                        bool make,
                                                        level_node** at) {
  auto* node = root_.get();
  bool last = false;
  auto rest = filter;
  while (true) {
    const auto level = next_level(rest, last);
    if (level == "#") {
      *at = node;
      return &node->multi;
    }
    if (make)
      node = &make_child(*node, level);
    else
      node = level == "+" ? node->plus.load(std::memory_order_acquire)
                          : child(*node, level);
    if (node == nullptr)
      return nullptr;
    if (last) {
      *at = node;
      return &node->here;
    }
  }
}

filter_node& subscription_index::acquire(std::string_view filter) {
  std::lock_guard guard(mutex_);
  return acquire_locked(filter);
}

filter_node& subscription_index::acquire_locked(std::string_view filter) {
  if (!protocol::has_wildcard(filter)) {
    const auto h = hash(filter);
    auto* found =
      exact_.find(h, [&](const filter_node& x) { return x.text() == filter; });
    if (found == nullptr) {
      found = &make_node(filter, h);
      exact_.insert(*found);
    }
    ++found->references;
    return *found;
  }
  level_node* at = nullptr;
  auto* slot = terminal(filter, true, &at);
  auto* found = slot->load(std::memory_order_relaxed);
  if (found == nullptr) {
    found = &make_node(filter, 0);
    ++at->references;
    slot->store(found, std::memory_order_release);
    wildcards_.fetch_add(1, std::memory_order_release);
  }
  ++found->references;
  return *found;
}

void subscription_index::release(filter_node& node) {
  std::lock_guard guard(mutex_);
  release_locked(node);
}

void subscription_index::release_locked(filter_node& node) {
  if (--node.references != 0)
    return;
  const auto filter = node.text();
  if (!protocol::has_wildcard(filter)) {
    exact_.erase(node);
  } else {
    level_node* at = nullptr;
    auto* slot = terminal(filter, false, &at);
    slot->store(nullptr, std::memory_order_release);
    --at->references;
    wildcards_.fetch_sub(1, std::memory_order_release);
    prune(*at);
  }
  size_.fetch_sub(1, std::memory_order_relaxed);
  changed();
  graveyard_.retire(&node, &destroy_node);
}

filter_node* subscription_index::find(std::string_view filter) const {
  if (!protocol::has_wildcard(filter))
    return exact_.find(
      hash(filter), [&](const filter_node& x) { return x.text() == filter; });
  level_node* at = nullptr;
  auto* slot =
    const_cast<subscription_index*>(this)->terminal(filter, false, &at);
  return slot == nullptr ? nullptr : slot->load(std::memory_order_acquire);
}

void subscription_index::set_reactor(filter_node& node, std::size_t reactor,
                                     bool somebody) {
  const auto bit = 1U << reactor;
  if (somebody)
    node.reactors.fetch_or(bit, std::memory_order_acq_rel);
  else
    node.reactors.fetch_and(~bit, std::memory_order_acq_rel);
  changed();
}

void subscription_index::add_durable(filter_node& node, int by) {
  node.durable.fetch_add(static_cast<std::uint32_t>(by),
                         std::memory_order_acq_rel);
  changed();
}

shared_group& subscription_index::group_locked(std::string_view share_name,
                                               filter_node& node) {
  auto* group = node.groups.load(std::memory_order_relaxed);
  while (group != nullptr && group->share_name != share_name)
    group = group->next.load(std::memory_order_relaxed);
  if (group == nullptr) {
    group = new shared_group;
    group->share_name = share_name;
    group->filter = &node;
    group->next.store(node.groups.load(std::memory_order_relaxed),
                      std::memory_order_relaxed);
    group->members.store(new group_members, std::memory_order_relaxed);
    node.groups.store(group, std::memory_order_release);
  }
  return *group;
}

void subscription_index::replace_members(shared_group& group,
                                         group_members&& fresh) {
  auto* old = const_cast<group_members*>(group.members.exchange(
    new group_members(std::move(fresh)), std::memory_order_acq_rel));
  graveyard_.retire(old);
  changed();
}

shared_group& subscription_index::join(std::string_view share_name,
                                       std::string_view filter,
                                       const group_member& member) {
  std::lock_guard guard(mutex_);
  auto& node = acquire_locked(filter);
  auto& group = group_locked(share_name, node);
  auto fresh = *group.members.load(std::memory_order_relaxed);
  const auto at =
    std::find_if(fresh.begin(), fresh.end(),
                 [&](const group_member& x) { return x.who == member.who; });
  if (at != fresh.end()) {
    *at = member;
    --node.references; // the member's own reference is there already
  } else {
    fresh.push_back(member);
    ++group.references;
  }
  replace_members(group, std::move(fresh));
  return group;
}

void subscription_index::leave(shared_group& group, client_ref who) {
  std::lock_guard guard(mutex_);
  auto fresh = *group.members.load(std::memory_order_relaxed);
  std::erase_if(fresh, [&](const group_member& x) { return x.who == who; });
  replace_members(group, std::move(fresh));
}

void subscription_index::forget(shared_group& group) {
  std::lock_guard guard(mutex_);
  forget_locked(group);
}

void subscription_index::forget_locked(shared_group& group) {
  auto& node = *group.filter;
  if (--group.references == 0) {
    auto* slot = &node.groups;
    while (slot->load(std::memory_order_relaxed) != &group)
      slot = &slot->load(std::memory_order_relaxed)->next;
    slot->store(group.next.load(std::memory_order_relaxed),
                std::memory_order_release);
    graveyard_.retire(&group, [](void* x) {
      auto* last = static_cast<shared_group*>(x);
      delete last->members.load(std::memory_order_relaxed);
      delete last;
    });
    changed();
  }
  release_locked(node);
}

void subscription_index::hold(std::string_view share_name,
                              std::string_view filter) {
  std::lock_guard guard(mutex_);
  auto& group = group_locked(share_name, acquire_locked(filter));
  ++group.references;
  group.durable_members.fetch_add(1, std::memory_order_acq_rel);
  changed();
}

void subscription_index::unhold(std::string_view share_name,
                                std::string_view filter) {
  std::lock_guard guard(mutex_);
  auto* node = find(filter);
  if (node == nullptr)
    return;
  auto& group = group_locked(share_name, *node);
  group.durable_members.fetch_sub(1, std::memory_order_acq_rel);
  changed();
  forget_locked(group);
}

} // namespace troupe::actors
