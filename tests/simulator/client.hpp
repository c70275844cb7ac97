#pragma once
// A model client: a session from the client's side, over many connections.

#include "protocol/codec.hpp"
#include "tests/simulator/history.hpp"
#include "tests/simulator/trace.hpp"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe::simulator {

using protocol::protocol_version;
using protocol::reason_code;

struct client_shape {
  std::string id;
  protocol_version version = protocol_version::mqtt_5_0;
  std::uint32_t expiry = 0; ///< seconds; 0: its session ends with a connection
  std::uint16_t receive_maximum = 65'535; ///< MQTT 5.0
  std::string share{};                    ///< the group it is in, if any
};

struct publish_shape {
  protocol::qos qos = qos::at_least_once;
  bool retain = false;
  std::optional<std::uint32_t> expiry{}; ///< seconds, MQTT 5.0
  std::uint32_t delay = 0;               ///< seconds of `$delayed/`; 0: none
};

/// Keeps to the standard, remembers what a session has to, and tells the
/// history what it sees. Does nothing by itself: bytes move in `pump`.
class client {
public:
  client(history& seen, trace& notes, const client_shape& shape);
  ~client() { drop(); }
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  const client_shape& shape() const noexcept { return shape_; }
  bool durable() const noexcept { return shape_.expiry != 0; }
  milliseconds expiry() const noexcept {
    return milliseconds{1'000 * std::uint64_t{shape_.expiry}};
  }
  bool open() const noexcept { return fd_ >= 0; }
  bool connected() const noexcept { return connected_; }
  /// It has said goodbye: nothing more can be sent.
  bool leaves() const noexcept { return said_goodbye_; }
  /// Publications that are not complete.
  std::size_t under_way() const noexcept { return outgoing_.size(); }

  // ---- what it does --------------------------------------------------------
  /// With an open connection: from another place, under the same name.
  void connect(int fd, bool clean_start,
               std::optional<std::uint32_t> will_delay);
  void publish(const std::string& topic, const publish_shape& how);
  void subscribe(const std::string& filter, protocol::qos most,
                 protocol::retain_handling handling);
  void unsubscribe(const std::string& filter);
  void disconnect(reason_code reason);
  /// While it is slow, it reads and does not acknowledge.
  void be_slow(bool slow);
  /// Moves bytes both ways. @returns whether there were any.
  bool pump();
  /// The connection breaks.
  /// @param sent  bytes of its output that still reach the node.
  /// @param reads  whether it reads what the node has sent.
  void cut(std::size_t sent, bool reads);
  void drop();

  // ---- what it sent and got, since the node started -------------------------
  struct counts {
    std::uint64_t publishes = 0; ///< PUBLISH packets put out
    std::uint64_t acks = 0;      ///< PUBACK and PUBCOMP put out
    std::uint64_t got = 0;       ///< PUBLISH packets read
    bool lost = false;           ///< a connection ended with some under way
  };
  counts numbers{};

  /// A life of the node begins, which knows of no connection.
  void node_starts();
  /// The node is idle, and had time to notice all that the client did.
  void node_is_idle();

private:
  struct outgoing {
    std::uint16_t identifier;
    std::size_t index;
    publish_shape how;
    std::string topic;
    bool released = false; ///< PUBREC came
  };

  void put(const protocol::byte_buffer& x);
  void put_publish(const outgoing& x, bool dup);
  void put_ack(protocol::packet_type type, std::uint16_t identifier);
  void answer(protocol::packet_type type, std::uint16_t identifier);
  bool send_some(std::size_t most);
  bool read_all();
  bool watch_ghosts();
  void take(const protocol::frame& in);
  void on_connack(const protocol::frame& in);
  void on_publish(const protocol::frame& in);
  void on_ack(const protocol::frame& in);
  bool may_be_given_up(std::uint16_t identifier) const;
  void on_suback(const protocol::frame& in);
  void on_unsuback(const protocol::frame& in);
  void closed_by_node();
  void closed(std::string_view how);
  void resume();
  void forget_session();
  std::uint16_t free_identifier();
  void violated(const char* invariant, const std::string& text);

  history& seen_;
  trace& notes_;
  client_shape shape_;
  std::size_t who_;

  // ---- of the connection ---------------------------------------------------
  int fd_ = -1;
  bool connected_ = false; ///< CONNACK came
  bool clean_start_ = false;
  bool said_goodbye_ = false;
  /// A CONNECT of an earlier connection may still be read, and take this one
  /// over; perhaps with Clean Start.
  bool overtaken_ = false;
  bool overtaken_clean_ = false;
  bool crashed_ = false; ///< the node, just now
  bool slow_ = false;
  std::string out_;
  std::string in_;
  std::vector<int> ghosts_; ///< of connections that were taken over
  std::map<std::uint16_t, std::string> unanswered_; ///< PUBLISH in this one
  std::vector<std::uint16_t> leaving_; ///< of these, answered in `out_`
  struct withheld {
    protocol::packet_type type;
    std::uint16_t identifier;
  };
  std::vector<withheld> withheld_;
  /// SUBSCRIBE by identifier: filter, and which of the subscriptions to it.
  std::map<std::uint16_t, std::pair<std::string, moment>> asked_;
  std::map<std::uint16_t, std::string> withdrawn_; ///< UNSUBSCRIBE likewise
  /// Publishing and asking never use the same identifiers.
  std::uint16_t next_request_ = 30'000;
  std::optional<std::size_t> will_;

  // ---- of the session ------------------------------------------------------
  enum class belief { none, there, nobody_knows };
  belief session_ = belief::none;
  bool unsure_ = false;       ///< of its own state: to begin with Clean Start
  milliseconds closed_at_{0}; ///< the last connection that was answered
  std::optional<milliseconds> noticed_; ///< the node knew that it was gone
  std::vector<outgoing> outgoing_;
  std::map<std::uint16_t, std::string> received_; ///< QoS 2, until PUBREL
  std::set<std::uint16_t> confirmed_;             ///< PUBREC was sent
};

} // namespace troupe::simulator
