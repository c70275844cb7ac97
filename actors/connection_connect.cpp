// The part of a connection before its session: CONNECT, AUTH, CONNACK.

#include "actors/connection.hpp"
#include "actors/session.hpp"
#include "auth/placeholders.hpp"
#include "protocol/hash.hpp"

#include <algorithm>
#include <random>

namespace troupe::actors {

using protocol::protocol_version;
using protocol::reason_code;

namespace {

/// A Client Identifier that no client would choose: 128 random bits.
std::string make_client_id() {
  static constexpr std::string_view digits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  thread_local std::random_device device;
  std::string made = "auto-";
  for (int i = 0; i < 22; ++i)
    made += digits[device() % digits.size()];
  return made;
}

std::uint32_t cap_message_expiry(std::optional<std::uint32_t> wanted,
                                 std::uint32_t most) {
  return std::min(wanted.value_or(most), most);
}

std::string_view wrong_with_connect(reason_code why) {
  switch (why) {
  case reason_code::unsupported_protocol_version:
    return "no version of MQTT that is known here";
  case reason_code::client_identifier_not_valid:
    return "MQTT 3.1 and a Client Identifier that is empty or, with "
           "mqtt.strict_clientid_length_3_1, longer than 23 characters; or "
           "MQTT 3.1.1 and an empty one without Clean Session";
  default:
    return "malformed CONNECT";
  }
}

} // namespace

bool connection::on_connect(const protocol::frame& in) {
  auto& numbers = at().numbers();
  count(numbers.connect_received);
  count(numbers.client_connect);
  const auto decoded =
    protocol::decode_connect(in, limits().strict_clientid_length_3_1);
  if (!decoded) {
    count(numbers.malformed);
    // The version may be unknown here; refusals that older clients understand
    // go out in their form [MQTT-3.1.2-1, MQTT-3.1.3-8].
    const auto why = decoded.error();
    const bool v5 = in.body.size() > 6 && in.body[6] == 5;
    version_ = v5 ? protocol_version::mqtt_5_0 : protocol_version::mqtt_3_1_1;
    if (v5 || why == reason_code::unsupported_protocol_version
        || why == reason_code::client_identifier_not_valid)
      refuse(why, wrong_with_connect(why));
    else
      turn_away(wrong_with_connect(why));
    return false;
  }
  const auto& packet = decoded.value();
  version_ = packet.version;
  if (!check_connect(packet))
    return false;
  take_connect(packet);
  take_will(packet);
  if (!take_names_of_certificate())
    return false;
  if (at().tracing())
    trace_connect(packet);
  if (!is_welcome())
    return false;
  if (packet.authentication_method) {
    const auto& methods = at().access().methods;
    const auto how =
      std::find_if(methods.begin(), methods.end(), [&](const auto& x) {
        return x->name() == *packet.authentication_method;
      });
    if (how == methods.end()) {
      refuse(reason_code::bad_authentication_method,
             "unknown Authentication Method");
      return false;
    }
    authentication_ = std::make_unique<authentication>();
    authentication_->method = *packet.authentication_method;
    authentication_->how = *how;
    authentication_->exchange = (*how)->begin(identity());
    phase_ = phase::authenticating;
    return authenticate(
      packet.authentication_data.value_or(protocol::bytes_view{}));
  }
  return verify(packet);
}

bool connection::check_connect(const protocol::connect_packet& in) {
  const auto& rules = limits();
  const auto no = [&](reason_code why, std::string_view cause) {
    handshake_ = std::make_unique<handshake>(); // who it was, for the log
    handshake_->client_id = in.client_id;
    if (in.user_name)
      user_name_ = std::make_unique<std::string>(*in.user_name);
    refuse(why, cause);
    return false;
  };
  constexpr auto oldest = static_cast<std::size_t>(protocol_version::mqtt_3_1);
  if (!scope_.options().versions.at(static_cast<std::size_t>(version_)
                                    - oldest))
    return no(reason_code::unsupported_protocol_version,
              "the listener's versions leave this one out");
  if (at().shared().stopping.load(std::memory_order_relaxed))
    return no(reason_code::server_unavailable, "the server is shutting down");
  if (const auto& overload = at().overload();
      overload.level == overload_level::refusing) {
    count(at().numbers().overload_refused);
    if (version_ != protocol_version::mqtt_5_0)
      return no(reason_code::server_unavailable, "the node is overloaded");
    return overload.memory_high
             ? no(reason_code::quota_exceeded, "the node is short of memory")
             : no(reason_code::server_busy, "too much waits in the node");
  }
  if (in.client_id.empty() && !rules.empty_clientid_allowed)
    return no(reason_code::client_identifier_not_valid,
              "mqtt.empty_clientid_allowed is false");
  if (in.client_id.size() > rules.max_clientid_len)
    return no(reason_code::client_identifier_not_valid,
              "the Client Identifier is longer than mqtt.max_clientid_len");
  if (in.will) {
    if (static_cast<std::uint8_t>(in.will->qos) > rules.max_qos_allowed)
      return no(reason_code::qos_not_supported,
                "Will QoS above mqtt.max_qos_allowed");
    if (in.will->retain && !rules.retain_available)
      return no(reason_code::retain_not_supported,
                "Will Retain, but mqtt.retain_available is false");
    if (protocol::level_count(in.will->topic) > rules.max_topic_levels)
      return no(reason_code::topic_name_invalid,
                "Will Topic has more levels than mqtt.max_topic_levels");
  }
  return true;
}

void connection::take_connect(const protocol::connect_packet& in) {
  const auto& rules = limits();
  handshake_ = std::make_unique<handshake>();
  auto& x = *handshake_;
  x.client_id = in.client_id;
  if (x.client_id.empty()) {
    x.client_id = make_client_id();
    x.assigned_id = true;
  }
  x.clean_start = clean_start_ = in.clean_start;
  if (version_ == protocol_version::mqtt_5_0)
    x.expiry_interval = in.session_expiry_interval.value_or(0);
  else
    x.expiry_interval = in.clean_start ? 0 : rules.session_expiry_interval;
  if (x.expiry_interval > rules.max_session_expiry_interval) {
    x.expiry_interval = rules.max_session_expiry_interval;
    x.expiry_capped = true;
  }
  x.receive_maximum = in.receive_maximum;
  x.wants_response_information = in.request_response_information;
  problem_information_ = in.request_problem_information;
  keep_alive_ =
    rules.server_keepalive != 0 ? rules.server_keepalive : in.keep_alive;
  packet_limit_ = in.maximum_packet_size ? std::size_t{*in.maximum_packet_size}
                                         : protocol::no_packet_limit;
  if (in.user_name)
    user_name_ = std::make_unique<std::string>(*in.user_name);
  if (in.topic_alias_maximum != 0) {
    aliases_ = std::make_unique<aliases>();
    aliases_->outbound_max =
      std::min(in.topic_alias_maximum, rules.max_topic_alias_out);
  }
}

bool connection::set_mount() {
  const auto& pattern = scope_.options().mountpoint;
  if (pattern.empty())
    return true;
  const auto made = auth::filled(pattern, identity());
  if (!made) {
    refuse(reason_code::client_identifier_not_valid,
           "what the client calls itself cannot stand in the listener's "
           "mountpoint");
    return false;
  }
  mount_ = std::make_unique<std::string>(*made);
  return true;
}

void connection::take_will(const protocol::connect_packet& in) {
  const auto& rules = limits();
  auto& x = *handshake_;
  if (in.will) {
    protocol::message_options made;
    made.topic = in.will->topic;
    made.payload = in.will->payload;
    made.properties = in.will->properties;
    made.qos = in.will->qos;
    made.retain = in.will->retain;
    if (in.will->message_expiry_interval
        || rules.message_expiry_interval != 0xFFFF'FFFF)
      made.message_expiry_interval = cap_message_expiry(
        in.will->message_expiry_interval, rules.message_expiry_interval);
    made.received_at = at().shared().as_stored(at().now());
    made.publisher = protocol::hash64(x.client_id);
    x.will = std::make_shared<cluster::will_record>();
    x.will->message = protocol::message::make(made);
    x.will->delay = std::chrono::seconds{in.will->delay_interval};
  }
}

void connection::mount_will() {
  if (mount().empty())
    return;
  auto& will = *handshake_->will;
  const auto topic = std::string{mount()}.append(will.message->topic());
  protocol::message_options made;
  made.topic = topic;
  made.payload = will.message->payload();
  made.properties = {will.message->properties()};
  made.qos = will.message->qos();
  made.retain = will.message->retain();
  if (will.message->has_expiry())
    made.message_expiry_interval = will.message->expiry_interval();
  made.received_at = will.message->received_at();
  made.publisher = will.message->publisher();
  will.message = protocol::message::make(made);
}

bool connection::on_auth(const protocol::frame& in) {
  count(at().numbers().auth_received);
  if (version_ != protocol_version::mqtt_5_0 || !authentication_)
    return fail(reason_code::protocol_error,
                "AUTH without an Authentication Method"); // [MQTT-4.12.0-7]
  const auto packet = protocol::decode_auth(in);
  if (!packet)
    return fail(packet.error(), "malformed AUTH");
  const auto& x = packet.value();
  if (!x.method || *x.method != authentication_->method)
    return fail(reason_code::protocol_error,
                "AUTH with another Authentication Method"); // [MQTT-4.12.1-1]
  const bool again = x.reason == reason_code::re_authenticate;
  if (phase_ == phase::live && again)
    authentication_->exchange = authentication_->how->begin(identity());
  else if (again || x.reason != reason_code::continue_authentication
           || !authentication_->exchange)
    return fail(reason_code::protocol_error, "AUTH out of order");
  return authenticate(x.data.value_or(protocol::bytes_view{}));
}

bool connection::authenticate(protocol::bytes_view data) {
  using outcome = auth::exchange::step::outcome;
  auto step = authentication_->exchange->next(data);
  auto& numbers = at().numbers();
  if (step.what == outcome::challenge) {
    send_auth(reason_code::continue_authentication, step.data);
    return true;
  }
  authentication_->exchange.reset();
  const bool again = phase_ == phase::live;
  auto who = identity();
  if (!step.who.user_name.empty())
    who.user_name = step.who.user_name;
  auto& admission = at().shared().admission;
  // Who is locked out is not told whether this one was right.
  const bool locked = admission.refused_for(who, at().now()).has_value();
  const bool other =
    again && user_name_ && who.user_name && *who.user_name != *user_name_;
  if (step.what == outcome::failure || locked || other) {
    auto reason = other ? reason_code::not_authorized : step.reason;
    if (locked)
      reason = reason_code::banned;
    count(locked ? numbers.connect_locked : numbers.authentication_failure);
    const auto newly_locked =
      !locked
          && (reason == reason_code::bad_user_name_or_password
              || reason == reason_code::not_authorized)
        ? admission.failed(who, at().now())
        : std::nullopt;
    // For the log; `who` looks at the name in `step`.
    if (!again && !step.who.user_name.empty())
      user_name_ = std::make_unique<std::string>(step.who.user_name);
    if (newly_locked)
      log_lock(*newly_locked, who);
    const std::string_view cause =
      other    ? "it proved to be another user"
      : locked ? "too many wrong passwords: try again later"
               : step.cause;
    if (again) { // [MQTT-4.12.1-2]
      log(log_level::info, "reauthentication.refused", cause);
      close(reason, "re-authentication failed");
    } else
      refuse(reason, cause, locked ? cause : "authentication failed");
    return false;
  }
  admission.succeeded(who);
  count(numbers.authentication_success);
  if (again) {
    send_auth(reason_code::success, step.data);
    return true;
  }
  handshake_->final_data = std::move(step.data);
  if (!step.who.user_name.empty())
    user_name_ = std::make_unique<std::string>(step.who.user_name);
  if (at().tracing())
    trace_cause("authenticated", authentication_->method);
  return admit(
    {step.who.superuser, step.who.version, at().access().method_accounts});
}

void connection::send_auth(reason_code reason, protocol::bytes_view data) {
  protocol::auth_packet packet;
  packet.reason = reason;
  packet.method = authentication_->method; // [MQTT-4.12.0-5]
  if (!data.empty())
    packet.data = data;
  protocol::encode_auth(out().bytes(), packet, packet_limit_);
  count(at().numbers().auth_sent);
  count(at().numbers().packets_sent);
  wants_flush();
}

void connection::claim() {
  phase_ = phase::claiming;
  cluster::claim_command command;
  command.client_id = handshake_->client_id;
  command.who = self_;
  command.clean_start = handshake_->clean_start;
  command.expiry_interval = handshake_->expiry_interval;
  command.will = handshake_->will;
  at().to_shard(at().shard_of(handshake_->client_id), std::move(command));
}

void connection::handle(client_event& what) {
  const caf::strong_actor_ptr keep{ctrl()};
  if (auto* acked = std::get_if<publish_acked>(&what)) {
    if (session_ != nullptr)
      session_->on_publish_acked(*acked);
  } else if (auto* grant =
               std::get_if<std::unique_ptr<cluster::claim_granted>>(&what)) {
    granted(**grant);
  } else if (std::holds_alternative<claim_superseded>(what)) {
    if (phase_ == phase::closed) {
      leave_home();
    } else {
      phase_ = phase::awaiting_connect; // nothing to release
      refuse(reason_code::server_busy,
             "the same Client Identifier connected again");
    }
  } else if (std::holds_alternative<claim_refused>(what)) {
    if (phase_ == phase::closed) {
      leave_home();
    } else {
      phase_ = phase::awaiting_connect; // nothing to release
      refuse(version_ == protocol_version::mqtt_5_0
               ? reason_code::quota_exceeded
               : reason_code::server_unavailable,
             "the disk is full: no new durable session can be taken");
    }
  } else if (const auto* evict = std::get_if<eviction>(&what)) {
    if (session_ == nullptr)
      return;
    count(at().numbers().session_takenover);
    if (at().tracing())
      trace_cause("session taken over", evict->discard
                                          ? "by a connection with Clean Start"
                                          : "by a connection that resumes it");
    if (version_ == protocol_version::mqtt_5_0 && fd_ >= 0) {
      protocol::disconnect_packet packet;
      packet.reason = reason_code::session_taken_over; // [MQTT-3.1.4-3]
      protocol::encode_disconnect(out().bytes(), packet, version_,
                                  packet_limit_);
      count(at().numbers().disconnect_sent);
      count(at().numbers().packets_sent);
    }
    end(false, evict->discard, "taken over by another connection");
  } else if (const auto* kicked = std::get_if<kick>(&what)) {
    if (phase_ == phase::live)
      close(kicked->reason, "by the operator", kicked->discard);
    else if (phase_ != phase::closed)
      end(false, false, "by the operator");
  } else if (session_ != nullptr) {
    if (const auto* held = std::get_if<hold_committed>(&what))
      session_->on_hold_committed(*held);
    else if (const auto* kept = std::get_if<subscription_kept>(&what))
      session_->on_subscription_kept(*kept);
    else if (const auto* inbound = std::get_if<inbound_noted>(&what))
      session_->on_inbound_noted(*inbound);
    else if (const auto* taken = std::get_if<group_taken>(&what))
      session_->on_group_taken(*taken);
    else if (std::holds_alternative<outbound_noted>(what))
      session_->on_outbound_noted();
    else if (auto* page =
               std::get_if<std::unique_ptr<cluster::fetched_page>>(&what))
      session_->on_fetched(**page);
    else if (auto* rows =
               std::get_if<std::unique_ptr<cluster::retained_page>>(&what))
      session_->on_retained(**rows);
  }
}

void connection::granted(cluster::claim_granted& x) {
  auto& numbers = at().numbers();
  const auto said = std::exchange(handshake_, nullptr);
  session::setup setup;
  setup.self = self_;
  setup.link = this;
  setup.client_id = said->client_id;
  setup.epoch = x.epoch;
  setup.incarnation = x.incarnation;
  setup.expiry_interval = said->expiry_interval;
  setup.receive_maximum = said->receive_maximum;
  setup.version = version_;
  auto made =
    spawn_pinned<session>(at().shared().system, at(), std::move(setup));
  at().set_session(self_, made.self, std::move(made.handle));
  if (x.record)
    made.self->restore(*x.record);
  count(x.session_present ? numbers.session_resumed : numbers.session_created);
  if (phase_ == phase::closed) { // the socket ended meanwhile
    made.self->on_connection_closed(false, false);
    leave_home();
    return;
  }
  session_ = made.self;
  phase_ = phase::live;
  const bool lost = x.record && drop_what_is_not_allowed() != 0;
  last_read_ = connected_at_ = at().now();
  handshake_ = std::make_unique<handshake>(std::move(*said));
  if (at().tracing())
    trace_connected(x.session_present);
  send_connack(x.session_present);
  handshake_.reset();
  count(numbers.client_connected);
  arm_timer();
  if (lost) { // it would wait for what does not come
    count(numbers.ended_subscription);
    close(reason_code::not_authorized, subscription_lost);
    return;
  }
  if (std::exchange(check_due_, false)) {
    check_again(true);
    if (fd_ < 0)
      return;
  }
  session_->resume_delivery();
  take_what_waited(); // what the client sent behind its CONNECT
}

void connection::send_connack(bool session_present) {
  const auto& rules = limits();
  const auto& said = *handshake_;
  protocol::connack_packet packet;
  packet.session_present = session_present;
  if (version_ == protocol_version::mqtt_5_0) {
    if (said.expiry_capped)
      packet.session_expiry_interval = said.expiry_interval;
    if (rules.receive_maximum != 65'535)
      packet.receive_maximum = rules.receive_maximum;
    if (rules.max_qos_allowed < 2)
      packet.maximum_qos = rules.max_qos_allowed;
    if (!rules.retain_available)
      packet.retain_available = false;
    packet.maximum_packet_size = rules.max_packet_size;
    if (said.assigned_id)
      packet.assigned_client_identifier = said.client_id;
    if (rules.max_topic_alias != 0)
      packet.topic_alias_maximum = rules.max_topic_alias;
    if (!rules.wildcard_subscription)
      packet.wildcard_subscription_available = false;
    if (!rules.shared_subscription)
      packet.shared_subscription_available = false;
    if (rules.server_keepalive != 0)
      packet.server_keep_alive = rules.server_keepalive;
    if (said.wants_response_information && !rules.response_information.empty())
      packet.response_information = rules.response_information;
    if (authentication_) {
      packet.authentication_method = authentication_->method;
      if (!said.final_data.empty())
        packet.authentication_data = said.final_data;
    }
  }
  count(at().numbers().connack_sent);
  count(at().numbers().packets_sent);
  protocol::encode_connack(out().bytes(), packet, version_, packet_limit_);
  wants_flush();
}

void connection::refuse(reason_code why, std::string_view cause) {
  refuse(why, cause, cause);
}

void connection::refuse(reason_code why, std::string_view cause,
                        std::string_view told) {
  auto& numbers = at().numbers();
  if (at().tracing())
    trace_refused(why, cause);
  protocol::connack_packet packet;
  packet.reason = why;
  if (version_ == protocol_version::mqtt_5_0)
    packet.reason_string = told;
  if (protocol::encode_connack(out().bytes(), packet, version_,
                               packet_limit_)) {
    count(numbers.connack_sent);
    count(numbers.packets_sent);
  }
  count(numbers.connack_error);
  if (why == reason_code::not_authorized
      || why == reason_code::bad_user_name_or_password
      || why == reason_code::bad_authentication_method)
    count(numbers.connack_auth_error);
  turn_away(cause);
}

void connection::turn_away(std::string_view cause) {
  log(log_level::info, "connect.refused", cause);
  end(false, false, cause);
}

} // namespace troupe::actors
