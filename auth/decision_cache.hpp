#pragma once
// What a client was told before, so that rules are not asked for each message.

#include "auth/authorizer.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace troupe::auth {

/// Last decisions about one client. Takes 16 bytes until the first is stored,
/// then an entry more for each topic, up to the limit. For one thread; callers
/// pass the time.
class decision_cache {
public:
  using clock = std::chrono::steady_clock;

  struct options {
    std::size_t entries = 32; ///< 0: nothing is kept
    /// For answers that may change without a new generation; 0: such answers
    /// are not kept.
    clock::duration ttl = std::chrono::minutes{1};
    std::size_t topic_size_max = 512; ///< bytes; longer ones are not kept
  };

  /// @param how  outlives the cache.
  explicit decision_cache(const options& how) noexcept;
  ~decision_cache();
  decision_cache(decision_cache&&) noexcept;
  decision_cache& operator=(decision_cache&&) noexcept;

  /// @param generation  of all rules together. What was stored under another
  ///                    one is dropped.
  /// @returns allow, deny, or none: ask.
  std::optional<decision> find(const request& what, std::uint64_t generation,
                               clock::time_point now) noexcept;

  /// @param answer      allow or deny.
  /// @param generation  the one when the question was asked: an answer of older
  ///                    rules, which came late, is not kept.
  /// @param fixed       nothing but a new generation can change the answer.
  void store(const request& what, decision answer, std::uint64_t generation,
             bool fixed, clock::time_point now);

  void clear() noexcept;
  std::size_t size() const noexcept;

private:
  struct state;

  const options* how_;
  std::unique_ptr<state> state_;
};

} // namespace troupe::auth
