#include "auth/acl.hpp"

#include "auth/glob.hpp"
#include "protocol/hash.hpp"

#include <algorithm>

namespace troupe::auth {

namespace {

constexpr auto none = filter_forest::none;

bool has(const std::vector<std::string>& sorted, std::string_view name) {
  return std::binary_search(sorted.begin(), sorted.end(), name,
                            std::less<std::string_view>{});
}

bool any_matches(const std::vector<std::string>& patterns,
                 std::string_view name) {
  return std::any_of(
    patterns.begin(), patterns.end(),
    [name](const auto& pattern) { return glob_matches(pattern, name); });
}

void make_set(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

} // namespace

std::size_t acl::text_hash::operator()(std::string_view text) const noexcept {
  return protocol::hash64(text);
}

/// All in a rule but its filters, and but the name that its tree is of.
class acl::test final : public filter_forest::rule_test {
public:
  test(const acl& of, const identity& who, const request& what)
    : of_{of},
      who_{who},
      action_{
        static_cast<std::uint8_t>(what.what == action::publish ? 0b01 : 0b10)},
      qos_{static_cast<std::uint8_t>(1U << static_cast<unsigned>(what.qos))},
      retain_{static_cast<std::uint8_t>(what.retain ? 0b10 : 0b01)} {
    if (who.peer)
      peer_ = address::of(*who.peer);
  }

  bool applies(std::uint32_t rule) const override {
    const auto& b = of_.briefs_[rule];
    return (b.actions & action_) != 0 && (b.qos & qos_) != 0
           && (b.retain & retain_) != 0 && (!b.more || fits(of_.rules_[rule]));
  }

private:
  bool fits(const acl_rule& r) const {
    if (!r.users.empty() && !r.clients.empty()
        && !has(r.clients, who_.client_id))
      return false;
    if (!r.user_patterns.empty()
        && !(who_.user_name && any_matches(r.user_patterns, *who_.user_name)))
      return false;
    if (!r.client_patterns.empty()
        && !any_matches(r.client_patterns, who_.client_id))
      return false;
    if (!r.listeners.empty() && !has(r.listeners, who_.listener))
      return false;
    return r.addresses.empty()
           || (peer_
               && std::any_of(
                 r.addresses.begin(), r.addresses.end(),
                 [this](const auto& net) { return net.contains(*peer_); }));
  }

  const acl& of_;
  const identity& who_;
  std::uint8_t action_;
  std::uint8_t qos_;
  std::uint8_t retain_;
  std::optional<address> peer_;
};

acl::acl(std::vector<acl_rule> rules, std::optional<decision> no_match)
  : rules_{std::move(rules)},
    no_match_{
      no_match.value_or(rules_.empty() ? decision::ignore : decision::deny)} {
  briefs_.reserve(rules_.size());
  for (auto& r : rules_) {
    make_set(r.users);
    make_set(r.clients);
    make_set(r.listeners);
    brief b{};
    b.actions = static_cast<std::uint8_t>((r.publish ? 0b01 : 0)
                                          | (r.subscribe ? 0b10 : 0));
    b.qos = r.qos;
    b.retain =
      static_cast<std::uint8_t>(!r.retain ? 0b11 : (*r.retain ? 0b10 : 0b01));
    b.more = (!r.users.empty() && !r.clients.empty())
             || !r.user_patterns.empty() || !r.client_patterns.empty()
             || !r.addresses.empty() || !r.listeners.empty();
    briefs_.push_back(b);
  }
  for (auto i = rules_.size(); i-- != 0;)
    index(static_cast<std::uint32_t>(i));
}

void acl::index(std::uint32_t rule) {
  const auto& r = rules_[rule];
  for (const auto& name : r.users)
    put(by_user_[name], rule);
  if (!r.users.empty())
    return;
  for (const auto& name : r.clients)
    put(by_client_[name], rule);
  if (r.clients.empty())
    put(everybody_, rule);
}

void acl::put(trees& into, std::uint32_t rule) {
  const auto& r = rules_[rule];
  for (const auto& filter : r.topics) {
    auto& root = filter.literal
                   ? (r.allow ? into.allow_literal : into.deny_literal)
                   : (r.allow ? into.allow : into.deny);
    if (root == none)
      root = forest_.plant();
    forest_.add(root, filter, rule);
  }
}

std::uint32_t acl::search(const trees& in, const filter_forest::question& q,
                          std::uint32_t best) const {
  if (in.allow != none)
    best = forest_.covering(in.allow, q, best);
  if (in.deny != none)
    best = forest_.overlapping(in.deny, q, best);
  if (in.allow_literal != none)
    best = forest_.equal(in.allow_literal, q, false, best);
  if (in.deny_literal != none)
    best = forest_.equal(in.deny_literal, q, true, best);
  return best;
}

acl::finding acl::decide(const identity& who, const request& what) const {
  placeholder_values values{who};
  const test t{*this, who, what};
  const filter_forest::question q{what.topic, values, t};
  auto best = none;
  if (!by_user_.empty() && who.user_name)
    if (const auto found = by_user_.find(*who.user_name);
        found != by_user_.end())
      best = search(found->second, q, best);
  if (!by_client_.empty())
    if (const auto found = by_client_.find(who.client_id);
        found != by_client_.end())
      best = search(found->second, q, best);
  best = search(everybody_, q, best);
  if (best == none)
    return {};
  const auto& rule = rules_[best];
  return {rule.allow ? decision::allow : decision::deny, &rule};
}

} // namespace troupe::auth
