#pragma once
// What operators ask for and wait for: of reactors, shards and the disk.

#include "actors/node.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// Each call waits on the caller's thread, which is no reactor, ten seconds for
/// a shard at most. Reactors are asked for so many clients at a time that these
/// do not notice. Thread-safe; between `node::start` and `node::stop`.
class operations {
public:
  static constexpr std::chrono::seconds patience{10};

  explicit operations(node& of) : of_(of), shared_(of.shared()) {}

  // ---- clients -------------------------------------------------------------

  /// Empty texts let all through.
  struct client_filter {
    std::string like; ///< in the Client Identifier
    std::string user_name;
    std::string listener;
  };
  struct clients_found {
    std::vector<connection::info> rows; ///< the first by Client Identifier
    std::size_t all = 0;                ///< of those that pass the filter
  };
  clients_found clients(const client_filter& which, std::size_t most);

  /// Ends the connection; with `discard` its session, too.
  /// @returns false: it is not connected.
  bool disconnect(const std::string& client_id, bool discard);

  struct subscription {
    std::string client_id;
    bool connected = true;
    session::subscription_info what;
  };
  struct subscriptions_found {
    std::vector<subscription> rows; ///< by client and filter
    std::size_t all = 0;
  };
  /// Of live clients and of durable sessions without one.
  /// @param client_id  empty: of all.
  /// @param which  of the filter, `$share/…` included; may be empty.
  using subscription_filter = std::function<bool(std::string_view filter)>;
  subscriptions_found subscriptions(const std::string& client_id,
                                    const subscription_filter& which,
                                    std::size_t most);

  struct filter_count {
    std::string filter; ///< with `$share/…`
    std::uint64_t connected = 0;
    std::uint64_t offline = 0;
  };
  struct filters_found {
    std::vector<filter_count> rows; ///< by filter
    std::size_t all = 0;
  };
  filters_found filters(std::string_view like, std::size_t most);

  // ---- durable sessions without a connection -------------------------------

  struct offline_session {
    std::string client_id;
    std::uint32_t expiry_interval = 0;
    /// Until it ends; nullopt: never.
    std::optional<std::chrono::seconds> expires_in;
    std::vector<cluster::subscription_record> subscriptions;
    std::uint64_t in_flight = 0; ///< sent, not acknowledged
    std::vector<cluster::cursor> cursors;
    std::uint64_t kept = 0; ///< of its record: in flight or waiting
    bool has_will = false;
  };
  /// @throws storage::storage_error, cluster::record_error
  std::optional<offline_session> offline(const std::string& client_id);
  /// Messages that wait for it in shards. @param most  that are counted there.
  struct waiting_messages {
    std::uint64_t count = 0;
    bool more = false; ///< there are more than that
  };
  waiting_messages waiting_for(const offline_session& who, std::size_t most);
  /// Calls `use` for each of them, in no order.
  /// @throws as above
  void for_each_offline(const std::function<void(offline_session&&)>& use);

  enum class outcome : std::uint8_t {
    done, ///< and committed
    none, ///< there was no such thing
    late, ///< no answer in time: it may be done later
  };
  /// Ends a session that nobody is connected with, as Clean Start does.
  outcome end_session(const std::string& client_id);

  /// Keeps messages for a group though it has no members, or no longer. The
  /// name and the filter are valid. @returns false if a shard did not say in
  /// time that this is committed.
  bool declare_group(const cluster::filter_name& name, bool declared);

  // ---- messages ------------------------------------------------------------

  struct retained_found {
    std::vector<protocol::message_ptr> rows;
    bool more = false;
    bool late = false; ///< no answer in time
  };
  retained_found retained(const std::string& filter, std::size_t most);
  outcome remove_retained(const std::string& topic);

  struct publication {
    std::string topic; ///< a valid name
    std::string payload;
    protocol::qos qos = protocol::qos::at_most_once;
    bool retain = false;
    std::uint32_t delay_seconds = 0;
  };
  struct published {
    bool late = false;
    /// No matching subscribers is among them.
    protocol::reason_code reason = protocol::reason_code::success;
    std::size_t filters = 0; ///< of connected clients that match
    bool committed = false;
    std::size_t payload_max = 0; ///< bytes, if it was Packet too large
  };
  /// Waits until it is accepted, and on the disk if that is what a client's
  /// PUBACK would mean.
  published publish(const publication& what);

  // ---- activity ------------------------------------------------------------

  struct busy_client {
    std::string client_id;
    std::string listener;
    double messages = 0; ///< a second, both ways
    double bytes = 0;    ///< likewise
    std::uint64_t queued = 0;
    std::chrono::milliseconds blocked_for{0};
  };
  struct busy_topic {
    std::string name;
    double messages = 0; ///< a second
    double bytes = 0;    ///< of payloads, likewise
  };
  struct activity_found {
    /// Since the question before; 0: there was none for a while, rates are 0.
    std::chrono::milliseconds over{0};
    std::vector<busy_client> busiest; ///< by messages
    std::vector<busy_client> largest; ///< by bytes
    std::vector<busy_client> longest; ///< by messages that wait
    std::vector<busy_client> slowest; ///< by how long they have read nothing
    std::vector<busy_topic> topics;
    bool topics_are_lower_bounds = false; ///< there were too many names
  };
  activity_found look(std::size_t most);

private:
  /// On each reactor's thread; waits for all.
  void on_all(const std::function<void(home&)>& f) const;
  /// For each connection on its reactor, so many in one turn.
  void on_clients(const std::function<void(home&, connection&)>& f) const;
  /// Lets `begin(home&, client_ref)` ask something of shards in that name.
  /// @param go_on  on the reactor, with the answer; false: it is the last.
  /// @returns the last answer; nullopt: it did not come in time.
  std::optional<client_event>
  ask(std::size_t on, std::function<void(home&, client_ref)> begin,
      std::function<bool(home&, client_ref, client_event&)> go_on = {}) const;
  offline_session describe(const std::string& client_id,
                           const cluster::session_row& row) const;

  node& of_;
  shared_state& shared_;
};

} // namespace troupe::actors
