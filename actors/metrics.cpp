#include "actors/metrics.hpp"

namespace troupe::actors {

std::string_view name_of(protocol::drop_reason why) noexcept {
  using protocol::drop_reason;
  switch (why) {
  case drop_reason::none:
    break;
  case drop_reason::queue_full:
    return "queue_full";
  case drop_reason::qos0_slow:
    return "qos0_slow";
  case drop_reason::expired:
    return "expired";
  case drop_reason::too_large:
    return "too_large";
  case drop_reason::no_local:
    return "no_local";
  case drop_reason::session_ended:
    return "session_ended";
  case drop_reason::refused:
    return "refused";
  case drop_reason::share_member_gone:
    return "share_member_gone";
  }
  return "none";
}

void count_drop(metrics& into, protocol::drop_reason why,
                std::uint64_t by) noexcept {
  using protocol::drop_reason;
  switch (why) {
  case drop_reason::none:
    return;
  case drop_reason::queue_full:
    return count(into.drop_queue_full, by);
  case drop_reason::qos0_slow:
    return count(into.drop_qos0, by);
  case drop_reason::expired:
    return count(into.drop_expired, by);
  case drop_reason::too_large:
    return count(into.drop_too_large, by);
  case drop_reason::no_local:
    return count(into.drop_no_local, by);
  case drop_reason::session_ended:
    return count(into.drop_session_ended, by);
  case drop_reason::refused:
    return count(into.drop_refused, by);
  case drop_reason::share_member_gone:
    return count(into.drop_share_member_gone, by);
  }
}

} // namespace troupe::actors
