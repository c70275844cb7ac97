#pragma once
// The rules of a file as a link of the chain.

#include "auth/acl.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace troupe::auth {

/// Asks rules that can be replaced while clients are connected. Thread-safe.
/// A thread that asked keeps the rules it asked until it asks again.
class acl_authorizer final : public authorizer {
public:
  struct options {
    /// What is said when no rule fits: what the file says (`acl::no_match`), or
    /// else nothing, so that links behind this one are asked. Off for a file
    /// that others stand behind.
    bool answers_no_match = true;
  };

  acl_authorizer(std::shared_ptr<const acl> rules, options how);

  /// Takes effect for every request that begins after it.
  void replace(std::shared_ptr<const acl> rules);

  std::shared_ptr<const acl> rules() const;
  /// Another, greater number after each `replace`; for `decision_cache`.
  std::uint64_t generation() const noexcept {
    return generation_.load(std::memory_order_acquire);
  }

  std::string_view name() const noexcept override { return "file"; }
  bool answers_at_once() const noexcept override { return true; }
  decision authorize(const identity& who, const request& what,
                     const answered& then) override;
  std::string rule_of(const identity& who, const request& what) const override;

private:
  const acl& current() const;

  const options how_;
  mutable std::mutex mutex_; ///< of `rules_` and of changes to `generation_`
  std::shared_ptr<const acl> rules_;
  std::atomic<std::uint64_t> generation_;
};

} // namespace troupe::auth
