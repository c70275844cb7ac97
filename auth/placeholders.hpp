#pragma once
// `${clientid}` and the others, which stand in a rule's filters for what is
// known of the client.

#include "auth/identity.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::auth {

enum class placeholder : std::uint8_t {
  client_id,
  user_name,
  cert_common_name,
  cert_subject,
  peerhost,
  listener,
};
inline constexpr std::size_t placeholder_count = 6;

/// Their names between `${` and `}`, as in EMQX, in the order above.
extern const std::array<std::string_view, placeholder_count> placeholder_names;

/// What the placeholders stand for with one client; looks at each only when it
/// is asked for. Borrows the identity. For one decision on one thread.
class placeholder_values {
public:
  explicit placeholder_values(const identity& who) : who_{&who} {}

  struct value {
    std::string_view text;
    /// Not empty, and nothing in it that means something in a filter: `+`,
    /// `#`, `/`, U+0000.
    bool usable = false;
  };
  const value& of(placeholder which);

private:
  const identity* who_;
  std::array<value, placeholder_count> values_;
  std::array<bool, placeholder_count> known_{};
  std::string peerhost_;
};

/// One level of a filter with placeholders in it: `dev-${clientid}`.
struct level_template {
  struct part {
    std::optional<placeholder> what; ///< none: `text` is meant
    std::string text;
  };
  std::vector<part> parts; ///< at least one is a placeholder

  /// Whether the client's values may be put in. As the first level it must
  /// not begin with a `$` from the client: `${clientid}/#` would give
  /// `$SYS/#` to one who calls himself so.
  bool usable(placeholder_values& values, bool first_level) const;
  /// Whether `level` is what the template gives; for usable ones.
  bool gives(std::string_view level, placeholder_values& values) const;
  /// Whether what it gives begins with a `$`, if usable as the first level.
  bool begins_with_dollar() const {
    return !parts[0].what && parts[0].text.starts_with('$');
  }
};

} // namespace troupe::auth
