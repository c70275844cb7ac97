#pragma once
// Enhanced authentication, MQTT 5.0 section 4.12.

#include "auth/authenticator.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace troupe::auth {

/// One run of a method for one client: data of the client in, the next step
/// out. Lives on one thread at a time; never waits.
class exchange {
public:
  struct step {
    enum class outcome : std::uint8_t { challenge, success, failure };
    outcome what = outcome::failure;
    /// Authentication Data to send, may be empty.
    std::vector<std::uint8_t> data;
    protocol::reason_code reason = protocol::reason_code::not_authorized;
    /// Of a success: who it is.
    account who;
  };
  virtual ~exchange() = default;
  virtual step next(protocol::bytes_view data) = 0;
};

/// A method that clients name in CONNECT. Thread-safe.
class method {
public:
  virtual ~method() = default;
  virtual std::string_view name() const noexcept = 0;
  /// @param from  what is known of the client; gone when this returns.
  virtual std::unique_ptr<exchange> begin(const identity& from) const = 0;
};

/// "TROUPE-TEST", for tests: the client says "begin", is sent "challenge-1",
/// answers "response-1", is sent "challenge-2" and answers "response-2".
std::shared_ptr<method> make_test_method();

} // namespace troupe::auth
