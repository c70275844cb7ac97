#include "actors/supervisor.hpp"

#include "actors/node.hpp"

#include <caf/all.hpp>

namespace troupe::actors {

namespace {

void publish_text(node& of, const std::string& topic, const std::string& text) {
  protocol::message_options made;
  made.topic = topic;
  made.payload = {reinterpret_cast<const std::uint8_t*>(text.data()),
                  text.size()};
  of.publish(made);
}

void publish_figures(node& of) {
  const auto all = of.count_all();
  const auto root = "$SYS/brokers/" + of.options().name + '/';
  publish_text(of, "$SYS/brokers", of.options().name);
  publish_text(of, root + "version", TROUPE_VERSION);
  const auto stats = root + "stats/";
  const auto put = [&](const char* name, std::int64_t value) {
    publish_text(of, stats + name, std::to_string(value));
  };
  put("connections/count", all.connections);
  put("sessions/count", all.sessions);
  put("subscriptions/count", all.subscriptions);
  put("topics/count", all.filters);
  put("retained/count", all.retained);
  put("delayed/count", all.delayed);
  for (std::size_t i = 0; i < counter_descriptions.size(); ++i) {
    std::string name{counter_descriptions[i].dotted};
    std::replace(name.begin(), name.end(), '.', '/');
    publish_text(of, root + "metrics/" + name, std::to_string(all.counters[i]));
  }
}

} // namespace

caf::behavior supervisor(caf::stateful_actor<supervisor_state>* self,
                         supervisor_options options) {
  self->set_down_handler([=](const caf::down_msg& down) {
    if (!options.of->shared().stopping.load())
      options.of->shared().log(
        {log_level::error,
         "actor.down",
         "a part of the node ended: " + caf::to_string(down.source),
         {},
         {}});
  });
  for (const auto& shard : options.of->shared().shards)
    self->monitor(shard);
  const auto begin = [=](std::chrono::milliseconds messages,
                         std::chrono::milliseconds heartbeat) {
    auto& state = self->state;
    state.message_interval = messages;
    state.heartbeat_interval = heartbeat;
    const auto epoch = ++state.epoch;
    if (heartbeat.count() != 0)
      self->delayed_send(self, heartbeat, heartbeat_atom::value, epoch);
    if (messages.count() != 0)
      self->delayed_send(self, messages, figures_atom::value, epoch);
  };
  begin(options.message_interval, options.heartbeat_interval);
  return {
    [=](heartbeat_atom, std::uint64_t epoch) {
      if (epoch != self->state.epoch)
        return;
      const auto root = "$SYS/brokers/" + options.of->options().name + '/';
      publish_text(*options.of, root + "uptime",
                   std::to_string(options.of->uptime().count()));
      self->delayed_send(self, self->state.heartbeat_interval,
                         heartbeat_atom::value, epoch);
    },
    [=](figures_atom, std::uint64_t epoch) {
      if (epoch != self->state.epoch)
        return;
      publish_figures(*options.of);
      self->delayed_send(self, self->state.message_interval,
                         figures_atom::value, epoch);
    },
    [=](intervals_atom, std::int64_t messages, std::int64_t heartbeat) {
      begin(std::chrono::milliseconds{messages},
            std::chrono::milliseconds{heartbeat});
    },
  };
}

} // namespace troupe::actors
