// What a home writes to traces. Nothing here runs while nothing is traced.

#include "actors/home.hpp"
#include "protocol/hash.hpp"

namespace troupe::actors {

namespace {

/// The same wherever the message is, also after it was read of a disk: by that
/// all lines about one message are found. Two that nothing tells apart, sent
/// within a millisecond, have the same.
std::uint64_t journey_of(const protocol::message& what,
                         const cluster::time_base* times) {
  const auto received = what.received_at();
  const auto when =
    times != nullptr
      ? static_cast<std::uint64_t>(times->to_stored(received))
      : static_cast<std::uint64_t>(received.time_since_epoch().count());
  const auto bytes = what.payload();
  return protocol::hash64(
    {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
    protocol::hash64(what.topic(), what.publisher() ^ when * 31));
}

} // namespace

void home::set_traces(std::shared_ptr<const trace_set> to) {
  traces_ = std::move(to);
  tracing_ = !traces_->empty();
  note_watchful();
}

trace_mask home::traces_of(const protocol::message& what) const {
  auto all = traces_->of_message(what);
  if ((traces_->told() & ~all) != 0)
    all |= shared_.tracer.watched(what.publisher()) & traces_->told();
  return all;
}

trace_event home::trace_line(std::string_view event) const {
  return {shared_.options.world.wall_ms(), event};
}

trace_event home::trace_line(std::string_view event,
                             const protocol::message& what) const {
  auto line = trace_line(event);
  line.text("journey", hex_of(journey_of(what, shared_.times)))
    .text("topic", what.topic());
  return line;
}

void home::trace_message(std::string_view event, const protocol::message& what,
                         shard_position position, std::string_view cause) {
  const auto to = traces_of(what);
  if (to == 0)
    return;
  auto line = trace_line(event, what);
  if (position) {
    line.number("shard", position.shard);
    if (position.sequence != 0)
      line.number("sequence", static_cast<std::int64_t>(position.sequence));
  }
  line.some("cause", cause);
  write_trace(to, std::move(line));
}

} // namespace troupe::actors
