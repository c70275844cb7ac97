#pragma once
// Topic Names and Topic Filters, MQTT 5.0 section 4.7 and 4.8.2.

#include "protocol/types.hpp"

#include <optional>
#include <string_view>

namespace troupe::protocol {

/// Well-formed UTF-8 without surrogates and U+0000 [MQTT-1.5.4-1, -2].
bool is_valid_utf8(std::string_view text) noexcept;

/// A Topic Name: 1 to 65,535 bytes, valid UTF-8, no wildcard characters
/// [MQTT-4.7.0-1, 4.7.3-1, -2, -3].
bool is_valid_topic_name(std::string_view topic) noexcept;

/// A Topic Filter: as above, with `+` and `#` where they may stand
/// [MQTT-4.7.1-1, -2]. Says nothing of `$share` and other prefixes.
bool is_valid_topic_filter(std::string_view filter) noexcept;

/// Whether `filter` holds a wildcard character.
bool has_wildcard(std::string_view filter) noexcept;

/// Levels of a topic or filter: separators plus one.
std::size_t level_count(std::string_view topic) noexcept;

/// Whether a valid filter matches a valid topic name, `$` rule included
/// [MQTT-4.7.2-1].
bool matches(std::string_view filter, std::string_view topic) noexcept;

/// A filter as a client sends it, taken apart. All parts are borrowed.
struct subscription_filter {
  enum class kind : std::uint8_t { plain, shared, exclusive };
  kind what = kind::plain;
  std::string_view
    share_name; ///< `$share/{share_name}/…`; `$queue/…`: "$queue"
  std::string_view filter{}; ///< what topics are matched against
};

/// Takes `$share/{name}/{filter}`, `$queue/{filter}` and `$exclusive/{filter}`
/// apart and checks every part [MQTT-4.8.2-1, -2].
/// @error topic_filter_invalid
result<subscription_filter>
parse_subscription_filter(std::string_view text) noexcept;

/// `$delayed/{seconds}/{topic}`, EMQX's form.
struct delayed_topic {
  std::uint32_t delay_seconds = 0;
  std::string_view topic{};
};

/// @returns std::nullopt if `topic` does not start with `$delayed/`.
/// @error topic_name_invalid  no number, too large a number (over 4,294,967)
///                            or no topic behind it.
result<std::optional<delayed_topic>>
parse_delayed_topic(std::string_view topic) noexcept;

} // namespace troupe::protocol
