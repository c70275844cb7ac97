#pragma once
// Passwords that were right a while ago.

#include "auth/secrets.hpp"

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::auth {

struct verified_cache_options {
  /// 17 bytes each, taken at the start; 0: nothing is remembered.
  std::size_t entries = 262'144;
};

/// Remembers that a password was right for one version of a user's line, so
/// that devices that come back cost a microsecond. Has neither passwords nor
/// names: only HMACs under a key that lives and dies with the process. What
/// belongs to an older version of a line is never found again and is replaced
/// in time. Thread-safe.
class verified_cache {
public:
  /// Half of an HMAC-SHA256.
  using mark = std::array<std::uint64_t, 2>;

  explicit verified_cache(const verified_cache_options& options);

  mark mark_of(std::string_view user, std::uint64_t version,
               std::string_view password) const;
  bool has(const mark& x);
  void add(const mark& x);
  void clear();

private:
  static constexpr std::size_t ways = 8;
  /// A mark may lie in one bucket only; there the hand takes what was not
  /// looked up since it last came by.
  struct bucket {
    std::array<mark, ways> marks{}; ///< zeros: none
    std::uint8_t used = 0;          ///< a bit for each
    std::uint8_t hand = 0;
  };
  static constexpr std::size_t locks = 64;

  std::size_t bucket_of(const mark& x) const noexcept {
    return static_cast<std::size_t>(x[0] % buckets_.size());
  }

  std::string key_;
  std::vector<bucket> buckets_;
  std::array<std::mutex, locks> mutexes_; ///< of a bucket: its number's
};

} // namespace troupe::auth
