#pragma once
// One simulated client: its connection and what its session remembers.

#include "protocol/codec.hpp"

#include <deque>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace troupe::fleet {

/// The broker did what it must not; the text says what.
struct broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Who is ready to read or write, for all links. One thread.
class poller {
public:
  poller();
  ~poller();
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  /// Serves links that are ready; waits for one at most so long.
  void serve(std::chrono::milliseconds at_most);

private:
  friend class mqtt_link;
  int epoll_ = -1;
  std::vector<std::uint8_t> buffer_;
};

/// Speaks MQTT 3.1.1 or 5.0. A session outlives its connections: `drop` and
/// `open` again send what was not acknowledged, and nothing of QoS 2 is given
/// to `on_message` twice.
class mqtt_link {
public:
  struct message {
    std::string_view topic;
    std::string_view payload;
    protocol::qos qos;
    bool dup;
  };

  mqtt_link(poller& on, std::string client_id,
            protocol::protocol_version version, bool durable);
  ~mqtt_link();
  mqtt_link(const mqtt_link&) = delete;
  mqtt_link& operator=(const mqtt_link&) = delete;

  std::function<void(const message&)> on_message;

  const std::string& client_id() const { return client_id_; }
  /// Connects to 127.0.0.1 and sends CONNECT.
  void open(std::uint16_t port);
  /// Closes the socket without DISCONNECT.
  void drop();
  bool live() const { return live_; }
  /// Lets what the broker sends wait in the socket, until `drop`.
  void stop_reading();
  bool session_present() const { return session_present_; }

  void subscribe(std::string_view filter, protocol::qos qos);
  bool subscribed() const { return subscribed_; }
  void publish(std::string_view topic, std::string_view payload,
               protocol::qos qos);
  /// Publications of QoS 1 and 2 that are not acknowledged.
  std::size_t outstanding() const { return outstanding_.size(); }
  /// Publications that went out again on a later connection.
  std::uint64_t sent_again() const { return sent_again_; }
  /// Publications that came with DUP.
  std::uint64_t came_again() const { return came_again_; }

private:
  friend class poller;
  struct publication {
    std::uint16_t packet_identifier;
    std::string topic;
    std::string payload;
    protocol::qos qos;
    bool released = false; ///< PUBREC came
  };

  void read();
  void write();
  void watch();
  void take(const protocol::frame& in);
  void take_connack(const protocol::frame& in);
  void take_publish(const protocol::frame& in);
  void take_ack(const protocol::frame& in);
  void send(const publication& x, bool dup);
  void acknowledge(protocol::packet_type type, std::uint16_t packet_identifier);
  [[noreturn]] void fail(const std::string& what) const;

  poller& poller_;
  std::string client_id_;
  protocol::protocol_version version_;
  bool durable_;
  int socket_ = -1;
  bool live_ = false;
  bool session_present_ = false;
  bool subscribed_ = false;
  bool wants_write_ = false;
  bool reads_ = true;
  std::uint64_t sent_again_ = 0;
  std::uint64_t came_again_ = 0;
  protocol::byte_buffer input_;
  protocol::byte_buffer output_;
  std::uint16_t last_identifier_ = 0;
  std::deque<publication> outstanding_; ///< in the order of publication
  std::set<std::uint16_t> received_;    ///< QoS 2, until PUBREL
};

} // namespace troupe::fleet
