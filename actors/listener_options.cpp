#include "actors/listener_options.hpp"

namespace troupe::actors {

std::string listener_options::id() const {
  return std::string{kind_name()} + ':' + name;
}

mqtt_options with_limits(mqtt_options mqtt, const listener_limits& limits) {
  const auto take = [](auto& to, const auto& from) {
    if (from)
      to = *from;
  };
  take(mqtt.max_packet_size, limits.max_packet_size);
  take(mqtt.max_inflight, limits.max_inflight);
  take(mqtt.receive_maximum, limits.receive_maximum);
  take(mqtt.max_qos_allowed, limits.max_qos_allowed);
  take(mqtt.retain_available, limits.retain_available);
  take(mqtt.wildcard_subscription, limits.wildcard_subscription);
  take(mqtt.shared_subscription, limits.shared_subscription);
  take(mqtt.max_subscriptions, limits.max_subscriptions);
  return mqtt;
}

listener_scope::listener_scope(const listener_options& options,
                               const mqtt_options& node)
  : id_(options.id()),
    options_(options),
    mqtt_(with_limits(node, options.limits)),
    connections_(std::make_shared<std::atomic<std::size_t>>(0)) {}

void listener_scope::change(const listener_options& options,
                            const mqtt_options& node) {
  options_ = options;
  mqtt_ = with_limits(node, options.limits);
}

} // namespace troupe::actors
