// When a connection waits, and for how long.

#include "actors/connection.hpp"
#include "actors/session.hpp"

#include <algorithm>

namespace troupe::actors {

using protocol::reason_code;

namespace {
/// How long a publisher is not read before it is looked whether it may be:
/// when commits are late, and when queues are long.
constexpr std::chrono::milliseconds commits_every{100};
constexpr std::chrono::milliseconds queues_every{1'000};
} // namespace

// ---- waiting ---------------------------------------------------------------

void connection::take_what_waited() {
  if (!write_blocked_) {
    if (std::exchange(left_unread_, false) && !reading_paused_)
      watch_again();
    pause_reading(false);
  }
  if (input_.empty())
    return;
  auto pending = std::move(input_);
  input_ = protocol::byte_buffer{};
  if (const auto used = consume(pending.view()); used && fd_ >= 0) {
    pending.consume(*used);
    if (!pending.empty())
      input_.append(pending.view());
  }
}

void connection::charge(auth::token_bucket pace::*bucket,
                        std::uint64_t tokens) {
  const auto& options = scope_.options();
  const auto now = at().now();
  const auto rate = [](const rate_limit& x) {
    return auth::token_rate{x.count, x.per,
                            x.burst == 0 ? 0 : x.count + x.burst};
  };
  if (!pace_)
    pace_ = std::make_unique<pace>(pace{{rate(options.messages_rate), now},
                                        {rate(options.bytes_rate), now}});
  pace_->messages.set_rate(rate(options.messages_rate), now);
  pace_->bytes.set_rate(rate(options.bytes_rate), now);
  auto& its = (*pace_).*bucket;
  if (its.charge(tokens, now))
    return;
  if (!std::exchange(paced_, true))
    count(at().numbers().paced);
  go_on_at_ =
    std::max(pace_->messages.ready_at(1, now), pace_->bytes.ready_at(1, now));
  arm_timer();
}

bool connection::commits_late() const noexcept {
  return slowed_ && session_ != nullptr
         && (at().overload().commits_late
             || commit_bound::exceeded(session_->uncommitted_bytes(),
                                       at().overload_limits(), true));
}

void connection::slow_down() {
  slowed_ = true;
  if (!std::exchange(paced_, true))
    count(at().numbers().overload_slowed);
  // Only what is committed gets less by itself. What is queued may wait for
  // acknowledgements behind what this client publishes: it is read a little.
  go_on_at_ = std::max(
    go_on_at_, at().now() + (commits_late() ? commits_every : queues_every));
  arm_timer();
}

// ---- time ------------------------------------------------------------------

void connection::arm_timer() {
  using std::chrono::milliseconds;
  auto deadline = std::chrono::steady_clock::time_point::max();
  if (opening_) {
    if (!queued_)
      deadline = has_turn_ ? std::min(opening_deadline(), turn_end())
                           : opening_deadline();
  } else if (phase_ == phase::awaiting_connect
             || phase_ == phase::authenticating)
    deadline = connected_at_ + limits().idle_timeout;
  else if (keep_alive_ != 0)
    deadline = last_read_
               + milliseconds(static_cast<std::int64_t>(
                 1000.0 * keep_alive_ * limits().keepalive_multiplier));
  if (phase_ == phase::verifying)
    deadline = connected_at_ + at().access().authentication_timeout;
  if (held_ && phase_ == phase::live)
    deadline = std::min(deadline, answer_deadline());
  if (paced_)
    deadline = std::min(deadline, go_on_at_);
  if (write_blocked_)
    deadline =
      std::min(deadline, blocked_since_ + scope_.options().send_timeout);
  if (deadline != std::chrono::steady_clock::time_point::max())
    at().wheel().arm(*this, deadline);
  else
    net::timing_wheel::disarm(*this);
}

void connection::on_timer() {
  const caf::strong_actor_ptr keep{ctrl()};
  using std::chrono::milliseconds;
  const auto now = at().now();
  auto& numbers = at().numbers();
  if (write_blocked_ && now >= blocked_since_ + scope_.options().send_timeout) {
    count(numbers.close_send_timeout);
    end(false, false, "the client does not read");
    return;
  }
  if (paced_ && now >= go_on_at_ && commits_late())
    go_on_at_ = now + commits_every;
  if (paced_ && now >= go_on_at_) {
    paced_ = slowed_ = false;
    if (!waits())
      take_what_waited();
    if (fd_ < 0)
      return;
  }
  if (held_ && phase_ == phase::live && now >= answer_deadline()) {
    answer_overdue();
    if (fd_ < 0)
      return;
  }
  if (phase_ == phase::verifying
      && now >= connected_at_ + at().access().authentication_timeout) {
    refuse(reason_code::server_unavailable,
           "nobody said in time who the client is");
    return;
  }
  if (opening_) {
    if (!queued_ && has_turn_ && now >= turn_end())
      give_turn_back();
    if (opening_overdue(now))
      return;
  } else if ((phase_ == phase::awaiting_connect
              || phase_ == phase::authenticating)
             && now >= connected_at_ + limits().idle_timeout) {
    count(numbers.close_idle);
    turn_away(phase_ == phase::authenticating ? "no AUTH in time"
                                              : "no CONNECT in time");
    return;
  }
  if (phase_ == phase::live && keep_alive_ != 0
      && now >= last_read_
                  + milliseconds(static_cast<std::int64_t>(
                    1000.0 * keep_alive_ * limits().keepalive_multiplier))) {
    if (!reading_paused_) {
      count(numbers.close_keepalive);
      close(reason_code::keep_alive_timeout, "Keep Alive timeout");
      return;
    }
    last_read_ = now; // not read by our own choice
  }
  if (session_ != nullptr)
    session_->shrink();
  arm_timer();
}

} // namespace troupe::actors
