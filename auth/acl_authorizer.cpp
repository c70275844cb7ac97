#include "auth/acl_authorizer.hpp"

namespace troupe::auth {

namespace {

/// No two sets of rules in a process share a number.
std::uint64_t next_generation() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

} // namespace

acl_authorizer::acl_authorizer(std::shared_ptr<const acl> rules, options how)
  : how_{how},
    rules_{std::move(rules)},
    generation_{next_generation()} {}

void acl_authorizer::replace(std::shared_ptr<const acl> rules) {
  const std::lock_guard lock{mutex_};
  rules_.swap(rules); // the old ones go after the lock
  generation_.store(next_generation(), std::memory_order_release);
}

std::shared_ptr<const acl> acl_authorizer::rules() const {
  const std::lock_guard lock{mutex_};
  return rules_;
}

/// Counting references in one place from all reactors would cost more than a
/// decision: each thread keeps the last rules that it asked.
const acl& acl_authorizer::current() const {
  struct last_asked {
    std::uint64_t generation = 0;
    std::shared_ptr<const acl> rules;
  };
  thread_local last_asked last;
  if (last.generation != generation()) {
    const std::lock_guard lock{mutex_};
    last.rules = rules_;
    last.generation = generation_.load(std::memory_order_relaxed);
  }
  return *last.rules;
}

decision acl_authorizer::authorize(const identity& who, const request& what,
                                   const answered&) {
  const auto& rules = current();
  const auto found = rules.decide(who, what).what;
  if (found == decision::ignore && how_.answers_no_match)
    return rules.no_match();
  return found;
}

std::string acl_authorizer::rule_of(const identity& who,
                                    const request& what) const {
  const auto* rule = current().decide(who, what).rule;
  return rule == nullptr ? std::string{} : rule->where;
}

} // namespace troupe::auth
