#include "tests/clients/fleet/link.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::fleet {

using protocol::packet_type;
using protocol::protocol_version;
using protocol::qos;

namespace {

protocol::bytes_view bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string_view text_of(protocol::bytes_view in) {
  return {reinterpret_cast<const char*>(in.data()), in.size()};
}

} // namespace

// ---- poller ----------------------------------------------------------------

poller::poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(65'536) {
  if (epoll_ < 0)
    throw std::runtime_error("epoll_create1 fails");
}

poller::~poller() { ::close(epoll_); }

void poller::serve(std::chrono::milliseconds at_most) {
  std::array<epoll_event, 256> events{};
  const int count =
    ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                 static_cast<int>(at_most.count()));
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    auto& who = *static_cast<mqtt_link*>(event.data.ptr);
    if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0)
      who.read();
    who.write();
  }
}

// ---- link ----------------------------------------------------------------

mqtt_link::mqtt_link(poller& on, std::string client_id,
                     protocol_version version, bool durable)
  : poller_(on),
    client_id_(std::move(client_id)),
    version_(version),
    durable_(durable) {}

mqtt_link::~mqtt_link() { drop(); }

void mqtt_link::fail(const std::string& what) const {
  throw broken(client_id_ + ": " + what);
}

void mqtt_link::open(std::uint16_t port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0)
    fail("no socket: " + std::string{std::strerror(errno)});
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address),
                sizeof address)
        != 0
      && errno != EINPROGRESS)
    fail("connect: " + std::string{std::strerror(errno)});
  protocol::connect_packet packet;
  packet.version = version_;
  packet.clean_start = !durable_;
  packet.client_id = client_id_;
  packet.keep_alive = 600;
  if (durable_ && version_ == protocol_version::mqtt_5_0)
    packet.session_expiry_interval = 600;
  protocol::encode_connect(output_, packet);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.ptr = this;
  wants_write_ = true;
  if (::epoll_ctl(poller_.epoll_, EPOLL_CTL_ADD, socket_, &event) != 0)
    fail("epoll_ctl");
}

void mqtt_link::drop() {
  if (socket_ >= 0)
    ::close(socket_);
  socket_ = -1;
  live_ = false;
  reads_ = true;
  input_.clear();
  output_.clear();
}

void mqtt_link::stop_reading() {
  reads_ = false;
  watch();
}

void mqtt_link::subscribe(std::string_view filter, qos how) {
  const protocol::subscription_request one{filter, {how}};
  protocol::subscribe_options_list packet;
  packet.packet_identifier = 65'535; // publications do not come that far
  packet.filters = {&one, 1};
  protocol::encode_subscribe(output_, packet, version_);
  write();
}

void mqtt_link::publish(std::string_view topic, std::string_view payload,
                        qos how) {
  if (how == qos::at_most_once) {
    send({0, std::string{topic}, std::string{payload}, how}, false);
  } else {
    last_identifier_ =
      static_cast<std::uint16_t>(last_identifier_ % 60'000 + 1);
    outstanding_.push_back(
      {last_identifier_, std::string{topic}, std::string{payload}, how});
    if (live_)
      send(outstanding_.back(), false);
  }
  if (live_)
    write();
}

void mqtt_link::send(const publication& x, bool dup) {
  if (x.released)
    return acknowledge(packet_type::pubrel, x.packet_identifier);
  protocol::publish_packet packet;
  packet.topic = x.topic;
  packet.payload = bytes_of(x.payload);
  packet.packet_identifier = x.packet_identifier;
  packet.qos = x.qos;
  packet.dup = dup;
  protocol::encode_publish(output_, packet, version_);
}

void mqtt_link::acknowledge(packet_type type, std::uint16_t packet_identifier) {
  protocol::encode_ack(output_, {type, packet_identifier}, version_);
}

void mqtt_link::write() {
  while (socket_ >= 0 && !output_.empty()) {
    const auto waiting = output_.view();
    const auto sent =
      ::send(socket_, waiting.data(), waiting.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      if (errno != EAGAIN)
        fail("the broker has closed: " + std::string{std::strerror(errno)});
      break;
    }
    output_.consume(static_cast<std::size_t>(sent));
  }
  if (socket_ >= 0 && output_.empty() == wants_write_)
    watch();
}

void mqtt_link::watch() {
  wants_write_ = !output_.empty();
  epoll_event event{};
  event.events = (reads_ ? EPOLLIN : 0U) | (wants_write_ ? EPOLLOUT : 0U);
  event.data.ptr = this;
  ::epoll_ctl(poller_.epoll_, EPOLL_CTL_MOD, socket_, &event);
}

void mqtt_link::read() {
  if (socket_ < 0 || !reads_)
    return;
  auto& buffer = poller_.buffer_;
  const auto size = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (size < 0 && errno == EAGAIN)
    return;
  if (size <= 0)
    fail("the broker has closed");
  input_.append(
    protocol::bytes_view{buffer.data(), static_cast<std::size_t>(size)});
  for (;;) {
    const auto next =
      protocol::next_frame(input_.view(), protocol::no_packet_limit);
    if (!next)
      fail("what came is no packet");
    if (!next.value())
      return;
    take(*next.value());
    if (socket_ < 0)
      return; // dropped by `on_message`
    input_.consume(next.value()->size);
  }
}

void mqtt_link::take(const protocol::frame& in) {
  switch (in.type()) {
  case packet_type::connack:
    return take_connack(in);
  case packet_type::publish:
    return take_publish(in);
  case packet_type::suback: {
    std::array<protocol::reason_code, 1> reasons{};
    const auto packet = protocol::decode_suback(in, version_, reasons);
    if (!packet || static_cast<unsigned>(reasons[0]) >= 0x80)
      fail("a subscription is refused");
    subscribed_ = true;
    return;
  }
  case packet_type::puback:
  case packet_type::pubrec:
  case packet_type::pubrel:
  case packet_type::pubcomp:
    return take_ack(in);
  default:
    fail("a packet of type " + std::to_string(static_cast<unsigned>(in.type()))
         + " came");
  }
}

void mqtt_link::take_connack(const protocol::frame& in) {
  const auto packet = protocol::decode_connack(in, version_);
  if (!packet || packet.value().reason != protocol::reason_code::success)
    fail("CONNECT is refused");
  live_ = true;
  session_present_ = packet.value().session_present;
  // What is not acknowledged goes out again, in order [MQTT-4.4.0-1].
  for (const auto& x : outstanding_)
    send(x, true);
  sent_again_ += outstanding_.size();
}

void mqtt_link::take_publish(const protocol::frame& in) {
  std::array<std::uint32_t, 4> identifiers{};
  const auto decoded =
    protocol::decode_publish_from_server(in, version_, identifiers);
  if (!decoded)
    fail("a PUBLISH is malformed");
  const auto& packet = decoded.value();
  came_again_ += packet.dup ? 1 : 0;
  bool fresh = true;
  if (packet.qos == qos::exactly_once)
    fresh = received_.insert(packet.packet_identifier).second;
  if (packet.qos != qos::at_most_once)
    acknowledge(packet.qos == qos::exactly_once ? packet_type::pubrec
                                                : packet_type::puback,
                packet.packet_identifier);
  if (fresh && on_message)
    on_message({packet.topic, text_of(packet.payload), packet.qos, packet.dup});
}

void mqtt_link::take_ack(const protocol::frame& in) {
  const auto packet = protocol::decode_ack(in, version_);
  if (!packet || static_cast<unsigned>(packet.value().reason) >= 0x80)
    fail("an acknowledgement is malformed or a refusal");
  const auto id = packet.value().packet_identifier;
  if (in.type() == packet_type::pubrel) {
    received_.erase(id);
    return acknowledge(packet_type::pubcomp, id);
  }
  const auto at =
    std::find_if(outstanding_.begin(), outstanding_.end(),
                 [id](const auto& x) { return x.packet_identifier == id; });
  if (at == outstanding_.end())
    fail("an acknowledgement of nothing");
  if (in.type() == packet_type::pubrec) {
    at->released = true;
    return acknowledge(packet_type::pubrel, id);
  }
  outstanding_.erase(at);
}

} // namespace troupe::fleet
