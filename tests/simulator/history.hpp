#pragma once
// What clients saw of a simulated node, and whether it may have been so.

#include "protocol/types.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace troupe::simulator {

using protocol::qos;
using milliseconds = std::chrono::milliseconds;

/// Moments, counted: one thread does everything, so each has its place.
using moment = std::uint64_t;
inline constexpr moment not_yet = std::numeric_limits<moment>::max();

bool matches(std::string_view filter, std::string_view topic);

struct publication {
  std::size_t index = 0; ///< also its payload
  std::size_t publisher = 0;
  std::string topic;
  protocol::qos qos = qos::at_most_once;
  bool retain = false;
  bool expires = false;      ///< has a Message Expiry Interval
  milliseconds delay{-1};    ///< of `$delayed/`; -1: none
  milliseconds at{0};        ///< sent first
  moment sent = 0;           ///< likewise
  moment last_sent = 0;      ///< again, after a reconnect
  std::size_t resent = 0;    ///< times
  moment accepted = not_yet; ///< PUBACK or PUBREC came
  std::size_t life = 0;      ///< of the node, when it was sent first
};

/// A filter that a session has, as its client sees it.
struct subscription {
  std::string filter;
  std::string share; ///< empty: not shared
  protocol::qos qos = qos::at_most_once;
  moment asked = 0;           ///< SUBSCRIBE was sent
  moment granted = not_yet;   ///< SUBACK came
  moment withdrawn = not_yet; ///< UNSUBSCRIBE was sent
  moment ended = not_yet;     ///< UNSUBACK came
};

struct arrival {
  moment at = 0;
  protocol::qos qos = qos::at_most_once;
  bool dup = false;
  bool retain = false;
  std::size_t connection = 0;
};

/// A Client Identifier: what its session is owed and got.
struct member {
  std::string name;
  bool durable = false;
  bool connected = false;
  std::size_t connection = 0; ///< counts its connections
  std::size_t life = 0;       ///< of the node, of its connection
  std::string share;          ///< of the group that it is in, if it is
  std::vector<subscription> subscriptions;
  std::map<std::size_t, std::vector<arrival>> got; ///< by publication
  /// By publisher, topic and QoS of the delivery, which have an order
  /// [MQTT-4.6.0-5]: the greatest publication that came, plus one.
  std::map<std::tuple<std::size_t, std::string, protocol::qos>, std::size_t>
    newest;
  moment session_ended = 0; ///< the last one it had
  moment reads = not_yet;   ///< asked for retained messages, in a new session
};

/// A CONNECT with a will.
struct will {
  std::size_t client = 0;
  milliseconds delay{0};
  bool certain = false; ///< CONNACK came
  bool said_goodbye = false;
  bool goodbye_is_certain = false; ///< the node had time to note it
  bool goodbye_is_unheard = false; ///< perhaps: the node ended too soon
  bool ended = false;              ///< its connection
  bool session_over = false;       ///< whatever the delay, it is due
  bool back = false;               ///< the client tries to connect again
  bool resumed_in_time = false;
  milliseconds ended_at{0};
  milliseconds noticed_at{-1}; ///< the node knew by then
  milliseconds back_at{0};
  std::size_t came = 0;
};

/// What is not allowed is noted as a violation when it can be known: as it
/// happens, or when everything has come that was to come.
class history {
public:
  // ---- when ----------------------------------------------------------------
  moment now = 0;
  milliseconds time{0};
  std::size_t life = 0;    ///< of the node
  bool node_stops = false; ///< in order: it may close connections

  // ---- what happens --------------------------------------------------------
  std::size_t add_member(std::string name, bool durable);
  publication& publish(std::size_t publisher, std::string topic);
  void resent(std::size_t index);
  void accepted(std::size_t index);
  void session_ended(std::size_t who);
  /// CONNECT leaves; with Clean Start whatever there was ends.
  void connecting(std::size_t who, bool clean_start);
  void connected(std::size_t who, bool session_present);
  /// @param session_ends  with its connection.
  void closed(std::size_t who, bool session_ends);
  subscription& subscribes(std::size_t who, std::string filter,
                           std::string share);
  void received(std::size_t who, std::string_view topic,
                std::string_view payload, const arrival& how);
  /// Whether it was published after a SUBACK that promised it.
  bool is_owed(std::size_t who, std::string_view payload) const;
  /// PUBACK or PUBREC leaves.
  void acknowledged(std::size_t who, std::string_view payload);
  /// After `connecting`. @returns its number, which is its payload.
  std::size_t set_will(std::size_t client, milliseconds delay);
  void will_came(std::size_t number);
  void node_ended();
  /// The node has nothing left to do, and knows all that clients sent.
  void node_is_idle();

  // ---- what has to have happened -------------------------------------------
  /// Everybody is connected and has acknowledged everything; nothing is on its
  /// way.
  void check_quiet();

  void violated(const char* invariant, const std::string& text);
  bool sound() const noexcept { return violations.empty(); }

  std::deque<publication> publications;
  std::vector<member> members;
  std::deque<will> wills;
  std::vector<std::string> violations; ///< "I3: ..."
  std::size_t deliveries = 0;

private:
  /// What a shared group got of a publication.
  struct group_share {
    std::vector<std::pair<std::size_t, arrival>> arrivals; ///< by member
    bool acknowledged = false;
  };

  void check_group_repeats(const publication& x, const group_share& all);
  void check_order(member& to, const publication& x, const arrival& how);
  void check_repeats(const member& to, const publication& x, const arrival& how,
                     const std::vector<arrival>& before);
  void check_fresh(const member& to, const publication& x);
  bool overwritten(const publication& x, moment before) const;
  bool due(const publication& x) const;
  void check_lost();
  void check_groups();
  void check_retained();
  void check_wills();
  std::string say(const publication& x) const;
  std::string say(const will& x) const;

  std::map<std::pair<std::string, std::size_t>, group_share> groups_;
};

} // namespace troupe::simulator
