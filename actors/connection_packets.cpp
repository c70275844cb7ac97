// Control Packets of a client, one after the other.

#include "actors/connection.hpp"
#include "actors/session.hpp"

namespace troupe::actors {

using protocol::packet_type;
using protocol::reason_code;

std::optional<std::size_t> connection::consume(protocol::bytes_view in) {
  std::size_t used = 0;
  while (used < in.size()) {
    const auto frame =
      protocol::next_frame(in.subspan(used), limits().max_packet_size);
    if (!frame) {
      fail(frame.error(), "malformed or too large a packet");
      return std::nullopt;
    }
    if (!frame.value())
      break;
    // The first packet says at once whether this is a client of ours
    // [MQTT-3.1.0-1].
    used += frame.value()->size;
    replaying_ = std::exchange(replays_, false);
    if (!replaying_)
      count(at().numbers().packets_received);
    if (!on_packet(*frame.value()))
      return std::nullopt;
    if (held_ && phase_ == phase::live) {
      used -= frame.value()->size; // once the answer is there
      replays_ = true;
    } else if (decisions_) {
      decisions_->late.clear();
    }
    if (waits())
      break;
  }
  return used;
}

bool connection::on_packet(const protocol::frame& in) {
  switch (phase_) {
  case phase::awaiting_connect:
    if (in.type() == packet_type::connect)
      return on_connect(in);
    count(at().numbers().malformed);
    turn_away("the first packet is not a CONNECT");
    return false;
  case phase::authenticating:
    if (in.type() == packet_type::auth)
      return on_auth(in);
    if (in.type() != packet_type::disconnect)
      count(at().numbers().malformed);
    turn_away("no AUTH during authentication");
    return false;
  case phase::live:
    return on_live_packet(in);
  case phase::verifying:
  case phase::claiming:
  case phase::closed:
    break;
  }
  return false;
}

bool connection::on_live_packet(const protocol::frame& in) {
  auto& numbers = at().numbers();
  if (at().tracing() && !replaying_)
    trace_in(in);
  switch (in.type()) {
  case packet_type::publish:
    return on_publish(in);
  case packet_type::puback:
  case packet_type::pubrec:
  case packet_type::pubrel:
  case packet_type::pubcomp: {
    const auto ack = protocol::decode_ack(in, version_);
    if (!ack)
      return fail(ack.error(), "malformed acknowledgement");
    const auto answer = session_->on_ack(ack.value());
    return answer == reason_code::success
           || fail(answer, "acknowledgement out of order");
  }
  case packet_type::subscribe: {
    if (!replaying_)
      count(numbers.subscribe_received);
    const auto packet = protocol::decode_subscribe(in, version_);
    if (!packet)
      return fail(packet.error(), "malformed SUBSCRIBE");
    std::vector<bool> denied;
    if (!may_subscribe(packet.value(), denied))
      return true; // it is held
    const auto answer = session_->on_subscribe(packet.value(), denied);
    return answer == reason_code::success || fail(answer, "bad SUBSCRIBE");
  }
  case packet_type::unsubscribe: {
    count(numbers.unsubscribe_received);
    const auto packet = protocol::decode_unsubscribe(in, version_);
    if (!packet)
      return fail(packet.error(), "malformed UNSUBSCRIBE");
    const auto answer = session_->on_unsubscribe(packet.value());
    return answer == reason_code::success || fail(answer, "bad UNSUBSCRIBE");
  }
  case packet_type::pingreq: {
    count(numbers.pingreq_received);
    if (const auto ok = protocol::decode_ping(in, version_); !ok)
      return fail(ok.error(), "malformed PINGREQ");
    protocol::encode_pingresp(out().bytes());
    count(numbers.pingresp_sent);
    count(numbers.packets_sent);
    wants_flush();
    if (at().tracing())
      trace_out(packet_type::pingresp, 0, {});
    return true;
  }
  case packet_type::disconnect:
    return on_disconnect(in);
  case packet_type::auth:
    return on_auth(in);
  case packet_type::connect: // a second one [MQTT-3.1.0-2]
    return fail(reason_code::protocol_error, "a second CONNECT");
  default:
    return fail(reason_code::protocol_error, "a packet that only servers send");
  }
}

bool connection::on_publish(const protocol::frame& in) {
  if (!replaying_) {
    count(at().numbers().publish_received);
    ++received_;
  }
  auto decoded = protocol::decode_publish(in, version_);
  if (!decoded)
    return fail(decoded.error(), "malformed PUBLISH");
  auto& packet = decoded.value();
  if (packet.topic_alias != 0) {
    if (packet.topic_alias > limits().max_topic_alias)
      return fail(reason_code::topic_alias_invalid,
                  "Topic Alias above the maximum");
    if (!aliases_)
      aliases_ = std::make_unique<aliases>();
    auto& known = aliases_->inbound;
    if (!packet.topic.empty()) {
      if (known.size() < packet.topic_alias)
        known.resize(packet.topic_alias);
      auto& name = known[packet.topic_alias - 1U];
      aliases_->inbound_bytes += packet.topic.size() - name.size();
      if (aliases_->inbound_bytes > limits().max_topic_alias_bytes)
        return fail(reason_code::quota_exceeded,
                    "the topics of aliases exceed mqtt.max_topic_alias_bytes");
      name = packet.topic;
    } else if (known.size() < packet.topic_alias
               || known[packet.topic_alias - 1U].empty()) {
      return fail(reason_code::protocol_error, "unknown Topic Alias");
    } else {
      packet.topic = known[packet.topic_alias - 1U];
    }
  }
  auto allowed = verdict::yes;
  if (!may_publish(packet, allowed))
    return true; // it is held
  if (allowed == verdict::no && at().access().disconnects_denied) {
    close(reason_code::not_authorized, "a publication is not allowed");
    return false;
  }
  if (scope_.options().messages_rate.count != 0)
    charge(&pace::messages, 1);
  if (auto* looked_at = at().watched())
    looked_at->topics.add(packet.topic, packet.payload.size());
  const auto answer = session_->on_publish(packet, in, allowed == verdict::yes);
  if (at().slows_publishers() && answer == reason_code::success)
    slow_down();
  return answer == reason_code::success || fail(answer, "refused PUBLISH");
}

bool connection::on_disconnect(const protocol::frame& in) {
  count(at().numbers().disconnect_received);
  const auto packet = protocol::decode_disconnect(in, version_, true);
  if (!packet)
    return fail(packet.error(), "malformed DISCONNECT");
  if (const auto& wanted = packet.value().session_expiry_interval) {
    if (session_->expiry_interval() == 0 && *wanted != 0)
      return fail(reason_code::protocol_error,
                  "DISCONNECT makes a transient session durable");
    session_->set_expiry_interval(
      std::min(*wanted, limits().max_session_expiry_interval));
  }
  end(packet.value().reason == reason_code::normal_disconnection, false,
      "disconnected by the client");
  return false;
}

} // namespace troupe::actors
