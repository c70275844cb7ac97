#pragma once
// All bans: one place that changes them, and what reactors ask.

#include "auth/ban.hpp"
#include "auth/identity.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::auth {

namespace detail {

using shared_ban = std::shared_ptr<const ban>;

/// Bans of the kinds that are compared, whose hashes have the same end; sorted
/// by hash.
struct ban_shard {
  struct item {
    std::uint64_t hash;
    shared_ban what;
  };
  std::uint64_t epoch = 0; ///< of the table: no older list has this shard
  std::vector<item> items;
};
inline constexpr std::size_t ban_shards = 1'024;
using ban_shard_array = std::array<std::shared_ptr<ban_shard>, ban_shards>;

/// Regular expressions of one kind, all tried in one pass. See
/// ban_patterns.cpp.
class ban_patterns;

/// How many networks there are of each prefix length, IPv4 and IPv6.
struct prefix_counts {
  std::array<std::uint32_t, 33> v4{};
  std::array<std::uint32_t, 129> v6{};
};

} // namespace detail

/// The bans at one moment. Immutable, thread-safe. A client costs a look for
/// its id, user name, address and each prefix length in use, however many bans
/// there are, and one pass over id and user name for all patterns.
class ban_list {
public:
  ban_list() = default; ///< without bans

  /// @returns a ban in force that the client falls under, or null; lives as
  ///          long as the list.
  const ban* find(const identity& who, std::int64_t now_ms) const;
  /// Calls `use` with each, in no order, those out of force included.
  void for_each(const std::function<void(const ban&)>& use) const;
  std::size_t size() const noexcept { return size_; }

private:
  friend class ban_table;

  const ban* look_up(ban_kind as, std::string_view who,
                     std::int64_t now_ms) const;
  const ban* look_up_networks(const net::endpoint& peer,
                              std::int64_t now_ms) const;

  std::size_t size_ = 0;
  std::array<std::shared_ptr<const detail::ban_shard>, detail::ban_shards>
    shards_;
  detail::prefix_counts prefixes_;
  std::shared_ptr<const detail::ban_patterns> client_patterns_;
  std::shared_ptr<const detail::ban_patterns> user_patterns_;
};

/// The bans, to be changed. For one thread. A change costs what its part of the
/// table holds, not what all do; patterns are compiled anew together.
class ban_table {
public:
  struct options {
    std::size_t bans_max = 1'000'000;
    std::size_t patterns_max = 1'000; ///< of both kinds together
  };
  static constexpr std::size_t pattern_size_max = 1'024; ///< bytes

  explicit ban_table(options how);
  ~ban_table();
  ban_table(const ban_table&) = delete;
  ban_table& operator=(const ban_table&) = delete;

  /// Adds a ban, in place of one of the same kind and name. Addresses and
  /// networks are kept in their shortest form.
  /// @returns what is wrong and how to mend it, or nothing.
  std::string add(ban what);
  /// @returns whether it was there.
  bool remove(ban_kind as, std::string_view who);
  /// The ban of this kind and name, or null; lives until the next change.
  const ban* get(ban_kind as, std::string_view who) const;
  /// Removes what is over.
  std::vector<std::shared_ptr<const ban>> expire(std::int64_t now_ms);

  std::size_t size() const noexcept { return size_; }
  /// The bans as they are now.
  std::shared_ptr<const ban_list> snapshot();

private:
  struct by_end {
    bool operator()(const detail::shared_ban& a,
                    const detail::shared_ban& b) const noexcept {
      return std::pair{a->until_ms, a.get()} < std::pair{b->until_ms, b.get()};
    }
  };

  std::vector<detail::shared_ban>& patterns(ban_kind as) noexcept;
  const detail::shared_ban* find(ban_kind as, std::string_view who) const;
  detail::ban_shard& own(std::uint64_t hash);
  void count_network(const ban& what, bool more);

  options how_;
  std::uint64_t epoch_ = 1;
  std::size_t size_ = 0;
  detail::ban_shard_array shards_;
  detail::prefix_counts prefixes_;
  std::vector<detail::shared_ban> client_patterns_;
  std::vector<detail::shared_ban> user_patterns_;
  std::shared_ptr<const detail::ban_patterns> client_compiled_;
  std::shared_ptr<const detail::ban_patterns> user_compiled_;
  std::set<detail::shared_ban, by_end> ending_; ///< those that end
};

} // namespace troupe::auth
