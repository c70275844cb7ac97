#pragma once
// CONNACK of MQTT 3: return codes 0 to 5 (MQTT 3.1.1, 3.2.2.3) and the reason
// codes they stand for.

#include "protocol/types.hpp"

#include <optional>

namespace troupe::protocol::detail {

/// @returns std::nullopt if none fits: the Server then closes without CONNACK
///          (MQTT 3.1.1: [MQTT-3.2.2-6], [MQTT-3.1.4-1]).
constexpr std::optional<std::uint8_t>
to_return_code(reason_code reason) noexcept {
  switch (reason) {
  case reason_code::success:
    return 0;
  case reason_code::unsupported_protocol_version:
    return 1;
  case reason_code::client_identifier_not_valid:
    return 2;
  case reason_code::unspecified_error:
  case reason_code::implementation_specific_error:
  case reason_code::server_unavailable:
  case reason_code::server_busy:
  case reason_code::quota_exceeded:
  case reason_code::use_another_server:
  case reason_code::server_moved:
  case reason_code::connection_rate_exceeded:
    return 3;
  case reason_code::bad_user_name_or_password:
    return 4;
  case reason_code::not_authorized:
  case reason_code::banned:
  case reason_code::bad_authentication_method:
    return 5;
  default:
    return std::nullopt;
  }
}

/// @returns std::nullopt for a reserved one.
constexpr std::optional<reason_code>
from_return_code(std::uint8_t code) noexcept {
  switch (code) {
  case 0:
    return reason_code::success;
  case 1:
    return reason_code::unsupported_protocol_version;
  case 2:
    return reason_code::client_identifier_not_valid;
  case 3:
    return reason_code::server_unavailable;
  case 4:
    return reason_code::bad_user_name_or_password;
  case 5:
    return reason_code::not_authorized;
  default:
    return std::nullopt;
  }
}

} // namespace troupe::protocol::detail
