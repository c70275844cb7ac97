#include "bench/load/publish_template.hpp"

namespace troupe::bench {

publish_template::publish_template(protocol_version version,
                                   std::string_view topic, std::uint8_t qos,
                                   std::size_t payload) {
  std::size_t length = 2 + topic.size() + payload;
  if (qos > 0)
    length += 2;
  if (version == protocol_version::mqtt_5_0)
    length += 1;
  bytes_.push_back(static_cast<std::uint8_t>(first_byte::publish | (qos << 1)));
  append_variable_int(bytes_, static_cast<std::uint32_t>(length));
  append_string(bytes_, topic);
  if (qos > 0) {
    packet_id_at_ = bytes_.size();
    bytes_.resize(bytes_.size() + 2);
  }
  if (version == protocol_version::mqtt_5_0)
    bytes_.push_back(0); // no properties
  payload_at_ = bytes_.size();
  bytes_.resize(payload_at_ + payload, 'x');
}

} // namespace troupe::bench
