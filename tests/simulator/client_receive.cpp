// What a model client makes of what the node sends.

#include "tests/simulator/client.hpp"

#include <algorithm>

namespace troupe::simulator {

using protocol::packet_type;

namespace {

constexpr milliseconds slack{1'500};

std::string text_of(protocol::bytes_view x) {
  return {reinterpret_cast<const char*>(x.data()), x.size()};
}

} // namespace

void client::take(const protocol::frame& in) {
  notes_.note(shape_.id + " < " + std::to_string(in.first_byte) + ' '
              + text_of(in.body));
  switch (in.type()) {
  case packet_type::connack:
    on_connack(in);
    break;
  case packet_type::publish:
    on_publish(in);
    break;
  case packet_type::puback:
  case packet_type::pubrec:
  case packet_type::pubrel:
  case packet_type::pubcomp:
    on_ack(in);
    break;
  case packet_type::suback:
    on_suback(in);
    break;
  case packet_type::unsuback:
    on_unsuback(in);
    break;
  case packet_type::disconnect:
    if (!seen_.node_stops && !overtaken_)
      violated("protocol", "the node sent DISCONNECT");
    break;
  default:
    violated("protocol", "the node sent what only clients send");
  }
}

void client::on_connack(const protocol::frame& in) {
  const auto read = protocol::decode_connack(in, shape_.version);
  if (read && (seen_.node_stops || overtaken_)
      && read.value().reason != reason_code::success)
    return; // and it closes
  if (!read || connected_ || read.value().reason != reason_code::success) {
    violated("protocol", "CONNACK is malformed, the second, or refuses");
    return;
  }
  const bool present = read.value().session_present;
  if (present && (clean_start_ || session_ == belief::none))
    violated("session", "Session Present is 1 where there was none");
  else if (present && noticed_ && seen_.time > *noticed_ + expiry() + slack)
    violated("session", "Session Present is 1, but it has expired");
  else if (!present && !clean_start_ && session_ == belief::there
           && seen_.time < closed_at_ + expiry())
    violated("session", "Session Present is 0, but it has not expired");
  if (!present && !clean_start_) {
    forget_session();
    seen_.session_ended(who_);
  }
  connected_ = true;
  unsure_ = false;
  session_ = durable() ? belief::there : belief::none;
  seen_.connected(who_, present);
  if (will_)
    seen_.wills[*will_].certain = true;
  if (present)
    resume();
}

/// [MQTT-4.4.0-1]: under the old identifiers, in the old order.
void client::resume() {
  for (const auto& x : outgoing_)
    if (x.released) {
      put_ack(packet_type::pubrel, x.identifier);
    } else {
      seen_.resent(x.index);
      put_publish(x, true);
    }
}

void client::on_publish(const protocol::frame& in) {
  std::array<std::uint32_t, 32> identifiers{};
  const auto read =
    protocol::decode_publish_from_server(in, shape_.version, identifiers);
  if (!read) {
    violated("protocol", "PUBLISH is malformed");
    return;
  }
  const auto& x = read.value();
  const auto payload = text_of(x.payload);
  const auto id = x.packet_identifier;
  const auto what = "PUBLISH " + std::to_string(id) + " of \"" + payload
                    + "\" at QoS " + std::to_string(static_cast<int>(x.qos));
  ++numbers.got;
  bool again = false;
  if (x.qos != qos::at_most_once) {
    if (unanswered_.contains(id))
      violated("I4", what + ": the identifier is in use in this connection for "
                       + unanswered_[id]);
    unanswered_[id] = payload;
    if (unanswered_.size() > shape_.receive_maximum)
      violated("protocol", what + ": more than Receive Maximum");
    const auto known = received_.find(id);
    again = known != received_.end();
    if (again && (x.qos == qos::at_least_once || known->second != payload))
      violated("I4",
               what + ": the identifier waits for PUBREL of " + known->second);
    else if (again && !x.dup)
      violated("I4", what + ": sent again without DUP");
    if (x.qos == qos::exactly_once && !again) {
      received_[id] = payload;
      confirmed_.erase(id);
    }
  }
  if (!again && x.topic.starts_with("will/"))
    seen_.will_came(std::stoul(payload));
  else if (!again)
    seen_.received(
      who_, x.topic, payload,
      {seen_.now, x.qos, x.dup, x.retain, seen_.members[who_].connection});
  if (x.qos == qos::at_least_once)
    answer(packet_type::puback, id);
  else if (x.qos == qos::exactly_once)
    answer(packet_type::pubrec, id);
}

/// What came before the SUBACK that would have had it kept is not there after
/// a crash: its identifier is completed without it.
bool client::may_be_given_up(std::uint16_t identifier) const {
  if (!crashed_)
    return false;
  const auto known = received_.find(identifier);
  return known == received_.end() || !seen_.is_owed(who_, known->second);
}

void client::on_ack(const protocol::frame& in) {
  const auto read = protocol::decode_ack(in, shape_.version);
  if (!read) {
    violated("protocol", "an acknowledgement is malformed");
    return;
  }
  const auto id = read.value().packet_identifier;
  const auto reason = static_cast<unsigned>(read.value().reason);
  const auto text = std::to_string(id);
  if (in.type() == packet_type::pubrel) {
    if (!confirmed_.contains(id) && !may_be_given_up(id))
      violated("I4", "PUBREL " + text + " without a PUBREC");
    received_.erase(id);
    answer(packet_type::pubcomp, id);
    return;
  }
  const auto at =
    std::find_if(outgoing_.begin(), outgoing_.end(),
                 [&](const outgoing& x) { return x.identifier == id; });
  const bool once = at != outgoing_.end() && at->how.qos == qos::exactly_once;
  if (at == outgoing_.end() || once == (in.type() == packet_type::puback)
      || (in.type() == packet_type::pubcomp && !at->released)) {
    violated("I4", "PUBACK, PUBREC or PUBCOMP " + text + " for nothing");
    return;
  }
  if (in.type() == packet_type::pubcomp) {
    outgoing_.erase(at);
    return;
  }
  if (reason >= 0x80) {
    violated("refused", "publication " + std::to_string(at->index)
                          + " with reason " + std::to_string(reason));
    return;
  }
  if (!at->released)
    seen_.accepted(at->index);
  if (in.type() == packet_type::puback) {
    outgoing_.erase(at);
  } else {
    at->released = true;
    put_ack(packet_type::pubrel, id);
  }
}

void client::on_suback(const protocol::frame& in) {
  std::array<reason_code, 4> reasons{};
  const auto read = protocol::decode_suback(in, shape_.version, reasons);
  const auto at =
    read ? asked_.find(read.value().packet_identifier) : asked_.end();
  if (at == asked_.end()) {
    violated("protocol", "SUBACK is malformed, or for nothing");
    return;
  }
  for (auto& x : seen_.members[who_].subscriptions) {
    if (std::pair{x.filter, x.asked} != at->second || x.withdrawn != not_yet)
      continue;
    if (static_cast<int>(reasons[0]) != static_cast<int>(x.qos))
      violated("refused", "SUBSCRIBE to " + x.filter);
    if (x.granted == not_yet)
      x.granted = seen_.now;
  }
  asked_.erase(at);
}

void client::on_unsuback(const protocol::frame& in) {
  std::array<reason_code, 4> reasons{};
  const auto read = protocol::decode_unsuback(in, shape_.version, reasons);
  const auto at =
    read ? withdrawn_.find(read.value().packet_identifier) : withdrawn_.end();
  if (at == withdrawn_.end()) {
    violated("protocol", "UNSUBACK is malformed, or for nothing");
    return;
  }
  for (auto& x : seen_.members[who_].subscriptions)
    if (x.filter == at->second && x.withdrawn != not_yet && x.ended == not_yet)
      x.ended = seen_.now;
  withdrawn_.erase(at);
}

} // namespace troupe::simulator
