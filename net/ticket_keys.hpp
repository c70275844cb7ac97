#pragma once
// What session tickets are sealed with.

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace troupe::net {

/// Two generations of random keys: tickets of the younger one are given out,
/// those of the older one are still taken. Thread-safe (RFC 5077, section 4).
class ticket_keys {
public:
  using clock_time = std::chrono::steady_clock::time_point;
  struct key {
    std::array<std::uint8_t, 16> name{};
    std::array<std::uint8_t, 32> encrypt{}; ///< AES-256-CBC
    std::array<std::uint8_t, 32> sign{};    ///< HMAC-SHA-256
  };

  /// @param lifetime  of a ticket: a key is for new ones so long.
  /// @throws tls_error without random bytes
  ticket_keys(std::chrono::seconds lifetime, clock_time now);

  /// Of tickets from now on; the key for new ones is not renewed for it.
  void set_lifetime(std::chrono::seconds to);
  /// What a new ticket is sealed with.
  key current(clock_time now);
  struct known {
    key with;
    bool renew; ///< the client should be given a new ticket
  };
  std::optional<known> find(const std::uint8_t* name, clock_time now);
  /// No ticket given out before is taken any more.
  void renew(clock_time now);

private:
  void turn(clock_time now);

  std::mutex mutex_;
  std::chrono::seconds period_;
  key current_;
  std::optional<key> previous_;
  clock_time since_;
};

} // namespace troupe::net
