#include "tests/actors/client.hpp"

#include <array>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::test {

using protocol::byte_buffer;
using protocol::packet_type;

namespace {
std::uint64_t arrivals = 0;
constexpr auto v5 = protocol::protocol_version::mqtt_5_0;

protocol::bytes_view view(std::string_view x) {
  return {reinterpret_cast<const std::uint8_t*>(x.data()), x.size()};
}

template <class T>
T need(protocol::result<T>&& x) {
  if (!x)
    throw std::runtime_error("the server sent a malformed packet");
  return std::move(x).value();
}
} // namespace

void client::put(const byte_buffer& x) {
  const auto bytes = x.view();
  out_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void client::connect(const connect_shape& shape) {
  id = shape.id;
  protocol::connect_packet packet;
  packet.client_id = shape.id;
  packet.clean_start = shape.clean_start;
  packet.keep_alive = shape.keep_alive;
  packet.receive_maximum = shape.receive_maximum;
  packet.maximum_packet_size = shape.maximum_packet_size;
  if (shape.expiry != 0)
    packet.session_expiry_interval = shape.expiry;
  if (!shape.will_topic.empty()) {
    packet.will.emplace();
    packet.will->topic = shape.will_topic;
    packet.will->payload = view(shape.will_payload);
    packet.will->delay_interval = shape.will_delay;
  }
  byte_buffer bytes;
  protocol::encode_connect(bytes, packet);
  put(bytes);
}

void client::subscribe(const std::string& filter,
                       const subscribe_shape& shape) {
  const protocol::subscription_request one{
    filter, {shape.maximum_qos, shape.no_local, false, shape.handling}};
  protocol::subscribe_options_list packet;
  packet.packet_identifier = 60'000;
  packet.subscription_identifier = shape.identifier;
  packet.filters = {&one, 1};
  byte_buffer bytes;
  protocol::encode_subscribe(bytes, packet, v5);
  put(bytes);
}

void client::unsubscribe(const std::string& filter) {
  const std::string_view one = filter;
  byte_buffer bytes;
  protocol::encode_unsubscribe(bytes, 60'001, {&one, 1}, v5);
  put(bytes);
}

std::uint16_t client::publish(const std::string& topic,
                              const std::string& payload,
                              const publish_shape& shape) {
  protocol::publish_packet packet;
  packet.topic = topic;
  packet.payload = view(payload);
  packet.qos = shape.qos;
  packet.retain = shape.retain;
  packet.message_expiry_interval = shape.expiry;
  if (shape.qos != qos::at_most_once) {
    while (open_.contains(next_id_))
      next_id_ = next_id_ == 50'000 ? std::uint16_t{1}
                                    : static_cast<std::uint16_t>(next_id_ + 1);
    packet.packet_identifier = next_id_;
    open_[next_id_] = shape.qos;
    answers.erase(next_id_);
    next_id_ = next_id_ == 50'000 ? std::uint16_t{1}
                                  : static_cast<std::uint16_t>(next_id_ + 1);
  }
  byte_buffer bytes;
  protocol::encode_publish(bytes, packet, v5);
  put(bytes);
  return packet.packet_identifier;
}

void client::ping() {
  byte_buffer bytes;
  protocol::encode_pingreq(bytes);
  put(bytes);
}

void client::ack(const delivered& x, reason_code reason) {
  protocol::ack_packet packet;
  packet.type =
    x.qos == qos::at_least_once ? packet_type::puback : packet_type::pubrec;
  packet.packet_identifier = x.packet_identifier;
  packet.reason = reason;
  acked += x.qos == qos::at_least_once ? 1 : 0;
  byte_buffer bytes;
  protocol::encode_ack(bytes, packet, v5);
  put(bytes);
}

void client::disconnect(reason_code reason) {
  protocol::disconnect_packet packet;
  packet.reason = reason;
  byte_buffer bytes;
  protocol::encode_disconnect(bytes, packet, v5);
  put(bytes);
}

void client::drop() {
  if (fd_ >= 0)
    ::close(fd_);
  fd_ = -1;
}

std::vector<std::string> client::payloads(std::string_view topic) const {
  std::vector<std::string> all;
  for (const auto& x : got)
    if (topic.empty() || x.topic == topic)
      all.push_back(x.payload);
  return all;
}

bool client::pump() {
  bool moved = false;
  while (fd_ >= 0 && !out_.empty()) {
    const auto sent = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent <= 0)
      break;
    out_.erase(0, static_cast<std::size_t>(sent));
    moved = true;
  }
  std::array<char, 65'536> buffer;
  while (fd_ >= 0 && reads && !closed) {
    const auto size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (size < 0)
      break;
    moved = true;
    if (size == 0) {
      closed = true;
      break;
    }
    in_.append(buffer.data(), static_cast<std::size_t>(size));
  }
  std::size_t used = 0;
  while (const auto frame = need(protocol::next_frame(
           view(in_).subspan(used), protocol::no_packet_limit))) {
    used += frame->size;
    take(*frame);
  }
  in_.erase(0, used);
  return moved;
}

void client::take(const protocol::frame& in) {
  std::array<std::uint32_t, 32> identifiers{};
  std::array<reason_code, 32> reasons{};
  protocol::ack_packet answer;
  byte_buffer bytes;
  switch (in.type()) {
  case packet_type::connack: {
    const auto x = need(protocol::decode_connack(in, v5));
    ++connacks;
    connack_reason = x.reason;
    session_present = x.session_present;
    break;
  }
  case packet_type::publish: {
    const auto x =
      need(protocol::decode_publish_from_server(in, v5, identifiers));
    got.push_back(
      {std::string{x.topic},
       {reinterpret_cast<const char*>(x.payload.data()), x.payload.size()},
       x.qos,
       x.retain,
       x.dup,
       x.packet_identifier,
       {x.subscription_identifiers.begin(), x.subscription_identifiers.end()},
       ++arrivals});
    if (acks && x.qos != qos::at_most_once)
      ack(got.back());
    break;
  }
  case packet_type::puback:
  case packet_type::pubrec: {
    const auto x = need(protocol::decode_ack(in, v5));
    answers[x.packet_identifier] = x.reason;
    const bool failed = static_cast<unsigned>(x.reason) >= 0x80;
    accepted += failed ? 0 : 1;
    if (x.type == packet_type::puback || failed) {
      open_.erase(x.packet_identifier);
      ++completed;
      break;
    }
    if (!releases)
      break;
    answer.type = packet_type::pubrel;
    answer.packet_identifier = x.packet_identifier;
    protocol::encode_ack(bytes, answer, v5);
    break;
  }
  case packet_type::pubrel:
    answer.type = packet_type::pubcomp;
    answer.packet_identifier =
      need(protocol::decode_ack(in, v5)).packet_identifier;
    ++acked;
    protocol::encode_ack(bytes, answer, v5);
    break;
  case packet_type::pubcomp:
    open_.erase(need(protocol::decode_ack(in, v5)).packet_identifier);
    ++completed;
    break;
  case packet_type::suback: {
    const auto x = need(protocol::decode_suback(in, v5, reasons));
    subacks.insert(subacks.end(), x.reasons.begin(), x.reasons.end());
    break;
  }
  case packet_type::unsuback:
    ++unsubacks;
    break;
  case packet_type::pingresp:
    ++pings;
    break;
  case packet_type::disconnect:
    disconnected = need(protocol::decode_disconnect(in, v5, false)).reason;
    break;
  default:
    throw std::runtime_error("the server sent what only clients send");
  }
  put(bytes);
}

} // namespace troupe::test
