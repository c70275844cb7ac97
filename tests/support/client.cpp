#include "tests/support/client.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace troupe::test {

namespace {

using clock = std::chrono::steady_clock;

int milliseconds_until(clock::time_point deadline) {
  const auto left =
    std::chrono::ceil<milliseconds>(deadline - clock::now()).count();
  return static_cast<int>(std::max<decltype(left)>(left, 0));
}

bool is_one_of(unsigned code, std::initializer_list<unsigned> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

} // namespace

client::client(version v, const broker& server) : version_(v) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  ::inet_pton(AF_INET, server.host().c_str(), &address.sin_addr);
  sockaddr generic{};
  std::memcpy(&generic, &address, sizeof generic);
  if (::connect(socket_, &generic, sizeof generic) != 0) {
    ::close(socket_);
    throw unexpected{"the broker does not accept a connection"};
  }
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

client::client(client&& other) noexcept
  : connack(std::move(other.connack)),
    version_(other.version_),
    socket_(std::exchange(other.socket_, -1)),
    ended_(other.ended_),
    input_(std::move(other.input_)),
    kept_(std::move(other.kept_)),
    last_id_(other.last_id_) {}

client& client::operator=(client&& other) noexcept {
  std::swap(connack, other.connack);
  std::swap(version_, other.version_);
  std::swap(socket_, other.socket_);
  std::swap(ended_, other.ended_);
  std::swap(input_, other.input_);
  std::swap(kept_, other.kept_);
  std::swap(last_id_, other.last_id_);
  return *this;
}

client::~client() { drop(); }

void client::send(std::string_view in) {
  const auto deadline = clock::now() + patience;
  while (!in.empty()) {
    const auto sent =
      ::send(socket_, in.data(), in.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      in.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      pollfd one{socket_, POLLOUT, 0};
      if (::poll(&one, 1, milliseconds_until(deadline)) <= 0)
        throw unexpected{"the broker does not read"};
    } else if (errno != EINTR) {
      return; // closed by the server: the test sees it when it reads
    }
  }
}

bool client::fill(clock::time_point deadline) {
  while (!ended_) {
    pollfd one{socket_, POLLIN, 0};
    const auto ready = ::poll(&one, 1, milliseconds_until(deadline));
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready <= 0)
      return false;
    char block[65'536];
    const auto count = ::recv(socket_, block, sizeof block, 0);
    if (count > 0) {
      input_.append(block, static_cast<std::size_t>(count));
      return true;
    }
    ended_ = count == 0 || errno != EINTR;
  }
  return true;
}

packet client::take(clock::time_point deadline) {
  for (;;) {
    if (const auto size = packet_size(input_)) {
      auto out = parse(version_, std::string_view{input_}.substr(0, size));
      input_.erase(0, size);
      return out;
    }
    if (ended_)
      throw unexpected{input_.empty()
                         ? "the connection is closed"
                         : "the connection is closed after " + hex(input_)};
    if (!fill(deadline))
      throw unexpected{"nothing comes in time"};
  }
}

packet client::receive(milliseconds deadline) {
  if (!kept_.empty()) {
    auto out = std::move(kept_.front());
    kept_.pop_front();
    return out;
  }
  return take(clock::now() + deadline);
}

packet client::expect(packet_type type, milliseconds deadline) {
  packet out;
  try {
    out = receive(deadline);
  } catch (const unexpected& e) {
    throw unexpected{std::string{e.what()} + " instead of " + name_of(type)};
  }
  if (out.type != type)
    throw unexpected{describe(out) + " comes instead of " + name_of(type)};
  return out;
}

packet client::expect_beside_publish(packet_type type) {
  const auto deadline = clock::now() + patience;
  std::deque<packet> publications;
  packet out;
  for (;;) {
    if (!kept_.empty()) {
      out = std::move(kept_.front());
      kept_.pop_front();
    } else {
      try {
        out = take(deadline);
      } catch (const unexpected& e) {
        throw unexpected{std::string{e.what()} + " instead of "
                         + name_of(type)};
      }
    }
    if (out.type != PUBLISH)
      break;
    publications.push_back(std::move(out));
  }
  kept_.insert(kept_.begin(), publications.begin(), publications.end());
  if (out.type != type)
    throw unexpected{describe(out) + " comes instead of " + name_of(type)};
  return out;
}

void client::expect_closed(milliseconds deadline) {
  const auto until = clock::now() + deadline;
  for (;;) {
    if (!kept_.empty())
      throw unexpected{describe(kept_.front()) + " comes instead of the end"};
    if (const auto size = packet_size(input_)) {
      const auto in = parse(version_, std::string_view{input_}.substr(0, size));
      throw unexpected{describe(in) + " comes instead of the end"};
    }
    if (ended_) {
      if (!input_.empty())
        throw unexpected{"half a packet before the end: " + hex(input_)};
      return;
    }
    if (!fill(until))
      throw unexpected{"the connection is not closed in time"};
  }
}

void client::expect_disconnect(std::initializer_list<unsigned> codes,
                               milliseconds deadline) {
  if (version_ == version::mqtt5) {
    const auto in = expect(DISCONNECT, deadline);
    if (!is_one_of(in.reason, codes))
      throw unexpected{"DISCONNECT has the code " + hex(u8(in.reason))};
  }
  expect_closed(deadline);
}

void client::expect_refused(std::initializer_list<unsigned> codes) {
  if (packet_size(input_) == 0)
    fill(clock::now() + patience);
  if (!input_.empty()) {
    const auto in = expect(CONNACK);
    if (in.session_present)
      throw unexpected{"a refusal with Session Present: " + describe(in)};
    if (!is_one_of(in.reason, codes))
      throw unexpected{"CONNACK has the code " + hex(u8(in.reason))};
  }
  expect_closed();
}

void client::expect_quiet(milliseconds time) {
  if (anything_within(time)) {
    const auto in = receive();
    throw unexpected{describe(in) + " comes although nothing should"};
  }
  ping();
}

void client::ping() {
  send(pingreq());
  expect(PINGRESP);
}

bool client::anything_within(milliseconds time) {
  const auto deadline = clock::now() + time;
  while (kept_.empty() && packet_size(input_) == 0 && !ended_)
    if (!fill(deadline))
      return false;
  return true;
}

void client::connect(const connect_options& o) {
  send(test::connect(version_, o));
  connack = expect(CONNACK);
  if (connack.reason != 0)
    throw unexpected{"the connection is refused: " + describe(connack)};
}

packet client::subscribe(const std::vector<filter>& filters,
                         std::string_view properties) {
  const auto id = next_id();
  send(test::subscribe(version_, id, filters, properties));
  auto out = expect_beside_publish(SUBACK);
  if (out.id != id || out.reasons.size() != filters.size())
    throw unexpected{describe(out) + " does not fit its SUBSCRIBE"};
  return out;
}

packet client::unsubscribe(const std::vector<std::string>& filters,
                           std::string_view properties) {
  const auto id = next_id();
  send(test::unsubscribe(version_, id, filters, properties));
  auto out = expect_beside_publish(UNSUBACK);
  if (out.id != id)
    throw unexpected{describe(out) + " does not fit its UNSUBSCRIBE"};
  return out;
}

packet client::publish(publish_options o) {
  if (o.qos > 0 && o.id == 0)
    o.id = next_id();
  send(test::publish(version_, o));
  if (o.qos == 0)
    return {};
  auto out = expect_beside_publish(o.qos == 1 ? PUBACK : PUBREC);
  if (out.id != o.id)
    throw unexpected{describe(out) + " acknowledges something else"};
  if (o.qos == 2 && out.reason < 0x80) {
    send(ack(PUBREL, o.id));
    const auto last = expect_beside_publish(PUBCOMP);
    if (last.id != o.id || last.reason != 0)
      throw unexpected{describe(last) + " completes something else"};
  }
  return out;
}

packet client::receive_message(milliseconds deadline) {
  auto out = expect_publish(deadline);
  acknowledge(out);
  return out;
}

void client::acknowledge(const packet& in) {
  if (in.qos() == 1)
    send(ack(PUBACK, in.id));
  if (in.qos() != 2)
    return;
  send(ack(PUBREC, in.id));
  const auto release = expect_beside_publish(PUBREL);
  if (release.id != in.id || release.reason != 0)
    throw unexpected{describe(release) + " does not fit " + describe(in)};
  send(ack(PUBCOMP, in.id));
}

void client::disconnect() {
  send(test::disconnect());
  while (!ended_)
    if (!fill(clock::now() + patience))
      throw unexpected{"the server does not close after DISCONNECT"};
  drop();
}

void client::disconnect(unsigned reason, std::string_view properties) {
  send(test::disconnect(reason, properties));
  while (!ended_)
    if (!fill(clock::now() + patience))
      throw unexpected{"the server does not close after DISCONNECT"};
  drop();
}

void client::drop() {
  if (socket_ >= 0)
    ::close(std::exchange(socket_, -1));
  ended_ = true;
}

void client::end_of_stream() { ::shutdown(socket_, SHUT_WR); }

client connected(version v, connect_options o, const broker& server) {
  if (o.client_id.empty())
    o.client_id = unique("c");
  client out{v, server};
  out.connect(o);
  return out;
}

} // namespace troupe::test
