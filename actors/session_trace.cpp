// What a session writes to traces: the journey of messages. Nothing here runs
// while nothing is traced.

#include "actors/connection.hpp"
#include "actors/session.hpp"

namespace troupe::actors {

void session::trace_accepted(const protocol::message& what,
                             const protocol::publish_packet& in,
                             std::uint16_t shard, bool logged,
                             const match_result& to) const {
  const auto of_client = link_->traces_of_this();
  if (const auto told = of_client & at().traces().told(); told != 0)
    at().shared().tracer.watch(hash_, told);
  const auto all = of_client | at().traces_of(what);
  if (all == 0)
    return;
  auto line = link_->trace_line("received", what);
  line.number("qos", static_cast<int>(in.qos))
    .flag("retain", in.retain)
    .number("bytes", static_cast<std::int64_t>(in.payload.size()));
  if (in.qos != protocol::qos::at_most_once)
    line.number("packet_identifier", in.packet_identifier).flag("dup", in.dup);
  at().traces().for_each_form(
    all, [&](trace_mask some, trace_payload form, std::size_t limit) {
      auto one = line;
      if (form != trace_payload::none)
        one.payload(in.payload, form == trace_payload::hex, limit);
      at().write_trace(some, std::move(one));
    });
  auto way = link_->trace_line("matched", what);
  way.number("filters", static_cast<std::int64_t>(to.nodes.size()))
    .number("groups", static_cast<std::int64_t>(to.groups.size()))
    .flag("durable", to.durable);
  if (shard == shard_position::none)
    way.text("way", to.reactors == 0 && to.groups.empty()
                      ? "nobody is to have it"
                      : "straight to its receivers");
  else
    way
      .text("way", logged ? "through the log of its shard"
                          : "behind others in its shard")
      .number("shard", shard);
  at().write_trace(all, std::move(way));
}

void session::trace_refused(const protocol::publish_packet& in,
                            protocol::reason_code why) const {
  const auto all = link_->traces_of_this() | at().traces().of_topic(in.topic);
  if (all == 0)
    return;
  auto line = link_->trace_line("publication refused");
  line.text("topic", in.topic).number("qos", static_cast<int>(in.qos));
  line.reason(why);
  at().write_trace(all, std::move(line));
}

void session::trace_outbound(std::string_view event,
                             const protocol::message& what,
                             std::string_view cause,
                             shard_position position) const {
  const auto all = link_->traces_of_this() | at().traces_of(what);
  if (all == 0)
    return;
  auto line = link_->trace_line(event, what);
  line.some("cause", cause);
  if (event == "queued")
    line.number("queue", static_cast<std::int64_t>(rules_.queued()));
  if (position)
    line.number("shard", position.shard)
      .number("sequence", static_cast<std::int64_t>(position.sequence));
  at().write_trace(all, std::move(line));
}

} // namespace troupe::actors
