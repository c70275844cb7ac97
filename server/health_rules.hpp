#pragma once
// Which figures of a broker are an alarm.

#include "actors/alarm_board.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace troupe::server {

/// `[alarms]`.
struct health_options {
  double files_high = 0.8;  ///< part of the limit of open files
  double memory_high = 0.7; ///< part of the memory that there is
  std::uint64_t queued_bytes = std::uint64_t{256} << 20;
  std::uint64_t blocked = 1'000; ///< sockets that take no more
  std::chrono::milliseconds clock_jump{2'000};
  std::chrono::milliseconds reactor_stall{1'000};
  std::chrono::hours certificate_expiry{720};
};

/// What is looked at; zeros where the system does not say.
struct health_figures {
  std::uint64_t files = 0;
  std::uint64_t files_max = 0;
  std::uint64_t memory = 0;     ///< bytes of the process
  std::uint64_t memory_max = 0; ///< of the machine, or of its cgroup
  std::uint64_t waiting = 0;    ///< bytes: to be committed, queued, unsent
  std::uint64_t blocked = 0;
  int disk = 0; ///< 0 enough, 1 low, 2 full
  std::uint64_t disk_free = 0;
  int overload = 0; ///< `actors::overload_level`
  std::vector<std::chrono::milliseconds> reactor_delays;
  struct certificate {
    std::string file;
    std::string subject;
    std::int64_t ends_ms; ///< since 1970
  };
  std::vector<certificate> certificates;
  std::int64_t wall_ms = 0;            ///< since 1970
  std::chrono::milliseconds steady{0}; ///< a clock that does not jump
};

/// Looks at figures, remembers what it needs to tell a jump and not to
/// flicker, and says which alarms there are. Not thread-safe.
class health_rules {
public:
  struct finding {
    std::string name;
    bool active = false;
    std::string message{};
    std::vector<std::pair<std::string, std::string>> details{};
  };

  explicit health_rules(const health_options& how) : how_(how) {}
  void set_options(const health_options& how) { how_ = how; }

  /// Every alarm that is or was found, active or not.
  std::vector<finding> look(const health_figures& now);

private:
  finding files(const health_figures& now);
  finding memory(const health_figures& now);
  finding pressure(const health_figures& now);
  finding clock(const health_figures& now);
  finding stall(const health_figures& now);
  void certificates(const health_figures& now, std::vector<finding>& to);

  health_options how_;
  actors::alarm_level files_;
  actors::alarm_level memory_;
  actors::alarm_level queued_;
  actors::alarm_level blocked_;
  bool looked_ = false;
  std::int64_t last_wall_ms_ = 0;
  std::chrono::milliseconds last_steady_{0};
  std::chrono::milliseconds jumped_at_{0};
  std::chrono::milliseconds jump_{0}; ///< 0: none of late
  std::chrono::milliseconds stalled_at_{0};
  std::chrono::milliseconds stall_{0}; ///< likewise
  std::vector<std::string> expiring_;  ///< names of alarms
};

} // namespace troupe::server
