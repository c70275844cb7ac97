#pragma once
// Who takes long to have its messages.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// `[slow_subs]`.
struct slow_subs_options {
  bool enable = false;
  std::chrono::milliseconds threshold{500};
  std::size_t top = 10;
  std::chrono::milliseconds expire{300'000};
};

/// The slowest pairs of client and topic of late, as EMQX has them: the time
/// from when a message was received until the subscriber acknowledged it; with
/// QoS 0, until it was sent. Not thread-safe.
class slow_subscriptions {
public:
  using time_point = std::chrono::steady_clock::time_point;
  struct entry {
    std::string client_id;
    std::string topic;
    std::chrono::milliseconds took{0};
    time_point at;
  };

  explicit slow_subscriptions(const slow_subs_options& how) : how_(how) {}
  void set_options(const slow_subs_options& how);
  const slow_subs_options& options() const noexcept { return how_; }

  /// Whether a message that took so long is one to `note`.
  bool is_slow(std::chrono::steady_clock::duration took) const noexcept {
    return how_.enable && took >= how_.threshold;
  }
  /// Each pair is in it once, with the longest of its times that is not
  /// expired.
  void note(std::string_view client_id, std::string_view topic,
            std::chrono::steady_clock::duration took, time_point now);
  /// The slowest first.
  std::vector<entry> list(time_point now);

private:
  void expire(time_point now);

  slow_subs_options how_;
  std::vector<entry> entries_; ///< the slowest first
};

} // namespace troupe::actors
