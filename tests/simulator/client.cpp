#include "tests/simulator/client.hpp"

#include <algorithm>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::simulator {

using protocol::byte_buffer;
using protocol::packet_type;

namespace {

protocol::bytes_view view(std::string_view x) {
  return {reinterpret_cast<const std::uint8_t*>(x.data()), x.size()};
}

} // namespace

client::client(history& seen, trace& notes, const client_shape& shape)
  : seen_(seen),
    notes_(notes),
    shape_(shape),
    who_(seen.add_member(shape.id, shape.expiry != 0)) {
  seen.members[who_].share = shape.share;
}

void client::violated(const char* invariant, const std::string& text) {
  seen_.violated(invariant, shape_.id + ": " + text);
}

// ---- connections -----------------------------------------------------------

void client::connect(int fd, bool clean_start,
                     std::optional<std::uint32_t> will_delay) {
  if (open()) {
    ghosts_.push_back(fd_);
    numbers.lost = true;
    fd_ = -1;
    closed("taken over");
  }
  fd_ = fd;
  clean_start_ = clean_start || unsure_ || !durable();
  notes_.note(shape_.id + (clean_start_ ? " connects anew" : " connects"));
  seen_.connecting(who_, clean_start_);
  if (clean_start_) {
    forget_session();
    unsure_ = true; // until it is answered
  }
  if (clean_start_ || session_ == belief::none)
    session_ = belief::nobody_knows;
  protocol::connect_packet packet;
  packet.version = shape_.version;
  packet.client_id = shape_.id;
  packet.clean_start = clean_start_;
  if (shape_.version == protocol_version::mqtt_5_0) {
    packet.receive_maximum = shape_.receive_maximum;
    if (durable())
      packet.session_expiry_interval = shape_.expiry;
  }
  will_.reset();
  std::string topic;
  std::string payload;
  if (will_delay) {
    const bool delays =
      shape_.version == protocol_version::mqtt_5_0 && durable();
    will_ =
      seen_.set_will(who_, milliseconds{delays ? 1'000 * *will_delay : 0});
    topic = "will/" + shape_.id;
    payload = std::to_string(*will_);
    packet.will.emplace();
    packet.will->topic = topic;
    packet.will->payload = view(payload);
    packet.will->qos = qos::exactly_once;
    packet.will->delay_interval = *will_delay;
  }
  byte_buffer bytes;
  protocol::encode_connect(bytes, packet);
  put(bytes);
}

void client::disconnect(reason_code reason) {
  notes_.note(shape_.id + " says goodbye");
  byte_buffer bytes;
  if (shape_.version == protocol_version::mqtt_5_0) {
    protocol::disconnect_packet packet;
    packet.reason = reason;
    protocol::encode_disconnect(bytes, packet, shape_.version);
  } else {
    auto* packet = bytes.extend(2);
    packet[0] = 0xE0;
    packet[1] = 0;
    reason = reason_code::success;
  }
  put(bytes);
  if (reason == reason_code::success && will_)
    seen_.wills[*will_].said_goodbye = true;
  said_goodbye_ = true;
}

void client::closed(std::string_view how) {
  notes_.note(shape_.id + " closed: " + std::string{how});
  if (connected_)
    closed_at_ = seen_.time;
  // Whatever the node has by then may be what this CONNECT made, when the
  // session before had expired.
  if (!connected_ && session_ == belief::there
      && seen_.time >= closed_at_ + expiry())
    unsure_ = true;
  overtaken_ |= !connected_;
  overtaken_clean_ |= !connected_ && clean_start_;
  if (will_ && !out_.empty()) // a goodbye in there was not said
    seen_.wills[*will_].said_goodbye = false;
  connected_ = false;
  slow_ = false;
  said_goodbye_ = false;
  out_.clear();
  in_.clear();
  unanswered_.clear();
  leaving_.clear();
  withheld_.clear();
  asked_.clear();
  withdrawn_.clear();
  will_.reset();
  noticed_.reset();
  // Before MQTT 5.0 Clean Session says that the session ends with this, too.
  const bool ends =
    !durable()
    || (shape_.version != protocol_version::mqtt_5_0 && clean_start_);
  seen_.closed(who_, ends);
  if (ends) {
    session_ = belief::none;
    forget_session();
  }
}

void client::drop() {
  for (const auto fd : ghosts_)
    ::close(fd);
  ghosts_.clear();
  if (!open())
    return;
  ::close(fd_);
  fd_ = -1;
  numbers.lost = true;
  closed("cut");
}

void client::cut(std::size_t sent, bool reads) {
  if (open() && sent != 0)
    send_some(sent);
  if (open() && reads)
    read_all();
  drop();
}

void client::closed_by_node() {
  ::close(fd_);
  fd_ = -1;
  numbers.lost = true;
  if (!said_goodbye_ && !seen_.node_stops && !overtaken_)
    violated("protocol", "the node closed the connection");
  if (overtaken_clean_ && session_ == belief::there) {
    session_ = belief::nobody_knows;
    unsure_ = true;
    seen_.session_ended(who_);
  }
  closed("by the node");
}

void client::forget_session() {
  outgoing_.clear();
  received_.clear();
  confirmed_.clear();
}

void client::node_starts() {
  numbers = {};
  overtaken_ = overtaken_clean_ = false;
  crashed_ = true;
}

void client::node_is_idle() {
  overtaken_ = overtaken_clean_ = false;
  crashed_ = crashed_ && !connected_;
  if (!open() && !noticed_)
    noticed_ = seen_.time;
  if (!ghosts_.empty() && connected_)
    violated("I5", "its connection before this one is still open");
  if (open() && !connected_)
    violated("live", "CONNECT was not answered");
  if (connected_ && !slow_)
    for (const auto& x : outgoing_)
      violated("live",
               "publication " + std::to_string(x.index) + " is not answered");
  if (connected_ && (!asked_.empty() || !withdrawn_.empty()))
    violated("live", "SUBSCRIBE or UNSUBSCRIBE is not answered");
}

// ---- what it sends ---------------------------------------------------------

void client::put(const byte_buffer& x) {
  if (said_goodbye_)
    return; // nothing follows DISCONNECT
  const auto bytes = x.view();
  out_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::uint16_t client::free_identifier() {
  // The lowest, so that each is used again as soon as it may be.
  for (std::uint16_t id = 1;; ++id)
    if (std::none_of(outgoing_.begin(), outgoing_.end(),
                     [&](const auto& x) { return x.identifier == id; }))
      return id;
}

void client::publish(const std::string& topic, const publish_shape& how) {
  auto& x = seen_.publish(who_, topic);
  x.qos = how.qos;
  x.retain = how.retain;
  x.expires = how.expiry && shape_.version == protocol_version::mqtt_5_0;
  if (how.delay != 0)
    x.delay = milliseconds{1'000 * how.delay};
  outgoing made{0, x.index, how, topic};
  if (how.delay != 0)
    made.topic = "$delayed/" + std::to_string(how.delay) + '/' + topic;
  if (how.qos != qos::at_most_once) {
    made.identifier = free_identifier();
    outgoing_.push_back(made);
  }
  notes_.note(shape_.id + " publishes " + std::to_string(x.index) + " to "
              + made.topic + ", QoS "
              + std::to_string(static_cast<int>(how.qos))
              + (x.expires ? ", expires" : ""));
  put_publish(made, false);
}

void client::put_publish(const outgoing& x, bool dup) {
  const auto payload = std::to_string(x.index);
  protocol::publish_packet packet;
  packet.topic = x.topic;
  packet.payload = view(payload);
  packet.qos = x.how.qos;
  packet.retain = x.how.retain;
  packet.dup = dup;
  packet.packet_identifier = x.identifier;
  if (shape_.version == protocol_version::mqtt_5_0)
    packet.message_expiry_interval = x.how.expiry;
  byte_buffer bytes;
  protocol::encode_publish(bytes, packet, shape_.version);
  put(bytes);
  ++numbers.publishes;
}

void client::put_ack(packet_type type, std::uint16_t identifier) {
  protocol::ack_packet packet;
  packet.type = type;
  packet.packet_identifier = identifier;
  byte_buffer bytes;
  protocol::encode_ack(bytes, packet, shape_.version);
  put(bytes);
}

void client::answer(packet_type type, std::uint16_t identifier) {
  if (slow_ || said_goodbye_) {
    withheld_.push_back({type, identifier});
    return;
  }
  switch (type) {
  case packet_type::puback:
    seen_.acknowledged(who_, unanswered_[identifier]);
    leaving_.push_back(identifier);
    ++numbers.acks;
    break;
  case packet_type::pubrec:
    seen_.acknowledged(who_, received_[identifier]);
    confirmed_.insert(identifier);
    break;
  default: // PUBCOMP
    leaving_.push_back(identifier);
    ++numbers.acks;
  }
  put_ack(type, identifier);
}

void client::be_slow(bool slow) {
  if (slow_ != slow)
    notes_.note(shape_.id + (slow ? " is slow" : " acknowledges"));
  slow_ = slow;
  if (!slow_)
    for (const auto& x : std::exchange(withheld_, {}))
      answer(x.type, x.identifier);
}

void client::subscribe(const std::string& filter, protocol::qos most,
                       protocol::retain_handling handling) {
  notes_.note(shape_.id + " subscribes to " + filter);
  auto& x = seen_.subscribes(who_, filter, shape_.share);
  x.qos = most;
  if (handling == protocol::retain_handling::send_on_subscribe && !durable())
    seen_.members[who_].reads = seen_.now;
  const auto text =
    shape_.share.empty() ? filter : "$share/" + shape_.share + '/' + filter;
  const protocol::subscription_request one{text,
                                           {most, false, false, handling}};
  protocol::subscribe_options_list packet;
  packet.packet_identifier = next_request_;
  packet.filters = {&one, 1};
  asked_[next_request_++] = {filter, x.asked};
  byte_buffer bytes;
  protocol::encode_subscribe(bytes, packet, shape_.version);
  put(bytes);
}

void client::unsubscribe(const std::string& filter) {
  notes_.note(shape_.id + " unsubscribes from " + filter);
  for (auto& x : seen_.members[who_].subscriptions)
    if (x.filter == filter && x.withdrawn == not_yet)
      x.withdrawn = seen_.now;
  const auto text =
    shape_.share.empty() ? filter : "$share/" + shape_.share + '/' + filter;
  const std::string_view one = text;
  const auto identifier = next_request_++;
  withdrawn_[identifier] = filter;
  byte_buffer bytes;
  protocol::encode_unsubscribe(bytes, identifier, {&one, 1}, shape_.version);
  put(bytes);
}

// ---- bytes -----------------------------------------------------------------

bool client::send_some(std::size_t most) {
  bool moved = false;
  while (open() && !out_.empty() && most != 0) {
    const auto sent =
      ::send(fd_, out_.data(), std::min(most, out_.size()), MSG_NOSIGNAL);
    if (sent <= 0)
      break;
    most -= static_cast<std::size_t>(sent);
    out_.erase(0, static_cast<std::size_t>(sent));
    moved = true;
  }
  // Only from now on the node may use them again.
  if (out_.empty())
    for (const auto identifier : std::exchange(leaving_, {}))
      unanswered_.erase(identifier);
  return moved;
}

bool client::read_all() {
  bool moved = false;
  bool ended = false;
  std::array<char, 16'384> buffer;
  while (!ended) {
    const auto size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      break;
    moved = true;
    ended = size <= 0;
    if (size > 0)
      in_.append(buffer.data(), static_cast<std::size_t>(size));
  }
  std::size_t used = 0;
  while (open()) {
    const auto next =
      protocol::next_frame(view(in_).subspan(used), protocol::no_packet_limit);
    if (!next) {
      violated("protocol", "the node sent what is no packet");
      break;
    }
    if (!next.value())
      break;
    used += next.value()->size;
    take(*next.value());
  }
  if (open())
    in_.erase(0, used);
  if (ended && open())
    closed_by_node();
  return moved;
}

bool client::watch_ghosts() {
  return std::erase_if(
           ghosts_,
           [](int fd) {
             std::array<char, 4'096> buffer;
             ssize_t size = 0;
             while ((size = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
             } // nobody is there who would read it
             const bool ended =
               size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
             if (ended)
               ::close(fd);
             return ended;
           })
         != 0;
}

bool client::pump() {
  bool moved = watch_ghosts();
  if (open())
    moved |= send_some(out_.size());
  if (open())
    moved |= read_all();
  if (open() && said_goodbye_ && out_.empty())
    drop();
  return moved;
}

} // namespace troupe::simulator
