// What a client publishes and acknowledges.

#include "actors/connection.hpp"
#include "actors/session.hpp"

#include <algorithm>

namespace troupe::actors {

using protocol::packet_type;
using protocol::protocol_version;
using protocol::qos;
using protocol::reason_code;

namespace {

/// What comes back with `publish_acked`.
struct publish_token {
  std::uint16_t packet_identifier;
  qos level;
  std::uint16_t shard; ///< at most 1,023
  bool logged;

  std::uint32_t pack() const noexcept {
    return packet_identifier | static_cast<std::uint32_t>(level) << 16
           | static_cast<std::uint32_t>(shard) << 18
           | static_cast<std::uint32_t>(logged) << 31;
  }
  static publish_token unpack(std::uint32_t x) noexcept {
    return {static_cast<std::uint16_t>(x), static_cast<qos>(x >> 16 & 3),
            static_cast<std::uint16_t>(x >> 18 & 0x1FFF), x >> 31 != 0};
  }
};

bool is_failure(reason_code x) noexcept {
  return static_cast<unsigned>(x) >= 0x80;
}

} // namespace

reason_code session::on_publish(const protocol::publish_packet& in,
                                const protocol::frame& as_read, bool allowed) {
  auto& numbers = at().numbers();
  const auto& limits = link_->limits();
  if (static_cast<unsigned>(in.qos) > limits.max_qos_allowed)
    return reason_code::qos_not_supported;
  if (in.retain && !limits.retain_available)
    return reason_code::retain_not_supported;
  count(numbers.messages_received);
  if (in.qos == qos::at_most_once) {
    count(numbers.qos0_received);
  } else {
    count(in.qos == qos::at_least_once ? numbers.qos1_received
                                       : numbers.qos2_received);
    if (in.qos == qos::exactly_once) {
      using inbound = protocol::client_session::inbound;
      const auto seen = rules_.on_publish_qos2(in.packet_identifier);
      if (seen == inbound::duplicate) { // [MQTT-4.3.3-10]
        count(numbers.qos2_duplicates);
        const auto& waiting = more().uncommitted_qos2;
        if (std::none_of(waiting.begin(), waiting.end(), [&](const auto& x) {
              return x.packet_identifier == in.packet_identifier;
            }))
          link_->send_ack(packet_type::pubrec, in.packet_identifier,
                          reason_code::success);
        return reason_code::success;
      }
      if (seen == inbound::too_many) {
        count(numbers.publish_quota);
        count(numbers.accepted_refused);
        return reason_code::receive_maximum_exceeded;
      }
    }
    const auto open = rules_.awaiting_release().size()
                      + (extras_ ? extras_->unacknowledged_qos1 : 0);
    if (open > limits.receive_maximum
        || (in.qos == qos::at_least_once && open == limits.receive_maximum)) {
      count(numbers.publish_quota);
      count(numbers.accepted_refused);
      return reason_code::receive_maximum_exceeded; // [MQTT-3.3.4-7]
    }
  }

  if (!allowed) {
    count(numbers.publish_auth_error);
    return refuse(in, reason_code::not_authorized);
  }
  auto topic = in.topic;
  std::uint32_t delay = 0;
  if (topic.starts_with('$')) {
    const auto delayed = protocol::parse_delayed_topic(topic);
    if (!delayed)
      return refuse(in, delayed.error());
    if (delayed.value()) {
      if (!limits.delayed_enable)
        return refuse(in, reason_code::topic_name_invalid);
      delay = delayed.value()->delay_seconds;
      topic = delayed.value()->topic;
    }
    if (topic.starts_with("$SYS/") || topic.starts_with("$delayed/")) {
      count(numbers.publish_auth_error);
      return refuse(in, reason_code::not_authorized);
    }
  }
  if (protocol::level_count(topic) > limits.max_topic_levels)
    return refuse(in, reason_code::topic_name_invalid);

  std::string room;
  topic = mounted(topic, room);

  protocol::message_options made;
  made.topic = topic;
  made.payload = in.payload;
  made.properties = in.properties;
  made.qos = in.qos;
  made.retain = in.retain;
  made.message_expiry_interval = in.message_expiry_interval;
  if (limits.message_expiry_interval != 0xFFFF'FFFF)
    made.message_expiry_interval =
      std::min(in.message_expiry_interval.value_or(0xFFFF'FFFF),
               limits.message_expiry_interval);
  const auto& received = at().received_now();
  made.received_at = received.at;
  made.received_part = delay == 0 ? received.part : std::uint8_t{0};
  made.publisher = hash_;

  const auto& to = at().match(topic);
  const bool retains = in.retain && limits.retainer_enable
                       && in.payload.size() <= limits.retainer_max_payload_size;
  const bool matters =
    retains || delay != 0 || (to.durable && in.qos != qos::at_most_once);
  // What may be sent again after a crash must not depend on who subscribes.
  const bool once = durable_ && in.qos == qos::exactly_once;
  const bool logged = matters || once;
  // One that is sent again may be committed already: a refusal would free its
  // Packet Identifier here and not there.
  if (logged && !(once && in.dup)
      && at().shared().disk_full.load(std::memory_order_relaxed)) {
    if (version_ == protocol_version::mqtt_5_0 || in.qos == qos::at_most_once)
      return refuse(in, reason_code::quota_exceeded);
    count(numbers.accepted_refused);
    return reason_code::quota_exceeded; // an acknowledgement would be a lie
  }
  bool through_shard = logged || to.durable_group;
  std::uint16_t shard = 0;
  if (through_shard || (extras_ && !extras_->outstanding.empty())) {
    shard = at().shard_of(topic);
    if (!through_shard) // behind what is outstanding there
      through_shard = std::any_of(
        extras_->outstanding.begin(), extras_->outstanding.end(),
        [&](const outstanding_in_shard& x) { return x.shard == shard; });
  }
  // What goes straight on does not outlive the turn, unless somebody keeps it.
  if (auto& blocks = at().reads(); !through_shard && blocks.may_lend())
    protocol::borrow(made, in, as_read, version_, blocks.current());
  auto message = protocol::message::make(made);
  if (at().tracing())
    trace_accepted(*message, in,
                   through_shard ? shard : protocol::shard_position::none,
                   logged, to);
  if (!through_shard) {
    const bool somebody = at().route(std::move(message), {}, to, this);
    if (somebody)
      at().routed_now();
    count(somebody ? numbers.accepted_routed : numbers.accepted_unrouted);
    acknowledge(in, somebody ? reason_code::success
                             : reason_code::no_matching_subscribers);
    return reason_code::success;
  }

  auto& x = more();
  auto open = std::find_if(
    x.outstanding.begin(), x.outstanding.end(),
    [&](const outstanding_in_shard& o) { return o.shard == shard; });
  if (open == x.outstanding.end())
    open = x.outstanding.insert(open, {shard, 0, 0});
  const auto bytes = message->memory();
  ++open->count;
  open->bytes += bytes;
  x.uncommitted_bytes += bytes;
  if (commit_bound::exceeded(x.uncommitted_bytes, at().overload_limits(),
                             false))
    link_->slow_down();
  if (in.qos == qos::at_least_once)
    ++x.unacknowledged_qos1;
  else if (in.qos == qos::exactly_once)
    x.uncommitted_qos2.push_back({in.packet_identifier, reason_code::success});
  if (delay != 0)
    count(numbers.messages_delayed);
  cluster::publish_command command;
  command.message = std::move(message);
  command.publisher = self_;
  command.token =
    publish_token{in.packet_identifier, in.qos, shard, logged}.pack();
  command.delay_seconds = delay;
  command.logged = logged;
  if (once)
    command.inbound = {client_id_, x.incarnation, in.packet_identifier};
  at().to_shard(shard, std::move(command));
  return reason_code::success;
}

reason_code session::refuse(const protocol::publish_packet& in,
                            reason_code reason) {
  if (at().tracing())
    trace_refused(in, reason);
  count(at().numbers().publish_error);
  count(at().numbers().accepted_refused);
  // Older versions have no way to say no: the message is acknowledged and not
  // delivered (MQTT 3.1.1 [MQTT-3.3.5-2]).
  const bool can_say =
    version_ == protocol_version::mqtt_5_0 && in.qos != qos::at_most_once;
  if (can_say && in.qos == qos::exactly_once)
    rules_.on_pubrel(in.packet_identifier); // [MQTT-4.3.3-9]
  acknowledge(in, can_say ? reason : reason_code::success);
  return reason_code::success;
}

void session::acknowledge(const protocol::publish_packet& in,
                          reason_code reason) {
  if (in.qos != qos::at_most_once)
    count(at().numbers().acked_direct);
  if (in.qos == qos::at_least_once)
    link_->send_ack(packet_type::puback, in.packet_identifier, reason);
  else if (in.qos == qos::exactly_once)
    link_->send_ack(packet_type::pubrec, in.packet_identifier, reason);
}

void session::on_publish_acked(const publish_acked& in) {
  auto& x = more();
  const auto token = publish_token::unpack(in.token);
  const auto packet_identifier = token.packet_identifier;
  const auto level = token.level;
  const auto shard = token.shard;
  if (level != qos::at_most_once)
    count(token.logged ? at().numbers().acked_committed
                       : at().numbers().acked_direct);
  const auto open = std::find_if(
    x.outstanding.begin(), x.outstanding.end(),
    [&](const outstanding_in_shard& o) { return o.shard == shard; });
  if (open != x.outstanding.end()) {
    // They differ in size, which is not worth remembering of each.
    const auto bytes = open->bytes / open->count;
    open->bytes -= bytes;
    x.uncommitted_bytes -= bytes;
    if (--open->count == 0)
      x.outstanding.erase(open);
  }
  if (level == qos::at_least_once) {
    --x.unacknowledged_qos1;
    link_->send_ack(packet_type::puback, packet_identifier, in.reason);
  } else if (level == qos::exactly_once) {
    if (durable_ && !is_failure(in.reason)) {
      for (auto& waiting : x.uncommitted_qos2)
        if (waiting.packet_identifier == packet_identifier)
          waiting.reason = in.reason;
      note_inbound(packet_identifier, shard, true);
      return;
    }
    std::erase_if(x.uncommitted_qos2, [&](const auto& waiting) {
      return waiting.packet_identifier == packet_identifier;
    });
    if (is_failure(in.reason) && version_ == protocol_version::mqtt_5_0)
      rules_.on_pubrel(packet_identifier);
    link_->send_ack(packet_type::pubrec, packet_identifier, in.reason);
  }
}

reason_code session::on_ack(const protocol::ack_packet& in) {
  using ack = protocol::client_session::ack;
  auto& numbers = at().numbers();
  const auto id = in.packet_identifier;
  const auto unknown = version_ == protocol_version::mqtt_5_0
                         ? reason_code::packet_identifier_not_found
                         : reason_code::success;
  switch (in.type) {
  case packet_type::puback: {
    count(numbers.puback_received);
    auto answer = rules_.on_puback(id);
    if (answer.what == ack::settled)
      settle(answer.settled, is_failure(in.reason));
    else
      count(numbers.puback_missed);
    break;
  }
  case packet_type::pubrec: {
    count(numbers.pubrec_received);
    auto answer = rules_.on_pubrec(id, is_failure(in.reason));
    if (answer.what == ack::settled) {
      if (durable_)
        note(id, answer.settled.position,
             cluster::outbound_state::state::finished);
      settle(answer.settled, true);
    } else if (answer.what == ack::unknown) {
      count(numbers.pubrec_missed);
      if (!is_failure(in.reason))
        link_->send_ack(packet_type::pubrel, id, unknown);
    } else if (durable_) {
      note(id, answer.settled.position,
           cluster::outbound_state::state::released);
    } else {
      link_->send_ack(packet_type::pubrel, id, reason_code::success);
    }
    break;
  }
  case packet_type::pubcomp: {
    count(numbers.pubcomp_received);
    auto answer = rules_.on_pubcomp(id);
    if (answer.what == ack::settled) {
      if (durable_)
        note(id, answer.settled.position,
             cluster::outbound_state::state::finished);
      settle(answer.settled, false);
    } else
      count(numbers.pubcomp_missed);
    break;
  }
  default: { // PUBREL
    count(numbers.pubrel_received);
    const bool known = rules_.on_pubrel(id);
    if (!known)
      count(numbers.pubrel_missed);
    if (known && durable_) { // PUBCOMP when nothing remembers it any more
      note_inbound(id, 0, false);
      return reason_code::success;
    }
    link_->send_ack(packet_type::pubcomp, id,
                    known ? reason_code::success : unknown);
    return reason_code::success;
  }
  }
  pump();
  return reason_code::success;
}

} // namespace troupe::actors
