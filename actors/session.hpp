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
    std::uint64_t epoch = 0;
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
  const protocol::client_session& rules() const noexcept { return rules_; }

  /// Takes the state of an earlier connection over.
  void restore(cluster::session_record&& from);
  /// After CONNACK: sends again what is in flight, asks for what was missed.
  void resume_delivery();

  // ---- from its connection -------------------------------------------------
  // Answers other than success end the connection with that Reason Code.

  /// @param as_read  where `in` lies.
  protocol::reason_code on_publish(const protocol::publish_packet& in,
                                   const protocol::frame& as_read);
  protocol::reason_code on_ack(const protocol::ack_packet& in);
  protocol::reason_code on_subscribe(const protocol::subscribe_packet& in);
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
  void on_fetched(cluster::fetched_page& page);
  void on_retained(cluster::retained_page& page);
  /// Tells shards how far messages were taken over.
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
    bool held;      ///< topic shards keep messages for it
    bool exclusive; ///< `$exclusive/`
  };
  struct group_subscription {
    shared_group* group;
    packed_options options;
    bool held;
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
  };
  struct shard_progress {
    std::uint16_t shard;
    std::uint64_t taken;    ///< accepted up to here
    std::uint64_t reported; ///< told the shard
    bool catching_up;       ///< live copies are skipped, pages are fetched
    bool fetching;
  };
  /// What only some sessions need.
  struct extras {
    std::vector<group_subscription> groups;
    std::vector<group_cursor_entry> group_cursors;
    std::vector<pending_request> requests;
    std::vector<retained_reading> readings;
    std::vector<outstanding_in_shard> outstanding;
    std::vector<std::uint16_t> uncommitted_qos2; ///< inbound, no PUBREC yet
    std::vector<shard_progress> progress;
    std::uint32_t next_token = 1;
    std::uint32_t unacknowledged_qos1 = 0; ///< inbound, in shards
    bool checkpoint_due = false;
  };
  extras& more() {
    if (!extras_)
      extras_ = std::make_unique<extras>();
    return *extras_;
  }

  bool durable() const noexcept { return durable_; }
  // session_publish.cpp
  protocol::reason_code refuse(const protocol::publish_packet& in,
                               protocol::reason_code reason);
  void acknowledge(const protocol::publish_packet& in,
                   protocol::reason_code reason);
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
  void hold(std::string_view share_name, std::string_view filter,
            packed_options options, std::uint32_t identifier,
            pending_request* request, bool holds);
  void finish(pending_request& request);
  subscription* find(const filter_node& node) noexcept;
  void add_to_index(filter_node& node, packed_options options,
                    std::uint32_t identifier, bool held, bool exclusive);
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
  bool expired_or_too_large(const protocol::outbound& x, bool& lost);
  void lose(protocol::outbound&& x, protocol::drop_reason why);
  void settle(protocol::outbound& x, bool refused);
  /// Messages that may wait before what shards keep is not asked for.
  std::size_t queue_goal() const noexcept;
  bool room_for_page() const noexcept;
  void fetch_what_was_missed();
  shard_progress* progress_of(std::uint16_t shard) noexcept;
  shard_progress& make_progress(std::uint16_t shard);
  void catch_up_on(const filter_node& node);
  // session_close.cpp
  void hand_groups_over(bool ends);
  void leave_groups();
  std::shared_ptr<cluster::session_record> make_record();
  void end_holds();

  protocol::client_session rules_;
  connection* link_;
  std::string client_id_;
  std::uint64_t hash_;
  std::uint64_t epoch_;
  client_ref self_;
  std::vector<subscription> subscriptions_;
  std::unique_ptr<extras> extras_;
  std::uint32_t expiry_interval_;
  protocol::protocol_version version_;
  bool durable_;
};

/// What ended for good in a session that no connection has: gives its filters
/// in shards and index back.
void end_holds_of(home& at, const std::string& client_id,
                  const cluster::session_record& record);

} // namespace troupe::actors
