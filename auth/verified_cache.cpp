#include "auth/verified_cache.hpp"

#include <cstring>

namespace troupe::auth {

verified_cache::verified_cache(const verified_cache_options& options)
  : key_(random_bytes(32)),
    buckets_((options.entries + ways - 1) / ways) {}

verified_cache::mark verified_cache::mark_of(std::string_view user,
                                             std::uint64_t version,
                                             std::string_view password) const {
  // The lengths stand before the strings: no two of them make the same text.
  const std::array<std::uint64_t, 2> head{version, user.size()};
  std::string text(sizeof head, '\0');
  std::memcpy(text.data(), head.data(), sizeof head);
  text.reserve(text.size() + user.size() + password.size());
  text += user;
  text += password;
  const auto whole = hmac_sha256(key_, text);
  wipe(text);
  mark made{};
  std::memcpy(made.data(), whole.data(), sizeof made);
  return made;
}

bool verified_cache::has(const mark& x) {
  if (buckets_.empty())
    return false;
  const auto at = bucket_of(x);
  const std::lock_guard guard(mutexes_[at % locks]);
  auto& in = buckets_[at];
  for (std::size_t i = 0; i < ways; ++i)
    if (in.marks[i] == x) {
      in.used = static_cast<std::uint8_t>(in.used | 1U << i);
      return true;
    }
  return false;
}

void verified_cache::add(const mark& x) {
  if (buckets_.empty())
    return;
  const auto at = bucket_of(x);
  const std::lock_guard guard(mutexes_[at % locks]);
  auto& in = buckets_[at];
  for (const auto& y : in.marks)
    if (y == x)
      return;
  while ((in.used >> in.hand & 1U) != 0) {
    in.used = static_cast<std::uint8_t>(in.used & ~(1U << in.hand));
    in.hand = (in.hand + 1) % ways;
  }
  in.marks[in.hand] = x;
  in.hand = (in.hand + 1) % ways;
}

void verified_cache::clear() {
  for (std::size_t at = 0; at < buckets_.size(); ++at) {
    const std::lock_guard guard(mutexes_[at % locks]);
    buckets_[at] = {};
  }
}

} // namespace troupe::auth
