#include "protocol/client_session.hpp"

#include <algorithm>

namespace troupe::protocol {

std::uint16_t client_session::start(outbound&& x) {
  const auto identifier = next_identifier_;
  const bool again = reuses_identifiers_ && x.qos == qos::at_least_once;
  in_flight_.push_back(
    {std::move(x), identifier, in_flight::state::sent, true});
  ++unacknowledged_;
  ++open_;
  if (!again)
    take_identifier();
  return identifier;
}

void client_session::restore(in_flight&& x) {
  // Identifiers in the ring follow each other, so the holes of what was
  // settled meanwhile are filled with settled entries.
  if (in_flight_.empty())
    next_identifier_ = x.packet_identifier;
  while (next_identifier_ != x.packet_identifier) {
    in_flight_.push_back(
      {{}, next_identifier_, in_flight::state::settled, false});
    take_identifier();
  }
  x.uses_quota = false;
  if (x.now == in_flight::state::sent)
    x.now = in_flight::state::waiting;
  if (x.now == in_flight::state::waiting)
    ++waiting_;
  in_flight_.push_back(std::move(x));
  ++open_;
  take_identifier();
}

const client_session::in_flight* client_session::take_resend() {
  if (waiting_ == 0 || unacknowledged_ >= send_quota_)
    return nullptr;
  while (resend_at_ < in_flight_.size()) {
    auto& x = in_flight_[resend_at_++];
    if (x.now != in_flight::state::waiting)
      continue;
    x.now = in_flight::state::sent;
    x.uses_quota = true;
    --waiting_;
    ++unacknowledged_;
    return &x;
  }
  return nullptr;
}

client_session::victim client_session::make_room(outbound& x) {
  const bool is_qos0 = x.qos == qos::at_most_once;
  if (is_qos0 && !queue_qos0_)
    return {std::move(x), drop_reason::qos0_slow, true};
  if (!queue_full() || queue_.empty())
    return {};
  std::size_t at = 0;
  if (queued_qos0_ > 0)
    while (queue_[at].qos != qos::at_most_once)
      ++at;
  else if (is_qos0)
    return {std::move(x), drop_reason::qos0_slow, true};
  victim gone{
    std::move(queue_[at]),
    queued_qos0_ > 0 ? drop_reason::qos0_slow : drop_reason::queue_full, false};
  queue_bytes_ -= gone.lost.message->memory();
  if (gone.lost.qos == qos::at_most_once)
    --queued_qos0_;
  queue_.erase(at);
  return gone;
}

void client_session::append(outbound&& x) {
  queue_bytes_ += x.message->memory();
  queued_qos0_ += x.qos == qos::at_most_once ? 1 : 0;
  queue_.push_back(std::move(x));
}

bool client_session::take_queued(outbound& out) {
  if (queue_.empty())
    return false;
  auto& head = queue_.front();
  if (head.qos != qos::at_most_once && !may_send())
    return false;
  queue_bytes_ -= head.message->memory();
  if (head.qos == qos::at_most_once)
    --queued_qos0_;
  out = std::move(head);
  queue_.pop_front();
  return true;
}

client_session::in_flight*
client_session::find(std::uint16_t packet_identifier) noexcept {
  if (in_flight_.empty() || packet_identifier == 0)
    return nullptr;
  // Identifiers run 1..65535 and wrap; the ring holds a run of them.
  const auto first = in_flight_.front().packet_identifier;
  const std::size_t at = packet_identifier >= first
                           ? std::size_t{packet_identifier} - first
                           : std::size_t{65'535} - first + packet_identifier;
  if (at >= in_flight_.size() || in_flight_[at].now == in_flight::state::settled
      || in_flight_[at].now == in_flight::state::waiting)
    return nullptr;
  return &in_flight_[at];
}

client_session::ack_answer client_session::settle(in_flight& x) noexcept {
  ack_answer answer{ack::settled, std::move(x.what)};
  x.now = in_flight::state::settled;
  unacknowledged_ -= x.uses_quota ? 1 : 0;
  --open_;
  while (!in_flight_.empty()
         && in_flight_.front().now == in_flight::state::settled) {
    in_flight_.pop_front();
    resend_at_ -= resend_at_ > 0 ? 1 : 0;
  }
  // Acknowledgements come in runs, for messages that have left the cache.
  constexpr std::size_t ahead = 3;
  if (in_flight_.size() > ahead)
    __builtin_prefetch(in_flight_[ahead].what.message.get());
  return answer;
}

client_session::ack_answer
client_session::on_puback(std::uint16_t packet_identifier) {
  auto* x = find(packet_identifier);
  if (x == nullptr || x->what.qos != qos::at_least_once)
    return {};
  return settle(*x);
}

client_session::ack_answer
client_session::on_pubrec(std::uint16_t packet_identifier, bool failed) {
  auto* x = find(packet_identifier);
  if (x == nullptr || x->what.qos != qos::exactly_once)
    return {};
  if (x->now == in_flight::state::released)
    return {failed ? ack::unknown : ack::repeated, {}};
  if (failed)
    return settle(*x);
  x->now = in_flight::state::released;
  ack_answer answer{ack::release, {}};
  answer.settled.position = x->what.position;
  return answer;
}

client_session::ack_answer
client_session::on_pubcomp(std::uint16_t packet_identifier) {
  auto* x = find(packet_identifier);
  if (x == nullptr || x->now != in_flight::state::released)
    return {};
  return settle(*x);
}

client_session::inbound
client_session::on_publish_qos2(std::uint16_t packet_identifier) {
  if (std::find(awaiting_release_.begin(), awaiting_release_.end(),
                packet_identifier)
      != awaiting_release_.end())
    return inbound::duplicate;
  if (awaiting_release_max_ != 0
      && awaiting_release_.size() >= awaiting_release_max_)
    return inbound::too_many;
  awaiting_release_.push_back(packet_identifier);
  return inbound::fresh;
}

bool client_session::on_pubrel(std::uint16_t packet_identifier) {
  const auto at = std::find(awaiting_release_.begin(), awaiting_release_.end(),
                            packet_identifier);
  if (at == awaiting_release_.end())
    return false;
  awaiting_release_.erase(at);
  return true;
}

} // namespace troupe::protocol
