#pragma once
// Reason Codes by name, MQTT 5.0 section 2.4, for expectations.

namespace troupe::test::code {

inline constexpr unsigned success = 0x00;
inline constexpr unsigned disconnect_with_will = 0x04;
inline constexpr unsigned no_matching_subscribers = 0x10;
inline constexpr unsigned no_subscription_existed = 0x11;
inline constexpr unsigned continue_authentication = 0x18;
inline constexpr unsigned re_authenticate = 0x19;
inline constexpr unsigned unspecified_error = 0x80;
inline constexpr unsigned malformed = 0x81;
inline constexpr unsigned protocol_error = 0x82;
inline constexpr unsigned unsupported_protocol_version = 0x84;
inline constexpr unsigned client_identifier_not_valid = 0x85;
inline constexpr unsigned not_authorized = 0x87;
inline constexpr unsigned bad_authentication_method = 0x8C;
inline constexpr unsigned keep_alive_timeout = 0x8D;
inline constexpr unsigned session_taken_over = 0x8E;
inline constexpr unsigned topic_filter_invalid = 0x8F;
inline constexpr unsigned topic_name_invalid = 0x90;
inline constexpr unsigned packet_identifier_not_found = 0x92;
inline constexpr unsigned receive_maximum_exceeded = 0x93;
inline constexpr unsigned topic_alias_invalid = 0x94;
inline constexpr unsigned packet_too_large = 0x95;
inline constexpr unsigned retain_not_supported = 0x9A;
inline constexpr unsigned qos_not_supported = 0x9B;
inline constexpr unsigned shared_subscriptions_not_supported = 0x9E;
inline constexpr unsigned wildcard_subscriptions_not_supported = 0xA2;

} // namespace troupe::test::code
