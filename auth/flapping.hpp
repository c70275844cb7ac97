#pragma once
// Clients that connect and go, over and over.

#include "auth/ban.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace troupe::auth {

/// Counts how often each client id went in any time as long as the window. For
/// one thread; callers pass the time. Memory is bounded: of more clients than
/// the table has room for, those are forgotten that went the longest ago.
class flapping_detector {
public:
  using clock = std::chrono::steady_clock;

  struct options {
    bool enable = false;
    std::size_t max_count = 15; ///< the one that makes so many; at least 1
    clock::duration window = std::chrono::minutes{1};
    std::chrono::milliseconds ban_time = std::chrono::minutes{5};
    std::size_t clients_max = 16'384; ///< at least 1
  };

  explicit flapping_detector(options how) : how_{how} {}

  /// A client's connection ended.
  /// @returns whether to ban it; its count then begins anew.
  bool disconnected(std::string_view client_id, clock::time_point now);
  /// The ban that `disconnected` asks for.
  ban ban_of(std::string_view client_id, std::int64_t wall_now_ms) const;

  /// Counts stay; what is too many from now on is noticed at the next event.
  void set_options(options how);
  std::size_t size() const noexcept { return clients_.size(); }

private:
  struct client {
    std::string id;
    std::deque<clock::time_point> went; ///< within the window, oldest first
  };
  using clients = std::list<client>; ///< who went last is in front

  void forget_last();

  options how_;
  clients clients_;
  std::unordered_map<std::string_view, clients::iterator> by_id_; ///< borrow
};

} // namespace troupe::auth
