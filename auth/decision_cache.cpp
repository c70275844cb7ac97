#include "auth/decision_cache.hpp"

#include "protocol/hash.hpp"

#include <string>
#include <vector>

namespace troupe::auth {

namespace {

/// All of a request but its topic.
std::uint8_t kind_of(const request& what) noexcept {
  return static_cast<std::uint8_t>(static_cast<unsigned>(what.what) << 4U
                                   | static_cast<unsigned>(what.qos) << 1U
                                   | (what.retain ? 1U : 0U));
}

struct entry {
  std::string topic;
  decision_cache::clock::time_point expires_at;
  std::uint8_t kind = 0;
  decision answer = decision::deny;
  bool used = false; ///< since the hand of the clock passed

  bool is(const request& what, std::uint8_t of_kind) const noexcept {
    return kind == of_kind && topic == what.topic;
  }
};

} // namespace

struct decision_cache::state {
  std::uint64_t generation = 0;
  std::size_t last = 0; ///< entry that was found last
  std::size_t hand = 0; ///< entry that is looked at first to be replaced
  std::vector<std::uint32_t> hashes; ///< of the entries
  std::vector<entry> entries;

  void drop(std::uint64_t for_generation) noexcept {
    generation = for_generation;
    last = hand = 0;
    hashes.clear();
    entries.clear();
  }

  std::optional<decision> found(std::size_t i, clock::time_point now) noexcept {
    auto& e = entries[i];
    if (now >= e.expires_at)
      return std::nullopt; // `store` comes back to it
    e.used = true;
    last = i;
    return e.answer;
  }

  static std::uint32_t hash_of(const request& what,
                               std::uint8_t kind) noexcept {
    return static_cast<std::uint32_t>(protocol::hash64(what.topic, kind));
  }

  /// The request's entry, or `entries.size()`.
  std::size_t find(const request& what, std::uint8_t kind,
                   std::uint32_t hash) const noexcept {
    for (std::size_t i = 0; i != hashes.size(); ++i)
      if (hashes[i] == hash && entries[i].is(what, kind))
        return i;
    return entries.size();
  }

  /// The first one behind the hand that was not used since it came by.
  std::size_t victim() noexcept {
    for (;;) {
      const auto at = hand;
      hand = (hand + 1) % entries.size();
      if (!entries[at].used)
        return at;
      entries[at].used = false;
    }
  }
};

decision_cache::decision_cache(const options& how) noexcept : how_{&how} {}
decision_cache::~decision_cache() = default;
decision_cache::decision_cache(decision_cache&&) noexcept = default;
decision_cache& decision_cache::operator=(decision_cache&&) noexcept = default;

std::optional<decision> decision_cache::find(const request& what,
                                             std::uint64_t generation,
                                             clock::time_point now) noexcept {
  if (!state_ || state_->entries.empty())
    return std::nullopt;
  auto& s = *state_;
  if (s.generation != generation) {
    if (s.generation < generation)
      s.drop(generation);
    return std::nullopt;
  }
  const auto kind = kind_of(what);
  if (s.entries[s.last].is(what, kind)) // as a rule it is the same topic
    return s.found(s.last, now);
  const auto i = s.find(what, kind, state::hash_of(what, kind));
  if (i == s.entries.size())
    return std::nullopt;
  return s.found(i, now);
}

void decision_cache::store(const request& what, decision answer,
                           std::uint64_t generation, bool fixed,
                           clock::time_point now) {
  if (how_->entries == 0 || what.topic.size() > how_->topic_size_max
      || (!fixed && how_->ttl <= clock::duration::zero())
      || (answer != decision::allow && answer != decision::deny))
    return;
  if (!state_)
    state_ = std::make_unique<state>();
  auto& s = *state_;
  if (s.generation != generation) {
    if (s.generation > generation)
      return;
    s.drop(generation);
  }
  const auto kind = kind_of(what);
  const auto hash = state::hash_of(what, kind);
  auto at = s.find(what, kind, hash);
  if (at == s.entries.size()) {
    if (s.entries.size() < how_->entries) {
      s.hashes.reserve(s.hashes.size() + 1);
      s.entries.emplace_back();
      s.hashes.push_back(hash);
    } else {
      at = s.victim();
      s.hashes[at] = hash;
    }
  }
  auto& e = s.entries[at];
  e.topic = what.topic;
  e.kind = kind;
  e.answer = answer;
  e.used = false;
  e.expires_at = fixed ? clock::time_point::max() : now + how_->ttl;
  s.last = at;
}

void decision_cache::clear() noexcept { state_.reset(); }

std::size_t decision_cache::size() const noexcept {
  return state_ ? state_->entries.size() : 0;
}

} // namespace troupe::auth
