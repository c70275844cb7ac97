#pragma once
// An MQTT 5.0 client on one end of a socket pair. It does nothing by itself:
// whoever drives the node calls `pump`.

#include "protocol/codec.hpp"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace troupe::test {

using protocol::qos;
using protocol::reason_code;

/// A PUBLISH as it arrived.
struct delivered {
  std::string topic;
  std::string payload;
  protocol::qos qos = qos::at_most_once;
  bool retain = false;
  bool dup = false;
  std::uint16_t packet_identifier = 0;
  std::vector<std::uint32_t> identifiers;
  std::uint64_t arrival = 0; ///< counts over all clients of a program
};

struct connect_shape {
  std::string id;
  bool clean_start = true;
  std::uint32_t expiry = 0; ///< seconds
  std::uint16_t keep_alive = 0;
  std::uint16_t receive_maximum = 65'535;
  std::string will_topic{}; ///< empty: no will
  std::string will_payload = "gone";
  std::uint32_t will_delay = 0;
  std::optional<std::uint32_t> maximum_packet_size{};
};

struct subscribe_shape {
  protocol::qos maximum_qos = qos::exactly_once;
  bool no_local = false;
  std::uint32_t identifier = 0;
  protocol::retain_handling handling =
    protocol::retain_handling::send_on_subscribe;
};

struct publish_shape {
  protocol::qos qos = qos::at_least_once;
  bool retain = false;
  std::optional<std::uint32_t> expiry{};
};

class client {
public:
  explicit client(int fd) : fd_(fd) {}
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  ~client() { drop(); }

  // ---- what it does --------------------------------------------------------
  void connect(const connect_shape& shape);
  void subscribe(const std::string& filter, const subscribe_shape& shape = {});
  void unsubscribe(const std::string& filter);
  /// @returns its packet identifier, 0 with QoS 0.
  std::uint16_t publish(const std::string& topic, const std::string& payload,
                        const publish_shape& shape = {});
  void ping();
  void ack(const delivered& x,
           reason_code reason = reason_code::success); ///< PUBACK or PUBREC
  void disconnect(reason_code reason = reason_code::normal_disconnection);
  void send(std::string_view bytes) { out_.append(bytes); }
  /// Closes the socket without a word.
  void drop();

  bool reads = true;    ///< takes bytes off its socket
  bool acks = true;     ///< acknowledges what it gets
  bool releases = true; ///< answers PUBREC

  // ---- what it saw ---------------------------------------------------------
  std::vector<delivered> got;
  std::size_t connacks = 0;
  reason_code connack_reason = reason_code::success;
  bool session_present = false;
  std::vector<reason_code> subacks;
  std::size_t unsubacks = 0;
  std::map<std::uint16_t, reason_code> answers; ///< PUBACK or PUBREC
  std::size_t completed = 0; ///< its own publications done, QoS 1 and 2
  std::size_t accepted = 0;  ///< PUBACK and PUBREC without an error
  std::size_t acked = 0;     ///< PUBACK and PUBCOMP sent
  std::size_t pings = 0;
  std::optional<reason_code> disconnected; ///< DISCONNECT of the server
  bool closed = false;                     ///< by the server
  std::string id;

  bool live() const noexcept { return fd_ >= 0 && !closed; }
  /// Payloads of `topic` in order; all if it is empty.
  std::vector<std::string> payloads(std::string_view topic = {}) const;

  /// Moves bytes both ways. @returns whether there were any.
  bool pump();

private:
  void take(const protocol::frame& in);
  void put(const protocol::byte_buffer& x);

  int fd_;
  std::string out_;
  std::string in_;
  std::uint16_t next_id_ = 1;
  std::map<std::uint16_t, protocol::qos> open_;
};

} // namespace troupe::test
