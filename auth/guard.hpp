#pragma once
// Against trying passwords: who is wrong too often is not asked for a while.

#include "auth/secrets.hpp"
#include "protocol/types.hpp"

#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace troupe::auth {

struct guard_options {
  /// Wrong logins of one address for one user; 0: no limit.
  std::uint32_t failures_max = 20;
  /// Wrong logins of one address for whatever users; 0: no limit. Above the
  /// first, since many clients may share an address.
  std::uint32_t address_failures_max = 200;
  std::chrono::seconds window{60};
  std::chrono::seconds lock{300};
  /// Of addresses, and as many of addresses with a user.
  std::size_t entries_max = 65'536;

  bool operator==(const guard_options&) const = default;
};

/// Who is refused: a user at an address, or everybody there.
enum class locked : std::uint8_t { user, address };

/// Counts wrong logins by address, and by address and user: never by user
/// alone, or anybody could lock anybody out. Who has said no user name counts
/// for the address only, or strangers could lock out all who prove theirs later
/// (SCRAM). A window begins with a failure and ends after its time, so up to
/// twice the limit may fall around its end. Not thread-safe; about 150 bytes
/// for each entry.
class guard {
public:
  explicit guard(const guard_options& options);
  guard(const guard&) = delete;
  guard& operator=(const guard&) = delete;

  /// Is asked before a login is tried.
  /// @param address  of `address_key`.
  /// @returns how long this client is still refused, with `banned`; none: not.
  std::optional<std::chrono::seconds> refused_for(std::string_view address,
                                                  std::string_view user_name,
                                                  protocol::time_point now);
  /// A login was wrong. What is refused unasked counts no more.
  /// @returns whom this one locked out.
  std::optional<locked> failed(std::string_view address,
                               std::string_view user_name,
                               protocol::time_point now);
  /// A login was right: its failures are forgotten, those for other users of
  /// the same address are not.
  void succeeded(std::string_view address, std::string_view user_name);
  /// Lifts the lock of an address or, if one is named, that of this user there.
  /// @returns whether there was one.
  bool unlock(std::string_view address,
              std::optional<std::string_view> user_name,
              protocol::time_point now);
  /// Lifts all locks, as after a change of options.
  void clear();

  std::size_t size() const noexcept {
    return addresses_.size() + pairs_.size();
  }

private:
  /// Bounded; forgets who failed the longest ago. One for addresses and one for
  /// pairs, so that many names of users do not push out a locked address.
  class table {
  public:
    struct entry {
      std::string key;
      std::uint32_t failures = 0;
      protocol::time_point since;
      protocol::time_point locked_until;
    };
    table(std::uint32_t failures_max, const guard_options& options)
      : failures_max_(failures_max),
        options_(options) {}

    std::optional<std::chrono::seconds> refused_for(const std::string& key,
                                                    protocol::time_point now);
    bool failed(const std::string& key, protocol::time_point now);
    void erase(const std::string& key);
    void clear();
    std::size_t size() const noexcept { return by_key_.size(); }

  private:
    using position = std::list<entry>::iterator;
    std::uint32_t failures_max_;
    guard_options options_;
    std::list<entry> oldest_first_; ///< by the last failure
    std::unordered_map<std::string_view, position> by_key_;
  };

  std::string pair_key(std::string_view address,
                       std::string_view user_name) const;

  std::string seed_; ///< strangers choose user names
  table addresses_;
  table pairs_;
};

} // namespace troupe::auth
