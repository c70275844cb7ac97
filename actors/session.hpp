#pragma once
// The live session of one Client Identifier.

#include "actors/home.hpp"
#include "protocol/client_session.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace troupe::actors {

class connection;

/// Runs on the reactor of its connection and lives exactly as long as that:
/// an offline durable session is a record in its shard. Carries packets and
/// deliveries to the rules of `protocol::client_session` and carries out what
/// they answer.
class session final : public pinned_actor {
public:
  struct setup {
    client_ref self;
    connection* link = nullptr;
    std::string client_id;
    std::uint64_t epoch = 0;                ///< as granted
    std::uint64_t incarnation = 0;          ///< likewise
    std::uint32_t expiry_interval = 0;      ///< seconds; 0: transient
    std::uint16_t receive_maximum = 65'535; ///< the client's
    protocol::protocol_version version = protocol::protocol_version::mqtt_5_0;
  };
  session(caf::actor_config& config, home& on, setup&& from);

  const char* name() const override { return "session"; }
  const std::string& client_id() const noexcept { return client_id_; }
  std::uint32_t expiry_interval() const noexcept { return expiry_interval_; }
  void set_expiry_interval(std::uint32_t seconds) noexcept {
    expiry_interval_ = seconds;
  }
  std::size_t subscription_count() const noexcept;
  /// Of its publications that wait in shards.
  std::size_t uncommitted_bytes() const noexcept {
    return extras_ ? extras_->uncommitted_bytes : 0;
  }
  const protocol::client_session& rules() const noexcept { return rules_; }

  /// Takes over what its listener says now about queues.
  void limits_changed();
  /// Takes the state of an earlier connection over.
  void restore(const cluster::session_record& from);
  /// After CONNACK: sends again what is in flight, asks for what was missed.
  void resume_delivery();

  // ---- from its connection -------------------------------------------------
  // Answers other than success end the connection with that Reason Code.

  /// @param as_read  where `in` lies.
  /// @param allowed  false: by the rules about who may do what.
  protocol::reason_code on_publish(const protocol::publish_packet& in,
                                   const protocol::frame& as_read,
                                   bool allowed = true);
  protocol::reason_code on_ack(const protocol::ack_packet& in);
  /// @param denied  for each filter, whether it is not allowed; or empty.
  protocol::reason_code on_subscribe(const protocol::subscribe_packet& in,
                                     const std::vector<bool>& denied = {});
  /// Takes subscriptions away that the client may not have any more.
  /// @param which  of a filter as it is here, and its QoS.
  std::size_t drop_subscriptions(
    const std::function<bool(std::string_view, protocol::qos)>& which);
  protocol::reason_code on_unsubscribe(const protocol::unsubscribe_packet& in);
  /// Room was made: sends what waits.
  void pump();
  /// The connection is gone. Gives the session up and ends the actor.
  /// @param discard_will  after DISCONNECT 0x00 [MQTT-3.14.4-3].
  /// @param discard       the session ends, whatever its expiry.
  void on_connection_closed(bool discard_will, bool discard);
  /// Gives memory back, for a quiet client.
  void shrink() noexcept { rules_.shrink(); }

  // ---- from publishers and shards ------------------------------------------

  /// Whether this session published `message`: for No Local.
  bool published(const protocol::message& message) const noexcept {
    return message.publisher() == hash_;
  }
  /// @param last  `message` if the caller needs it no more: counting owners
  ///              costs more than the rest when memory is cold. May be null.
  void deliver(const message_ptr& message, message_ptr* last,
               shard_position position, packed_options options,
               std::uint32_t identifier, shared_group* group,
               std::span<const std::uint32_t> more_identifiers = {});
  /// False if a group should give the message to somebody else.
  bool takes_from(const shared_group& group) const noexcept;
  void on_publish_acked(const publish_acked& x);
  void on_hold_committed(const hold_committed& x);
  void on_subscription_kept(const subscription_kept& x);
  void on_inbound_noted(const inbound_noted& x);
  void on_outbound_noted();
  void on_group_taken(const group_taken& x);
  void on_fetched(cluster::fetched_page& page);
  void on_retained(cluster::retained_page& page);
  /// Tells shards how far messages are done with.
  void checkpoint();

  /// Where the publisher stands in a group's round.
  struct group_cursor_entry {
    const shared_group* group = nullptr;
    std::uint32_t next = 0;
    bool started = false;
    client_ref favourite;
  };
  group_cursor_entry& group_cursor(const shared_group& group);

  /// By the list of a filter: this session's entry there has moved.
  void subscription_moved(const filter_node& node, std::uint32_t slot) noexcept;

  struct subscription_info {
    std::string share_name;
    std::string filter;
    protocol::subscription_options options;
    std::uint32_t identifier = 0;
  };
  std::vector<subscription_info> describe_subscriptions() const;

private:
  void receive(caf::type_erased_tuple&) override {}

  struct subscription {
    filter_node* node;
    std::uint32_t slot; ///< in the node's list of this reactor
    packed_options options;
    bool exclusive; ///< `$exclusive/`
  };
  struct group_subscription {
    shared_group* group;
    packed_options options;
    bool left; ///< unsubscribed; messages of it may still be in flight
    std::uint32_t identifier;
  };
  /// A SUBSCRIBE or UNSUBSCRIBE that waits for shards.
  struct pending_request {
    std::uint32_t token;
    bool subscribe;
    std::uint16_t packet_identifier;
    std::size_t waiting;
    std::vector<protocol::reason_code> reasons;
    std::vector<std::uint32_t> reads; ///< retained reads to begin with SUBACK
  };
  struct retained_reading {
    std::uint32_t token;
    std::string filter;
    packed_options options;
    std::uint32_t identifier;
    std::uint16_t shard; ///< being read now
    bool started;
    bool parked; ///< waits for the queue to drain
    std::string after;
    /// Live copies of retained messages that came meanwhile.
    std::vector<shard_position> seen;
  };
  struct outstanding_in_shard {
    std::uint16_t shard;
    std::uint32_t count;
    std::size_t bytes;
  };
  struct shard_progress {
    std::uint16_t shard;
    std::uint64_t taken;    ///< accepted up to here
    std::uint64_t reported; ///< told the shard: done up to here
    bool catching_up;       ///< live copies are skipped, pages are fetched
    bool fetching;
  };
  struct uncommitted {
    std::uint16_t packet_identifier;
    protocol::reason_code reason; ///< of the PUBREC
  };
  /// QoS 2 messages whose state is committed before it is relied on.
  struct noted_states {
    /// What leaves when the states before it are committed, in order.
    struct item {
      enum class kind : std::uint8_t { publish, pubrel, nothing } what;
      std::uint16_t packet_identifier;
      protocol::outbound qos0; ///< a PUBLISH without identifier
    };
    std::vector<item> under_way;
    std::vector<item> next;
    cluster::outbound_command states; ///< of `next`
    bool waiting = false;             ///< for `under_way`
    std::size_t unsent = 0;           ///< PUBLISH packets among the items
    bool ever = false;
  };
  /// After a crash: what was sent at QoS 2 goes first, as it was sent.
  struct recovering_states {
    std::vector<cluster::outbound_state> states;
    std::vector<protocol::client_session::in_flight> kept;
    std::vector<protocol::outbound> found;
    std::size_t pages = 0; ///< that are still to come
  };
  /// What only some sessions need.
  struct extras {
    std::vector<group_subscription> groups;
    std::vector<group_cursor_entry> group_cursors;
    std::vector<pending_request> requests;
    std::vector<retained_reading> readings;
    std::vector<outstanding_in_shard> outstanding;
    std::size_t uncommitted_bytes = 0;         ///< of all of these
    std::vector<uncommitted> uncommitted_qos2; ///< inbound, no PUBREC yet
    std::vector<shard_progress> progress;
    noted_states notes;
    std::unique_ptr<recovering_states> recovering; ///< null: not
    std::vector<shard_position> known;             ///< of states before a crash
    std::uint64_t incarnation = 0;
    std::uint32_t next_token = 1;
    bool keeps = false; ///< its shard has messages kept by its record
    std::uint32_t unacknowledged_qos1 = 0; ///< inbound, in shards
    std::uint32_t settled = 0;             ///< since the last checkpoint
    bool checkpoint_due = false;
  };
  extras& more() {
    if (!extras_)
      extras_ = std::make_unique<extras>();
    return *extras_;
  }

  // session_trace.cpp; only while something is traced
  void trace_accepted(const protocol::message& what,
                      const protocol::publish_packet& in, std::uint16_t shard,
                      bool logged, const match_result& to) const;
  void trace_refused(const protocol::publish_packet& in,
                     protocol::reason_code why) const;
  /// What becomes of a message on its way to this client.
  void trace_outbound(std::string_view event, const protocol::message& what,
                      std::string_view cause = {},
                      shard_position position = {}) const;
  // session_publish.cpp
  protocol::reason_code refuse(const protocol::publish_packet& in,
                               protocol::reason_code reason);
  void acknowledge(const protocol::publish_packet& in,
                   protocol::reason_code reason);
  /// `topic` behind the client's mountpoint; in `room` if there is one.
  std::string_view mounted(std::string_view topic, std::string& room) const;
  // session_subscribe.cpp
  protocol::reason_code subscribe_one(const protocol::subscription_request& in,
                                      std::uint32_t identifier,
                                      pending_request& request);
  void subscribe_group(const protocol::subscription_filter& parsed,
                       packed_options options, std::uint32_t identifier,
                       pending_request& request);
  void subscribe_plain(const protocol::subscription_filter& parsed,
                       const protocol::subscription_options& options,
                       std::uint32_t identifier, pending_request& request);
  protocol::reason_code unsubscribe_one(std::string_view text,
                                        pending_request& request);
  protocol::reason_code remove(const protocol::subscription_filter& what,
                               pending_request& request);
  /// Tells the session's shard, and by it the topic shards.
  void keep_subscription(const cluster::subscription_record& what,
                         bool subscribes, bool held_before,
                         pending_request& request);
  void part_of_request_done(std::uint32_t token);
  void finish(pending_request& request);
  subscription* find(const filter_node& node) noexcept;
  void add_to_index(filter_node& node, packed_options options,
                    std::uint32_t identifier, bool exclusive);
  void remove_from_index(subscription& x);
  void begin_retained(std::string_view filter, packed_options options,
                      std::uint32_t identifier, pending_request& request);
  /// The first shard from `from` on that may have retained messages for
  /// `filter`; `shard_position::none` if there is none.
  std::uint16_t next_retained_shard(std::string_view filter,
                                    std::size_t from) const;
  void read_retained(retained_reading& x);
  // session_deliver.cpp
  void send_or_queue(protocol::outbound&& x);
  void send_now(protocol::outbound&& x);
  /// Tells the home how much waits in the queue.
  void count_queue() noexcept;
  /// Remembers a delivery that is done if it took long.
  void note_if_slow(const protocol::message& what);
  bool expired_or_too_large(const protocol::outbound& x, bool& lost);
  void lose(protocol::outbound&& x, protocol::drop_reason why);
  void settle(protocol::outbound& x, bool refused);
  /// A durable group's shard need not keep `x` any more.
  void done_for_group(const protocol::outbound& x);
  void checkpoint_soon();
  void send_in_flight(const protocol::client_session::in_flight& x, bool again);
  /// Has a state of a QoS 2 message committed; `on_outbound_noted` goes on.
  void note(std::uint16_t packet_identifier, shard_position position,
            cluster::outbound_state::state now);
  /// Likewise before its first PUBLISH. What no shard keeps for this session
  /// alone is its own from here on.
  void note_sent(protocol::client_session::in_flight& x);
  void note_next();
  /// Has the shard of a group bind a QoS 2 message to this transient session;
  /// `on_group_taken` sends it.
  void bind_to_this(protocol::client_session::in_flight& x);
  /// A PUBLISH leaves behind those that wait for their states.
  void hold_back(protocol::outbound&& qos0);
  void hold_back(std::uint16_t packet_identifier);
  /// Whether the client and the states before it let one more PUBLISH begin.
  bool may_start() const noexcept;
  /// As the session's own record keeps it.
  static cluster::kept_message
  own(const protocol::client_session::in_flight& x);
  void send_notes();
  void send_items(std::vector<noted_states::item>&& items);
  /// Whether PUBLISH packets wait for their states, and others behind them.
  bool behind_notes() const noexcept {
    return extras_ && extras_->notes.unsent != 0;
  }
  /// So much may wait there; what is more waits in the bounded queue.
  static constexpr std::size_t most_unsent = 1'024;
  void note_inbound(std::uint16_t packet_identifier, std::uint16_t shard,
                    bool begins);
  void begin_recovery(const std::vector<cluster::outbound_state>& states,
                      std::vector<protocol::client_session::in_flight>&& kept);
  void end_recovery();
  /// Puts what was in flight back, in the order of Packet Identifiers.
  void
  restore_in_flight(std::vector<protocol::client_session::in_flight>&& all);
  /// The session itself keeps what it has in flight at QoS 2 of `filter`.
  void keep_in_flight_of(std::string_view filter);
  /// Whether a message read of a shard is in flight already, or was finished.
  bool delivered_before(shard_position x);
  /// Up to where nothing is wanted of a shard but what is in flight here.
  std::uint64_t taken_over(const shard_progress& x);
  /// Messages that may wait before what shards keep is not asked for.
  std::size_t queue_goal() const noexcept;
  bool room_for_page() const noexcept;
  void fetch_what_was_missed();
  shard_progress* progress_of(std::uint16_t shard) noexcept;
  shard_progress& make_progress(std::uint16_t shard);
  // session_close.cpp
  void hand_groups_over(bool ends);
  void leave_groups();
  std::shared_ptr<cluster::session_record> make_record();

  protocol::client_session rules_;
  connection* link_;
  std::string client_id_;
  std::uint64_t hash_;
  std::uint64_t epoch_;
  client_ref self_;
  std::vector<subscription> subscriptions_;
  std::unique_ptr<extras> extras_;
  std::size_t counted_queue_ = 0; ///< bytes, as the home knows them
  std::uint32_t expiry_interval_;
  protocol::protocol_version version_;
  bool durable_;
};

} // namespace troupe::actors
