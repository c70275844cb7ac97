#pragma once
// One client's socket.

#include "actors/access_control.hpp"
#include "actors/home.hpp"
#include "actors/output.hpp"
#include "auth/method.hpp"
#include "auth/token_bucket.hpp"
#include "net/proxy_protocol.hpp"
#include "net/tcp.hpp"
#include "net/transport.hpp"
#include "protocol/byte_buffer.hpp"
#include "protocol/codec.hpp"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::actors {

class session;

/// Reads, decodes and hands packets to the session; encodes and writes what
/// the session sends. Knows the wire: versions, Maximum Packet Size, Topic
/// Aliases, Keep Alive, and the CONNECT and AUTH exchange before there is a
/// session.
class connection final : public pinned_actor,
                         private net::socket_handler,
                         private net::flushable,
                         private net::timing_wheel::timer {
public:
  connection(caf::actor_config& config, home& on, int fd,
             const listener_scope& of, const net::endpoint& peer = {});
  ~connection() override;

  const char* name() const override { return "connection"; }
  /// Registers with the home and begins to read. Called once.
  void begin(caf::actor self);
  /// Goes on with what comes before MQTT. By the home, when its turn has come.
  void open();
  /// Reads what its transport still has. By the home.
  void read_on();

  // ---- for its session -----------------------------------------------------

  protocol::protocol_version version() const noexcept { return version_; }
  /// Gives buffers back that a quiet client does not need.
  /// @returns false if it was not quiet for `actors.idle_buffer_release`.
  bool release_buffers();
  /// False while so much waits for the socket that more should be queued.
  bool writable() const noexcept {
    return !output_ || output_->size() < scope_.options().output_high_watermark;
  }
  /// Whether its socket takes no more for now.
  bool blocked() const noexcept { return write_blocked_; }
  /// Does not read it for a while: more waits than should.
  void slow_down();
  /// Which traces follow this client.
  trace_mask traces_of_this() const;
  /// A line of a trace about this client.
  trace_event trace_line(std::string_view event) const;
  trace_event trace_line(std::string_view event,
                         const protocol::message& what) const;
  void write_trace(trace_mask to, trace_event&& line) const {
    at().write_trace(to, std::move(line));
  }
  /// What holds for clients of its listener.
  const mqtt_options& limits() const noexcept { return scope_.mqtt(); }
  /// What stands in front of all topics of this client; empty: nothing.
  std::string_view mount() const noexcept {
    return mount_ ? std::string_view{*mount_} : std::string_view{};
  }
  /// Bytes of `topic`'s front that are its mountpoint.
  std::uint16_t prefix_of(std::string_view topic) const noexcept {
    return mount_ && topic.starts_with(*mount_)
             ? static_cast<std::uint16_t>(mount_->size())
             : std::uint16_t{0};
  }
  /// The receiver's limit, fixed header included.
  std::size_t packet_limit() const noexcept { return packet_limit_; }
  void send(const protocol::message& message, const protocol::delivery& how);
  void send_ack(protocol::packet_type type, std::uint16_t packet_identifier,
                protocol::reason_code reason);
  void send_suback(std::uint16_t packet_identifier,
                   std::span<const protocol::reason_code> reasons);
  void send_unsuback(std::uint16_t packet_identifier,
                     std::span<const protocol::reason_code> reasons);
  /// Ends the connection; in MQTT 5.0 says why first.
  /// @param discard  the session ends, whatever its expiry.
  void close(protocol::reason_code why, std::string_view cause,
             bool discard = false);

  // ---- from shards and operators -------------------------------------------

  void handle(client_event& what);
  /// Bans, and with `rules` also those about who may do what, have changed:
  /// ends it if it may not be here any more.
  void check_again(bool rules);
  std::size_t subscription_count() const noexcept;
  /// The limits of its listener have changed.
  void limits_changed();
  const listener_scope& scope() const noexcept { return scope_; }
  /// An authenticator has answered.
  void on_verified(const auth::chain_answer& answer);

  struct info {
    std::string client_id;
    std::string peer;
    std::string listener;
    std::string user_name;
    protocol::protocol_version version{};
    bool clean_start = true;
    std::uint16_t keep_alive = 0;
    std::uint32_t expiry_interval = 0;
    std::size_t subscriptions = 0;
    std::size_t in_flight = 0;
    std::size_t queued = 0;
    std::size_t awaiting_release = 0;
    std::uint64_t received = 0;       ///< PUBLISH packets
    std::uint64_t sent = 0;           ///< likewise
    std::uint64_t bytes_received = 0; ///< of MQTT
    std::uint64_t bytes_sent = 0;     ///< likewise
    std::chrono::seconds connected_for{0};
    std::chrono::milliseconds blocked_for{0}; ///< its socket takes nothing
    std::string mountpoint;
    bool superuser = false;
    bool paced = false;              ///< it sent more than it may, and waits
    std::string certificate_name;    ///< of a TLS client
    std::string certificate_subject; ///< likewise
    std::string tls_version;         ///< empty: no TLS
    std::string tls_cipher;
  };
  /// Nothing before CONNACK.
  std::optional<info> describe() const;
  session* its_session() const noexcept { return session_; }
  client_ref self() const noexcept { return self_; }
  /// PUBLISH packets and bytes of MQTT, both ways.
  std::uint64_t messages() const noexcept { return received_ + sent_; }
  std::uint64_t bytes() const noexcept { return bytes_received_ + bytes_sent_; }
  /// How long its socket has taken nothing.
  std::chrono::milliseconds blocked_for() const noexcept;
  const std::string* user_name() const noexcept { return user_name_.get(); }

private:
  enum class phase : std::uint8_t {
    awaiting_connect,
    authenticating, ///< AUTH packets go back and forth
    verifying,      ///< waits for authenticators
    claiming,       ///< waits for the session's shard
    live,
    closed, ///< no socket any more, but a claim is under way
  };
  /// What the CONNECT said, until it is answered.
  struct handshake {
    std::string client_id;
    bool assigned_id = false;
    bool clean_start = true;
    std::uint32_t expiry_interval = 0;
    bool expiry_capped = false;
    std::uint16_t receive_maximum = 65'535;
    bool wants_response_information = false;
    std::shared_ptr<cluster::will_record> will;
    std::vector<std::uint8_t> final_data; ///< Authentication Data of CONNACK
  };
  struct authentication {
    std::string method;
    std::shared_ptr<auth::method> how;
    std::unique_ptr<auth::exchange> exchange;
  };
  /// As whom a client was recognised.
  struct account {
    bool superuser = false;
    std::uint64_t version = 0;
    std::shared_ptr<const auth::authenticator> by; ///< null: nobody
  };
  /// What an authorizer said that did not answer at once.
  struct late_decision {
    explicit late_decision(const auth::request& asked);
    bool is(const auth::request& x) const;
    auth::request request() const { return {what, topic, qos, retain}; }
    std::string topic;
    auth::action what;
    protocol::qos qos;
    bool retain;
    auth::decision answer = auth::decision::deny;
  };
  struct decisions {
    explicit decisions(const auth::decision_cache::options& how) : cache(how) {}
    auth::decision_cache cache;
    /// Answers for the packet that is held, which may ask several questions.
    std::vector<late_decision> late;
    std::optional<late_decision> asked; ///< what it is held for
    std::chrono::steady_clock::time_point asked_at;
    /// The publication that the cache allowed last. The next one of a turn is
    /// mostly like it, and within a turn no decision ends.
    struct {
      std::string topic;
      std::chrono::steady_clock::time_point turn;
      std::uint64_t generation = 0; ///< of the rules; 0: nothing was allowed
      protocol::qos qos{};
      bool retain = false;
    } allowed;

    bool allowed_just_now(const protocol::publish_packet& in,
                          std::uint64_t generation,
                          std::chrono::steady_clock::time_point turn) const {
      return allowed.turn == turn && allowed.generation == generation
             && allowed.qos == in.qos && allowed.retain == in.retain
             && allowed.topic == in.topic;
    }
  };
  /// How fast the client may send.
  struct pace {
    auth::token_bucket messages;
    auth::token_bucket bytes;
  };
  static constexpr std::string_view subscription_lost =
    "a subscription of it is not allowed any more";
  enum class verdict : std::uint8_t { yes, no };
  struct aliases {
    std::vector<std::string> inbound; ///< by alias minus one
    std::unordered_map<std::string, std::uint16_t> outbound;
    std::uint16_t outbound_max = 0;
    std::size_t inbound_bytes = 0;
  };

  void receive(caf::type_erased_tuple&) override {}
  void on_end() override;
  void on_ready(std::uint32_t events) override;
  void on_timer() override;
  void flush() override;

  /// @param to_the_end  the other side has ended: nothing more will be told.
  void read(bool to_the_end);
  void take(protocol::bytes_view fresh);
  /// Consumes whole packets; @returns bytes used, or nullopt: it was closed.
  std::optional<std::size_t> consume(protocol::bytes_view in);
  bool on_packet(const protocol::frame& in);
  bool on_live_packet(const protocol::frame& in);
  bool on_publish(const protocol::frame& in);
  bool on_disconnect(const protocol::frame& in);
  // connection_open.cpp
  void open_on(bool to_the_end);
  /// @returns whether what follows the header may be read now.
  bool read_proxy_header();
  void take_proxy_header(net::proxy_header&& header);
  void refuse_stranger(std::string_view why);
  void begin_transport();
  void give_turn_back() noexcept;
  std::chrono::steady_clock::time_point turn_end() const noexcept;
  void opened();
  void queue_opening(bool to_the_end);
  void end_transport() noexcept;
  std::chrono::steady_clock::time_point opening_deadline() const noexcept;
  /// @returns whether it was, and the connection is ended.
  bool opening_overdue(std::chrono::steady_clock::time_point now);
  void transport_failed();
  /// As recv(2).
  ssize_t receive_some(std::uint8_t* to, std::size_t room);
  // connection_connect.cpp
  bool on_connect(const protocol::frame& in);
  bool check_connect(const protocol::connect_packet& in);
  void take_connect(const protocol::connect_packet& in);
  bool set_mount();
  void take_will(const protocol::connect_packet& in);
  bool on_auth(const protocol::frame& in);
  bool authenticate(protocol::bytes_view data);
  void mount_will();
  // connection_access.cpp
  auth::identity identity() const;
  /// @returns false: they were none that a client may have, and it is refused
  bool take_names_of_certificate();
  bool is_banned(); ///< and told so
  bool is_welcome();
  bool anonymous_allowed() const;
  bool verify(const protocol::connect_packet& in);
  void log_lock(auth::locked whom, const auth::identity& who) const;
  bool decide(const auth::chain_answer& answer);
  bool admit(account what);
  /// Whether there are rules about what it may do.
  bool asks_rules() const noexcept {
    return at().access().authorization != nullptr
           && scope_.options().authorization;
  }
  /// @param holds  if `later` is answered: whether the packet is held until
  ///               the answer is there.
  auth::decision may(const auth::request& what, bool holds = true);
  void on_decided(const late_decision& said, std::uint64_t generation);
  void go_on_after_answer();
  std::chrono::steady_clock::time_point answer_deadline() const;
  /// Nobody answered in time: that is a no.
  void answer_overdue();
  /// @returns false: the packet is held.
  bool may_publish(const protocol::publish_packet& in, verdict& answer);
  /// @param denied  a value for each filter; empty if none is.
  bool may_subscribe(const protocol::subscribe_packet& in,
                     std::vector<bool>& denied);
  /// Whether an answer of somebody else is waited for.
  bool waits() const noexcept {
    return phase_ == phase::claiming || phase_ == phase::verifying || held_
           || paced_;
  }
  /// @returns how many subscriptions there were.
  std::size_t drop_what_is_not_allowed();
  void count_flapping(const std::string& client_id);
  /// Goes on with what came meanwhile.
  void take_what_waited();
  void charge(auth::token_bucket pace::*bucket, std::uint64_t tokens);
  void claim();
  void granted(cluster::claim_granted& x);
  void send_connack(bool session_present);
  void refuse(protocol::reason_code why, std::string_view cause);
  /// @param told  to the client, in place of the cause: whose login is wrong
  ///              learns nothing about who there is
  void refuse(protocol::reason_code why, std::string_view cause,
              std::string_view told);
  /// Ends who is no client yet, and says why in the log.
  void turn_away(std::string_view cause);
  void send_auth(protocol::reason_code reason, protocol::bytes_view data);

  bool fail(protocol::reason_code why, std::string_view cause);
  void end(bool discard_will, bool discard, std::string_view cause);
  void close_socket();
  void leave_home();
  void write(bool may_end = true);
  void on_write_error(int error, bool may_end);
  void wants_flush();
  /// Tells the home how much waits for the socket.
  void count_unsent() noexcept;
  bool commits_late() const noexcept;
  // connection_trace.cpp; only while something is traced
  trace_event with_names(trace_event line) const;
  void trace_connect(const protocol::connect_packet& in) const;
  void trace_cause(std::string_view event, std::string_view cause) const;
  void trace_refused(protocol::reason_code why, std::string_view cause) const;
  void trace_connected(bool session_present) const;
  void trace_in(const protocol::frame& in) const;
  void trace_out(protocol::packet_type type, std::uint16_t packet_identifier,
                 std::span<const protocol::reason_code> reasons) const;
  void trace_sent(const protocol::message& what,
                  const protocol::delivery& how) const;
  void trace_decision(const auth::request& what, auth::decision answer,
                      std::string_view by) const;
  void hold_buffers();
  output& out();
  /// One call of the socket, or of what lies before it. @returns as send(2).
  ssize_t send_some();
  ssize_t send_through();
  bool has_output() const noexcept;
  std::uint64_t count_traffic() noexcept; ///< @returns bytes sent
  protocol::delivery for_this_client(const protocol::message& message,
                                     protocol::delivery how);
  protocol::delivery with_alias(const protocol::message& message,
                                protocol::delivery how);
  void encode(const protocol::message& message, const protocol::delivery& how);
  /// Edge-triggered: a change is told once, and what is there already when
  /// the socket is watched again.
  std::uint32_t wanted_events() const noexcept;
  void watch_again();
  void pause_reading(bool pause);
  void arm_timer();
  std::string peer() const;
  /// A line of the log that says who it is.
  void log(log_level level, std::string_view cause, std::string_view text,
           std::string_view topic = {}) const;
  void log(const auth::identity& who, log_level level, std::string_view cause,
           std::string_view text, std::string_view topic = {}) const;

  int fd_;
  phase phase_ = phase::awaiting_connect;
  protocol::protocol_version version_ = protocol::protocol_version::mqtt_5_0;
  bool write_blocked_ = false;
  bool writing_ = false;
  bool reading_paused_ = false;
  bool problem_information_ = true;
  bool holds_buffers_ = false;
  bool clean_start_ = true;
  bool opening_; ///< something comes before MQTT: PROXY, TLS, WebSocket
  bool certificate_told_ = false; ///< a balancer speaks for the client's TLS
  bool opening_to_the_end_ = false;
  bool heard_ = false;       ///< a byte has come through the transport
  bool broken_ = false;      ///< the other side broke a rule of its transport
  bool queued_ = false;      ///< waits for `open`
  bool has_turn_ = false;    ///< counts as a handshake that is under way
  bool read_queued_ = false; ///< waits for `read_on`
  bool held_ = false;        ///< a packet waits for an authorizer
  bool replays_ = false;     ///< the next packet was held
  bool replaying_ = false;   ///< this packet was held: it is counted
  bool check_due_ = false;   ///< rules changed while it was coming in
  bool paced_ = false;       ///< it sent more than it may
  bool slowed_ = false;      ///< by `slow_down`; `paced_` is set as well
  bool left_unread_ = false; ///< `read` stopped before the socket was empty
  std::uint16_t keep_alive_ = 0; ///< seconds, 0: off
  std::uint32_t unsent_ = 0;     ///< as counted
  client_ref self_;
  session* session_ = nullptr;
  const listener_scope& scope_;
  net::endpoint peer_; ///< kept: a socket that was reset cannot tell it
  protocol::byte_buffer input_;    ///< of an unfinished packet
  std::unique_ptr<output> output_; ///< null while nothing waits
  /// As much of a PROXY header as there is; null: none is waited for.
  std::unique_ptr<std::vector<std::uint8_t>> proxy_;
  std::unique_ptr<net::transport> transport_; ///< null: the socket itself
  std::unique_ptr<net::peer_certificate> certificate_; ///< of a TLS client
  std::size_t packet_limit_ = protocol::no_packet_limit;
  std::chrono::steady_clock::time_point last_read_;
  std::chrono::steady_clock::time_point blocked_since_;
  std::chrono::steady_clock::time_point go_on_at_; ///< if paced
  std::chrono::steady_clock::time_point connected_at_;
  std::chrono::steady_clock::time_point queued_since_; ///< for `open`, last
  std::unique_ptr<handshake> handshake_;
  std::unique_ptr<authentication> authentication_;
  std::unique_ptr<aliases> aliases_;
  std::unique_ptr<std::string> user_name_;
  std::unique_ptr<std::string> mount_; ///< null: none
  std::unique_ptr<account> account_;
  std::unique_ptr<decisions> decisions_;
  std::unique_ptr<pace> pace_;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
};

} // namespace troupe::actors
