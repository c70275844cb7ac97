#include "server/health_rules.hpp"

#include "server/table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::server {

namespace {

using std::chrono::milliseconds;

/// What is over in a moment is shown for so long.
constexpr milliseconds remembered{600'000};
constexpr milliseconds stall_remembered{60'000};

double part_of(std::uint64_t x, std::uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(x) / static_cast<double>(all);
}

std::string percent(double part) { return fmt::format("{:.0f} %", part * 100); }

} // namespace

std::vector<health_rules::finding>
health_rules::look(const health_figures& now) {
  std::vector<finding> all{files(now), memory(now), pressure(now), clock(now),
                           stall(now)};
  const auto free = print_bytes(now.disk_free) + " are free";
  all.push_back({"disk_full",
                 now.disk == 2,
                 "the disk is full (storage.full_space): what needs it is "
                 "refused; "
                   + free,
                 {{"free_bytes", std::to_string(now.disk_free)}}});
  all.push_back({"disk_low",
                 now.disk == 1,
                 "the disk is getting full (storage.low_space); " + free,
                 {{"free_bytes", std::to_string(now.disk_free)}}});
  all.push_back({"overload",
                 now.overload >= 2,
                 now.overload >= 3
                   ? "who connects is refused: see chapter Overload of "
                     "docs/operations.md"
                   : "publishers are slowed down: see chapter Overload of "
                     "docs/operations.md",
                 {{"step", std::to_string(now.overload)},
                  {"waiting_bytes", std::to_string(now.waiting)}}});
  certificates(now, all);
  return all;
}

health_rules::finding health_rules::files(const health_figures& now) {
  const auto part = part_of(now.files, now.files_max);
  return {"files",
          files_.look(part, how_.files_high),
          percent(part)
            + " of the files that this process may have are open: raise the "
              "limit (LimitNOFILE, ulimit -n) before clients are refused",
          {{"open", std::to_string(now.files)},
           {"limit", std::to_string(now.files_max)}}};
}

health_rules::finding health_rules::memory(const health_figures& now) {
  const auto part = part_of(now.memory, now.memory_max);
  return {"memory",
          memory_.look(part, how_.memory_high),
          "the process has " + print_bytes(now.memory) + ", " + percent(part)
            + " of the memory of this machine or of its cgroup",
          {{"bytes", std::to_string(now.memory)},
           {"limit", std::to_string(now.memory_max)}}};
}

health_rules::finding health_rules::pressure(const health_figures& now) {
  const bool queued = queued_.look(static_cast<double>(now.waiting),
                                   static_cast<double>(how_.queued_bytes));
  const bool blocked = blocked_.look(static_cast<double>(now.blocked),
                                     static_cast<double>(how_.blocked));
  return {"queue_pressure",
          queued || blocked,
          print_bytes(now.waiting) + " wait in the node, and "
            + std::to_string(now.blocked)
            + " sockets take no more: find slow readers with troupe ctl slow",
          {{"waiting_bytes", std::to_string(now.waiting)},
           {"blocked", std::to_string(now.blocked)}}};
}

health_rules::finding health_rules::clock(const health_figures& now) {
  if (std::exchange(looked_, true)) {
    const auto passed = now.steady - last_steady_;
    const auto shown = milliseconds{now.wall_ms - last_wall_ms_};
    if (std::chrono::abs(shown - passed) > how_.clock_jump) {
      jump_ = shown - passed;
      jumped_at_ = now.steady;
    }
  }
  last_wall_ms_ = now.wall_ms;
  last_steady_ = now.steady;
  if (jump_.count() != 0 && now.steady - jumped_at_ > remembered)
    jump_ = {};
  const auto seconds =
    fmt::format("{:+.1f}", static_cast<double>(jump_.count()) / 1e3);
  return {"clock_jump",
          jump_.count() != 0,
          "the clock of this machine jumped by " + seconds
            + " s: what expires while the broker runs is not touched, what is "
              "logged, banned or certified for a time is",
          {{"seconds", seconds}}};
}

health_rules::finding health_rules::stall(const health_figures& now) {
  milliseconds longest{0};
  for (const auto x : now.reactor_delays)
    longest = std::max(longest, x);
  if (longest > how_.reactor_stall) {
    stalled_at_ = now.steady;
    stall_ = std::max(stall_, longest);
  } else if (stall_.count() != 0
             && now.steady - stalled_at_ > stall_remembered) {
    stall_ = {};
  }
  return {"reactor_stall",
          stall_.count() != 0,
          "a reactor did not take its turn for "
            + std::to_string(stall_.count())
            + " ms: its clients waited. The machine may be short of "
              "processors",
          {{"milliseconds", std::to_string(stall_.count())}}};
}

void health_rules::certificates(const health_figures& now,
                                std::vector<finding>& to) {
  std::vector<std::string> found;
  for (const auto& x : now.certificates) {
    auto name = "certificate:" + x.file;
    const auto left = std::chrono::duration_cast<std::chrono::hours>(
      milliseconds{x.ends_ms - now.wall_ms});
    if (left >= how_.certificate_expiry
        || std::find(found.begin(), found.end(), name) != found.end())
      continue;
    const bool over = x.ends_ms <= now.wall_ms;
    to.push_back(
      {name,
       true,
       "the certificate in " + x.file
         + (over ? " has expired: clients refuse it"
                 : " expires in " + std::to_string(left.count() / 24) + " days")
         + "; renew it and reload",
       {{"file", x.file}, {"subject", x.subject}}});
    found.push_back(std::move(name));
  }
  for (auto& x : expiring_)
    if (std::find(found.begin(), found.end(), x) == found.end())
      to.push_back({x, false});
  expiring_ = std::move(found);
}

} // namespace troupe::server
