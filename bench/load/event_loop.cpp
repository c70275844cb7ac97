#include "bench/load/event_loop.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace troupe::bench {

namespace {

constexpr std::size_t input_size = 256 * 1024;
constexpr int events_per_turn = 1024;
constexpr std::size_t reason_at = 2; ///< in the body of an acknowledgement

} // namespace

event_loop::event_loop(const address& target, protocol_version version,
                       event_handler& handler, link_layers* layers)
  : target_(target),
    version_(version),
    handler_(handler),
    layers_(layers),
    epoll_(::epoll_create1(EPOLL_CLOEXEC)),
    events_(events_per_turn),
    input_(input_size) {
  if (epoll_ < 0)
    throw run_error{std::string{"epoll: "} + std::strerror(errno)};
}

event_loop::~event_loop() { ::close(epoll_); }

void event_loop::open(client& c, const address* source) {
  c.fd = start_connect(target_, source);
  c.state = client_state::connecting;
  c.blocked = true; // until the first event says that it is writable
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &c;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) != 0)
    throw run_error{std::string{"epoll: "} + std::strerror(errno)};
}

void event_loop::close(client& c) {
  if (c.fd < 0)
    return;
  if (c.way) {
    if (!c.out.empty() && !c.blocked)
      c.way->write(c.out);
    c.way->shut_down();
  } else if (!c.out.empty() && !c.blocked) {
    const auto bytes = c.out.view();
    [[maybe_unused]] const auto sent =
      ::send(c.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  abandon(c);
}

void event_loop::abandon(client& c) {
  if (c.fd < 0)
    return;
  c.way.reset();
  ::close(c.fd);
  c.fd = -1;
  c.state = client_state::closed;
  c.out.release();
  c.rest.clear();
}

void event_loop::drop(client& c, const std::string& why) {
  if (c.fd < 0)
    return;
  c.out.release();
  // An alert for a broker that has gone, or has done wrong, helps nobody.
  abandon(c);
  handler_.closed(c, why);
}

void event_loop::turn(instant until) {
  flush();
  const auto left = queue_.empty()
                      ? std::max<nanoseconds>(until - clock::now(), {})
                      : nanoseconds{0};
  timespec wait{};
  wait.tv_sec = left / std::chrono::seconds{1};
  wait.tv_nsec = (left % std::chrono::seconds{1}).count();
  const int count =
    ::epoll_pwait2(epoll_, events_.data(), events_per_turn, &wait, nullptr);
  for (int i = 0; i < count; ++i) {
    const auto& event = events_[static_cast<std::size_t>(i)];
    auto& c = *static_cast<client*>(event.data.ptr);
    const auto what = event.events;
    if (c.state == client_state::connecting) {
      finish_connect(c);
    } else if (c.state == client_state::opening) {
      open_link(c);
    } else if ((what & EPOLLOUT) != 0 && c.blocked) {
      c.blocked = false;
      queue(c);
    }
    if ((what & ~static_cast<unsigned>(EPOLLOUT)) != 0)
      read(c, (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
  }
}

void event_loop::finish_connect(client& c) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0)
    return drop(c, std::strerror(error));
  if (layers_ == nullptr)
    return begin_mqtt(c);
  c.way = std::make_unique<link>(*layers_, c.fd, c.ticket);
  c.state = client_state::opening;
  open_link(c);
}

void event_loop::open_link(client& c) {
  const auto state = c.way->open();
  if (state == io_state::again)
    return;
  if (state != io_state::good)
    return drop(c, std::string{c.way->why()});
  if (c.way->secure()) {
    ++handshakes_;
    if (c.way->resumed())
      ++resumed_;
  }
  begin_mqtt(c);
  // What came behind the handshake is no longer in the socket.
  read_through(c, false);
}

void event_loop::begin_mqtt(client& c) {
  c.state = client_state::awaiting_connack;
  c.blocked = false;
  handler_.greet(c);
  queue(c);
}

void event_loop::flush() {
  // A handler may queue clients for the next turn meanwhile.
  std::swap(queue_, flushing_);
  for (auto* c : flushing_) {
    c->queued = false;
    if (c->fd >= 0 && !c->blocked)
      flush(*c);
  }
  flushing_.clear();
}

void event_loop::flush(client& c) {
  // The packets of all publishers are made in one buffer, which stays in the
  // cache; a client keeps only what the socket did not take.
  std::swap(c.out, scratch_);
  c.out.append(scratch_.view());
  scratch_.consume(scratch_.view().size());
  if (c.state == client_state::connected)
    handler_.fill(c);
  if (!c.out.empty() || c.way)
    write(c);
  if (c.out.empty())
    std::swap(c.out, scratch_);
}

void event_loop::write(client& c) {
  if (c.way)
    write_through(c);
  else
    write_plain(c);
}

void event_loop::write_through(client& c) {
  if (c.out.empty() && !c.way->pending())
    return;
  ++writes_;
  const auto state = c.way->write(c.out);
  if (state > io_state::again)
    drop(c, std::string{c.way->why()});
  else
    c.blocked = state == io_state::again;
}

void event_loop::write_plain(client& c) {
  const auto bytes = c.out.view();
  ++writes_;
  const auto sent = ::send(c.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EAGAIN)
      c.blocked = true;
    else
      drop(c, std::strerror(errno));
    return;
  }
  const auto count = static_cast<std::size_t>(sent);
  c.blocked = count < bytes.size();
  c.out.consume(count);
}

std::size_t event_loop::begin_input(const client& c) {
  const auto before = c.rest.size();
  if (input_.size() < before * 2)
    input_.resize(before * 4); // a control packet larger than the buffer
  std::copy(c.rest.begin(), c.rest.end(), input_.begin());
  return before;
}

void event_loop::read_through(client& c, bool hung_up) {
  while (c.way && c.way->opened()) {
    const auto before = begin_input(c);
    ++reads_;
    const auto got = c.way->read(std::span{input_}.subspan(before));
    if (got.count > 0) {
      read_at_ = clock::now();
      if (!parse(c, input_.data(), input_.data() + before + got.count))
        return;
    }
    if (got.state > io_state::again)
      return drop(c, std::string{c.way->why()});
    if (c.way->pending())
      queue(c);
    if (got.state == io_state::again && (got.count == 0 || !hung_up))
      return;
  }
}

void event_loop::read(client& c, bool hung_up) {
  if (c.way)
    return read_through(c, hung_up);
  while (c.fd >= 0) {
    const auto before = begin_input(c);
    const auto room = input_.size() - before;
    ++reads_;
    const auto got = ::recv(c.fd, input_.data() + before, room, 0);
    if (got < 0 && errno == EAGAIN)
      return;
    if (got < 0)
      return drop(c, std::strerror(errno));
    if (got == 0)
      return drop(c, "closed by the broker");
    read_at_ = clock::now();
    const auto count = static_cast<std::size_t>(got);
    if (!parse(c, input_.data(), input_.data() + before + count))
      return;
    // Less than there was room for: the socket is empty, unless it has ended.
    if (count < room && !hung_up)
      return;
  }
}

bool event_loop::parse(client& c, const std::uint8_t* at,
                       const std::uint8_t* end) {
  while (end - at >= 2) {
    const auto length = load_variable_int(at + 1, end);
    if (length.size == 0) {
      if (end - at <= 4)
        break;
      drop(c, "sent a malformed packet");
      return false;
    }
    const auto* body = at + 1 + length.size;
    if (static_cast<std::size_t>(end - body) < length.value)
      break;
    const auto first = *at;
    at = body + length.value;
    if ((first >> 4) == static_cast<int>(packet_type::publish))
      handle_publish(c, first, {body, length.value});
    else if (!handle(c, first, {body, length.value}))
      return false;
  }
  c.rest.assign(at, end);
  return true;
}

void event_loop::handle_publish(client& c, std::uint8_t first,
                                bytes_view body) {
  const auto qos = (first >> 1) & 3;
  const auto* at = body.data();
  const auto* end = at + body.size();
  const std::size_t fixed = qos > 0 ? 4 : 2;
  if (body.size() < fixed || body.size() - fixed < load_u16(at))
    return handler_.foreign(c);
  at += 2 + load_u16(at);
  if (qos > 0) {
    append_ack(c.out, qos == 1 ? first_byte::puback : first_byte::pubrec,
               load_u16(at));
    at += 2;
    queue(c);
  }
  if (version_ == protocol_version::mqtt_5_0) {
    const auto properties = load_variable_int(at, end);
    if (properties.size == 0
        || static_cast<std::size_t>(end - at)
             < properties.size + properties.value)
      return handler_.foreign(c);
    at += properties.size + properties.value;
  }
  if (static_cast<std::size_t>(end - at) < payload_min)
    return handler_.foreign(c);
  arrival message{.payload = {}, .at = read_at_};
  std::memcpy(&message.payload, at, sizeof message.payload);
  handler_.delivered(c, message);
}

void event_loop::handle_ack(client& c, packet_type type, bytes_view body) {
  if (body.size() < 2)
    return drop(c, "sent a malformed acknowledgement");
  const auto id = load_u16(body.data());
  const std::uint8_t reason = body.size() > reason_at ? body[reason_at] : 0;
  if (type == packet_type::pubrel) {
    append_ack(c.out, first_byte::pubcomp, id);
    return queue(c);
  }
  if (type == packet_type::pubrec && reason < 0x80) {
    append_ack(c.out, first_byte::pubrel, id);
    return queue(c);
  }
  if (!c.window || !c.window->close(id))
    return drop(c, "acknowledged packet id " + std::to_string(id)
                     + ", which is not in flight");
  handler_.acknowledged(c, id, reason);
}

bool event_loop::handle(client& c, std::uint8_t first, bytes_view body) {
  const auto type = static_cast<packet_type>(first >> 4);
  switch (type) {
  case packet_type::puback:
  case packet_type::pubrec:
  case packet_type::pubrel:
  case packet_type::pubcomp:
    handle_ack(c, type, body);
    break;
  case packet_type::connack:
    c.state = client_state::connected;
    handler_.connected(c, decode_connack(body, version_));
    break;
  case packet_type::suback:
    handler_.subscribed(c, suback_reasons(body, version_));
    break;
  case packet_type::pingresp:
    break;
  case packet_type::disconnect:
    drop(c, "disconnected by the broker with reason "
              + std::to_string(body.empty() ? 0 : body[0]));
    break;
  default:
    drop(c, "sent a packet of type " + std::to_string(first >> 4));
  }
  return c.fd >= 0;
}

} // namespace troupe::bench
