#include "tests/protocol/describe.hpp"

#include <type_traits>

namespace troupe::test {

namespace {

using namespace protocol;

/// Collects `name=value` lines.
class field_list {
public:
  template <class T>
  field_list& add(std::string_view name, const T& value) {
    text_.append(name).append("=");
    append(value);
    text_ += '\n';
    return *this;
  }
  field_list& add_user_properties(user_properties_view in) {
    for_each_user_property(
      in, [this](std::string_view name, std::string_view value) {
        add("user", name).add("property", value);
      });
    return *this;
  }
  /// Runs are one: where they were cut does not count.
  field_list& add_runs(const std::array<bytes_view, 3>& runs) {
    text_ += "properties=[";
    for (const auto& run : runs)
      append_hex(run);
    text_ += "]\n";
    return *this;
  }
  std::string take() { return std::move(text_); }

private:
  template <class T>
  void append(const std::optional<T>& value) {
    if (value)
      append(*value);
    else
      text_ += "none";
  }
  void append(std::string_view value) {
    append(bytes_view{reinterpret_cast<const std::uint8_t*>(value.data()),
                      value.size()});
  }
  void append(bytes_view value) {
    text_ += '[';
    append_hex(value);
    text_ += ']';
  }
  template <class T>
  std::enable_if_t<std::is_enum_v<T>> append(T value) {
    text_ += std::to_string(static_cast<unsigned>(value));
  }
  template <class T>
  std::enable_if_t<std::is_integral_v<T>> append(T value) {
    text_ += std::to_string(value);
  }
  void append_hex(bytes_view in) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (const auto byte : in) {
      text_ += digits[byte >> 4];
      text_ += digits[byte & 0x0F];
    }
  }

  std::string text_;
};

} // namespace

std::string describe(const connect_packet& in) {
  field_list out;
  out.add("version", in.version)
    .add("bridge", in.bridge)
    .add("clean_start", in.clean_start)
    .add("keep_alive", in.keep_alive)
    .add("client_id", in.client_id)
    .add("user_name", in.user_name)
    .add("password", in.password)
    .add("session_expiry_interval", in.session_expiry_interval)
    .add("receive_maximum", in.receive_maximum)
    .add("maximum_packet_size", in.maximum_packet_size)
    .add("topic_alias_maximum", in.topic_alias_maximum)
    .add("request_response_information", in.request_response_information)
    .add("request_problem_information", in.request_problem_information)
    .add("authentication_method", in.authentication_method)
    .add("authentication_data", in.authentication_data)
    .add_user_properties(in.user_properties);
  if (in.will)
    out.add("will topic", in.will->topic)
      .add("payload", in.will->payload)
      .add("qos", in.will->qos)
      .add("retain", in.will->retain)
      .add("delay_interval", in.will->delay_interval)
      .add("message_expiry_interval", in.will->message_expiry_interval)
      .add_runs(in.will->properties);
  return out.take();
}

std::string describe(const connack_packet& in) {
  return field_list{}
    .add("session_present", in.session_present)
    .add("reason", in.reason)
    .add("session_expiry_interval", in.session_expiry_interval)
    .add("receive_maximum", in.receive_maximum)
    .add("maximum_qos", in.maximum_qos)
    .add("retain_available", in.retain_available)
    .add("maximum_packet_size", in.maximum_packet_size)
    .add("assigned_client_identifier", in.assigned_client_identifier)
    .add("topic_alias_maximum", in.topic_alias_maximum)
    .add("reason_string", in.reason_string)
    .add_user_properties(in.user_properties)
    .add("wildcard_subscription_available", in.wildcard_subscription_available)
    .add("subscription_identifiers_available",
         in.subscription_identifiers_available)
    .add("shared_subscription_available", in.shared_subscription_available)
    .add("server_keep_alive", in.server_keep_alive)
    .add("response_information", in.response_information)
    .add("server_reference", in.server_reference)
    .add("authentication_method", in.authentication_method)
    .add("authentication_data", in.authentication_data)
    .take();
}

std::string describe(const publish_packet& in) {
  field_list out;
  out.add("topic", in.topic)
    .add("payload", in.payload)
    .add("packet_identifier", in.packet_identifier)
    .add("qos", in.qos)
    .add("retain", in.retain)
    .add("dup", in.dup)
    .add("topic_alias", in.topic_alias)
    .add("message_expiry_interval", in.message_expiry_interval)
    .add_runs(in.properties);
  for (const auto identifier : in.subscription_identifiers)
    out.add("subscription_identifier", identifier);
  return out.take();
}

std::string describe(const ack_packet& in) {
  return field_list{}
    .add("type", in.type)
    .add("packet_identifier", in.packet_identifier)
    .add("reason", in.reason)
    .add("reason_string", in.reason_string)
    .add_user_properties(in.user_properties)
    .take();
}

std::string describe(const subscribe_packet& in) {
  field_list out;
  out.add("packet_identifier", in.packet_identifier)
    .add("subscription_identifier", in.subscription_identifier)
    .add("filter_count", in.filter_count)
    .add_user_properties(in.user_properties);
  for_each_subscription(in, [&out](const subscription_request& one) {
    out.add("filter", one.filter)
      .add("maximum_qos", one.options.maximum_qos)
      .add("no_local", one.options.no_local)
      .add("retain_as_published", one.options.retain_as_published)
      .add("handling", one.options.handling);
  });
  return out.take();
}

std::string describe(const suback_packet& in) {
  field_list out;
  out.add("packet_identifier", in.packet_identifier)
    .add("reason_string", in.reason_string)
    .add_user_properties(in.user_properties);
  for (const auto reason : in.reasons)
    out.add("reason", reason);
  return out.take();
}

std::string describe(const unsubscribe_packet& in) {
  field_list out;
  out.add("packet_identifier", in.packet_identifier)
    .add("filter_count", in.filter_count)
    .add_user_properties(in.user_properties);
  for_each_filter(
    in, [&out](std::string_view filter) { out.add("filter", filter); });
  return out.take();
}

std::string describe(const disconnect_packet& in) {
  return field_list{}
    .add("reason", in.reason)
    .add("session_expiry_interval", in.session_expiry_interval)
    .add("reason_string", in.reason_string)
    .add_user_properties(in.user_properties)
    .add("server_reference", in.server_reference)
    .take();
}

std::string describe(const auth_packet& in) {
  return field_list{}
    .add("reason", in.reason)
    .add("method", in.method)
    .add("data", in.data)
    .add("reason_string", in.reason_string)
    .add_user_properties(in.user_properties)
    .take();
}

} // namespace troupe::test
