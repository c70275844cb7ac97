#pragma once
// MQTT 5.0 properties (2.2.2): one at a time, with the rules each obeys.

#include "protocol/wire_reader.hpp"

namespace troupe::protocol::detail {

enum class property_id : std::uint8_t {
  payload_format_indicator = 0x01,
  message_expiry_interval = 0x02,
  content_type = 0x03,
  response_topic = 0x08,
  correlation_data = 0x09,
  subscription_identifier = 0x0B,
  session_expiry_interval = 0x11,
  assigned_client_identifier = 0x12,
  server_keep_alive = 0x13,
  authentication_method = 0x15,
  authentication_data = 0x16,
  request_problem_information = 0x17,
  will_delay_interval = 0x18,
  request_response_information = 0x19,
  response_information = 0x1A,
  server_reference = 0x1C,
  reason_string = 0x1F,
  receive_maximum = 0x21,
  topic_alias_maximum = 0x22,
  topic_alias = 0x23,
  maximum_qos = 0x24,
  retain_available = 0x25,
  user_property = 0x26,
  maximum_packet_size = 0x27,
  wildcard_subscription_available = 0x28,
  subscription_identifier_available = 0x29,
  shared_subscription_available = 0x2A,
};

/// One property. Which of the value fields counts depends on its type.
struct property {
  property_id id{};
  std::uint32_t number = 0; ///< of the four kinds of integers
  std::string_view text;    ///< of a string
  bytes_view binary;        ///< of Binary Data
  bytes_view wire;          ///< the whole property, identifier included
};

/// Reads the property at the front of `in` and checks its value.
/// @returns success; malformed_packet: identifier unknown, value cut short or
///          ill-formed; protocol_error: value outside what the standard
///          allows; topic_alias_invalid: Topic Alias 0.
reason_code read_property(wire_reader& in, property& out) noexcept;

/// A set of properties, a bit for each identifier.
class property_set {
public:
  template <class... Ids>
  constexpr explicit property_set(Ids... ids) noexcept
    : bits_((std::uint64_t{0} | ... | bit(ids))) {}

  constexpr bool contains(property_id id) const noexcept {
    return (bits_ & bit(id)) != 0;
  }
  /// Adds `id`; false if it was there before.
  constexpr bool insert(property_id id) noexcept {
    const auto before = bits_;
    bits_ |= bit(id);
    return bits_ != before;
  }

private:
  static constexpr std::uint64_t bit(property_id id) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(id);
  }

  std::uint64_t bits_;
};

/// Whether `id` may occur more than once: User Property may, and in a PUBLISH
/// of a server Subscription Identifier, which that decoder sees to itself.
constexpr bool is_repeatable(property_id id) noexcept {
  return id == property_id::user_property;
}

/// Calls `f(const property&)`, which returns a reason code, for each property
/// of `in`, as long as the answer is success.
/// @returns the first reason code that is not; protocol_error also for a
///          property not in `allowed` and for one that comes twice.
template <class F>
reason_code for_each_property(bytes_view in, property_set allowed,
                              F&& f) noexcept {
  wire_reader rest{in};
  property_set seen;
  while (!rest.at_end()) {
    property one;
    if (const auto bad = read_property(rest, one); is_bad(bad))
      return bad;
    if (!allowed.contains(one.id)
        || (!seen.insert(one.id) && !is_repeatable(one.id)))
      return reason_code::protocol_error;
    if (const auto bad = f(one); is_bad(bad))
      return bad;
  }
  return reason_code::success;
}

/// Lets `view` reach from its first User Property to this one.
inline void extend(user_properties_view& view, bytes_view wire) noexcept {
  const auto* begin = view.empty() ? wire.data() : view.data();
  view = {begin, wire.data() + wire.size()};
}

/// The runs that are left of the properties when some are cut out.
class property_runs {
public:
  explicit property_runs(std::array<bytes_view, 3>& runs) noexcept
    : runs_(runs) {}

  /// Appends a property; false if it would begin a fourth run.
  bool add(bytes_view wire) noexcept {
    if (count_ != 0) {
      auto& last = runs_[count_ - 1];
      if (last.data() + last.size() == wire.data()) {
        last = {last.data(), last.size() + wire.size()};
        return true;
      }
    }
    if (count_ == runs_.size())
      return false;
    runs_[count_++] = wire;
    return true;
  }

private:
  std::array<bytes_view, 3>& runs_;
  std::size_t count_ = 0;
};

} // namespace troupe::protocol::detail
