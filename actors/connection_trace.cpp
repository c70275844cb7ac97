// What a connection writes to traces. Nothing here runs while nothing is
// traced.

#include "actors/connection.hpp"
#include "actors/session.hpp"

#include <algorithm>

namespace troupe::actors {

using protocol::packet_type;

trace_mask connection::traces_of_this() const {
  const auto who = identity();
  return at().traces().of_client({who.client_id, who.user_name.value_or(""),
                                  peer_.size() != 0 ? &peer_ : nullptr});
}

trace_event connection::with_names(trace_event line) const {
  const auto who = identity();
  line.text("client", who.client_id).some("user", who.user_name.value_or(""));
  return line;
}

trace_event connection::trace_line(std::string_view event) const {
  auto line = with_names(at().trace_line(event));
  line.some("peer", peer()).text("listener", scope_.id());
  return line;
}

trace_event connection::trace_line(std::string_view event,
                                   const protocol::message& what) const {
  return with_names(at().trace_line(event, what));
}

void connection::trace_connect(const protocol::connect_packet& in) const {
  const auto to = traces_of_this();
  if (to == 0)
    return;
  auto line = trace_line("connect");
  line
    .text("version", version_ == protocol::protocol_version::mqtt_5_0 ? "5.0"
                     : version_ == protocol::protocol_version::mqtt_3_1_1
                       ? "3.1.1"
                       : "3.1")
    .flag("clean_start", in.clean_start)
    .number("keep_alive", in.keep_alive)
    .number("session_expiry_interval", handshake_->expiry_interval);
  if (in.will)
    line.text("will_topic", in.will->topic);
  line.some("authentication_method", in.authentication_method.value_or(""));
  write_trace(to, std::move(line));
}

void connection::trace_cause(std::string_view event,
                             std::string_view cause) const {
  const auto to = traces_of_this();
  if (to == 0)
    return;
  auto line = trace_line(event);
  line.text(event == "authenticated" ? "by" : "cause", cause);
  write_trace(to, std::move(line));
}

void connection::trace_refused(protocol::reason_code why,
                               std::string_view cause) const {
  const auto to = traces_of_this();
  if (to == 0)
    return;
  auto line = trace_line("refused");
  line.reason(why).text("cause", cause);
  write_trace(to, std::move(line));
}

void connection::trace_connected(bool session_present) const {
  const auto to = traces_of_this();
  if (to == 0)
    return;
  auto line = trace_line("connected");
  line.flag("session_present", session_present);
  write_trace(to, std::move(line));
}

void connection::trace_in(const protocol::frame& in) const {
  const auto to = traces_of_this();
  if (to == 0)
    return;
  auto line = trace_line("in");
  line.text("packet", protocol::to_string(in.type()))
    .number("bytes", static_cast<std::int64_t>(in.size));
  const bool has_identifier =
    in.type() != packet_type::publish && in.type() != packet_type::pingreq
    && in.type() != packet_type::disconnect && in.type() != packet_type::auth;
  if (has_identifier && in.body.size() >= 2)
    line.number("packet_identifier", in.body[0] << 8U | in.body[1]);
  if (in.type() == packet_type::subscribe)
    if (const auto packet = protocol::decode_subscribe(in, version_)) {
      std::string filters;
      protocol::for_each_subscription(
        packet.value(), [&](const protocol::subscription_request& one) {
          filters.append(filters.empty() ? "" : " ")
            .append(one.filter)
            .append("@")
            .append(std::to_string(static_cast<int>(one.options.maximum_qos)));
        });
      line.text("filters", filters);
    }
  write_trace(to, std::move(line));
}

void connection::trace_out(
  packet_type type, std::uint16_t packet_identifier,
  std::span<const protocol::reason_code> reasons) const {
  const auto to = traces_of_this();
  if (to == 0)
    return;
  auto line = trace_line("out");
  line.text("packet", protocol::to_string(type));
  if (packet_identifier != 0)
    line.number("packet_identifier", packet_identifier);
  if (reasons.size() == 1) {
    line.reason(reasons[0]);
  } else if (!reasons.empty()) {
    std::string all;
    for (const auto x : reasons)
      all.append(all.empty() ? "" : " ")
        .append(std::to_string(static_cast<int>(x)));
    line.text("reasons", all);
  }
  write_trace(to, std::move(line));
}

void connection::trace_sent(const protocol::message& what,
                            const protocol::delivery& how) const {
  const auto to = traces_of_this() | at().traces_of(what);
  if (to == 0)
    return;
  auto line = trace_line("sent", what);
  line.number("qos", static_cast<int>(how.qos));
  if (how.packet_identifier != 0)
    line.number("packet_identifier", how.packet_identifier);
  if (how.dup)
    line.flag("dup", true);
  if (how.retain)
    line.flag("retain", true);
  if (what.is_live())
    line.number("after_us",
                std::chrono::duration_cast<std::chrono::microseconds>(
                  at().exact_now() - what.received_exactly())
                  .count());
  if (write_blocked_)
    line.flag("socket_full", true);
  write_trace(to, std::move(line));
}

void connection::trace_decision(const auth::request& what,
                                auth::decision answer,
                                std::string_view by) const {
  const auto to = traces_of_this() | at().traces().of_topic(what.topic);
  if (to == 0)
    return;
  auto line =
    trace_line(answer == auth::decision::allow ? "authorized" : "denied");
  line
    .text("action",
          what.what == auth::action::publish ? "publish" : "subscribe")
    .text("topic", what.topic)
    .number("qos", static_cast<int>(what.qos));
  if (by.empty())
    line.flag("decided_before", true);
  else
    line.text("by", by);
  if (const auto& chain = at().access().authorization)
    line.some("rule",
              chain->rule_of(by.empty() ? "file" : by, identity(), what));
  write_trace(to, std::move(line));
}

} // namespace troupe::actors
