#pragma once
// Enhanced authentication, MQTT 5.0 section 4.12.

#include "protocol/types.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// One run of a method for one client: data of the client in, the next step
/// out. Lives on one thread at a time.
class authentication_exchange {
public:
  struct step {
    enum class outcome : std::uint8_t { challenge, success, failure };
    outcome what = outcome::failure;
    std::vector<std::uint8_t>
      data; ///< Authentication Data to send, may be empty
    protocol::reason_code reason = protocol::reason_code::not_authorized;
  };
  virtual ~authentication_exchange() = default;
  virtual step next(protocol::bytes_view data) = 0;
};

/// A method that clients name in CONNECT. Thread-safe.
class authentication_method {
public:
  virtual ~authentication_method() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual std::unique_ptr<authentication_exchange> begin() const = 0;
};

/// "TROUPE-TEST", for tests: the client says "begin", is sent "challenge-1",
/// answers "response-1", is sent "challenge-2" and answers "response-2".
std::shared_ptr<authentication_method> make_test_method();

} // namespace troupe::actors
