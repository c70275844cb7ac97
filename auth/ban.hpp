#pragma once
// Who may not connect.

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::auth {

/// What is banned; the names are EMQX's.
enum class ban_kind : std::uint8_t {
  clientid,
  username,
  peerhost,     ///< an address
  peerhost_net, ///< a network, `10.0.0.0/8`
  clientid_re,  ///< a regular expression, found anywhere in the client id
  username_re,
};

inline constexpr std::array<std::string_view, 6> ban_kind_names{
  "clientid",     "username",    "peerhost",
  "peerhost_net", "clientid_re", "username_re"};

inline std::string_view to_string(ban_kind kind) noexcept {
  return ban_kind_names[static_cast<std::size_t>(kind)];
}

inline std::optional<ban_kind> ban_kind_from(std::string_view name) noexcept {
  for (std::size_t i = 0; i != ban_kind_names.size(); ++i)
    if (ban_kind_names[i] == name)
      return static_cast<ban_kind>(i);
  return std::nullopt;
}

/// Times are milliseconds since 1970 by the wall clock: a ban outlives the
/// process.
struct ban {
  static constexpr std::int64_t never =
    std::numeric_limits<std::int64_t>::max();

  ban_kind as = ban_kind::clientid;
  std::string who;
  std::string by;     ///< who banned, may be empty
  std::string reason; ///< may be empty
  std::int64_t at_ms = 0;
  std::int64_t until_ms = never; ///< the first one that is free again

  bool in_force(std::int64_t now_ms) const noexcept {
    return now_ms < until_ms;
  }
  friend bool operator==(const ban&, const ban&) = default;
};

} // namespace troupe::auth
