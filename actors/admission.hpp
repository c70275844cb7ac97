#pragma once
// Who is kept out: bans, wrong passwords, clients that come and go.

#include "auth/ban_list.hpp"
#include "auth/flapping.hpp"
#include "auth/guard.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

struct admission_options {
  auth::guard_options guard;
  auth::flapping_detector::options flapping;
  auth::ban_table::options bans;
};

/// Counts for the whole node and knows all bans. Thread-safe; asked once per
/// connection, never per packet.
class admission {
public:
  using clock_time = std::chrono::steady_clock::time_point;
  /// Told after each change of the bans, in the order of the changes, on the
  /// thread that changed them; reactors among them, so it must not write files.
  /// It may not change bans itself.
  using on_bans = std::function<void(std::shared_ptr<const auth::ban_list>)>;

  explicit admission(const admission_options& how);

  void set_options(const admission_options& how);
  void listen(on_bans told);

  /// @returns how long this client is still refused after wrong passwords.
  std::optional<std::chrono::seconds> refused_for(const auth::identity& who,
                                                  clock_time now);
  /// @returns whom this one locked out.
  std::optional<auth::locked> failed(const auth::identity& who, clock_time now);
  void succeeded(const auth::identity& who);
  /// As `guard::unlock`; without an address, of clients of Unix sockets.
  bool unlock(const std::optional<net::endpoint>& address,
              std::optional<std::string_view> user_name, clock_time now);
  /// @returns the ban that this disconnection led to.
  std::optional<auth::ban> disconnected(std::string_view client_id,
                                        clock_time now, std::int64_t wall_ms);

  /// @returns what is wrong with it, or nothing.
  std::string ban(auth::ban what);
  /// @returns whether it was there.
  bool unban(auth::ban_kind as, std::string_view who);
  /// Forgets bans that are over.
  void expire(std::int64_t wall_ms);
  /// All bans at once, as at the start.
  void load(const std::function<void(auth::ban_table&)>& fill);
  std::shared_ptr<const auth::ban_list> bans();

private:
  void tell();

  std::mutex telling_; ///< taken before mutex_
  std::mutex mutex_;
  admission_options how_;
  std::unique_ptr<auth::guard> guard_;
  auth::flapping_detector flapping_;
  auth::ban_table table_;
  on_bans told_;
};

} // namespace troupe::actors
