#pragma once
// Commands and rows of all kinds out of a random source, and their text, by
// which what was written and what was read are compared.

#include "cluster/log_codec.hpp"
#include "cluster/row_codec.hpp"

#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace troupe::test {

using cluster::row_family;
using cluster::time_base;
using protocol::time_point;
using record_random = std::minstd_rand;

/// 100 hours and 300 us after the zero of a steady clock; 2026 has begun.
inline constexpr time_point record_start{std::chrono::hours{100}
                                         + std::chrono::microseconds{300}};
inline constexpr std::int64_t record_start_stored = 1'767'225'600'123;
inline constexpr time_base record_times{record_start, record_start_stored};

inline std::span<const std::uint8_t> as_bytes(std::string_view x) {
  return {reinterpret_cast<const std::uint8_t*>(x.data()), x.size()};
}

inline std::string as_hex(std::string_view x) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto c : x) {
    out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(digits[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

// ---- random values ----------------------------------------------------------

/// What a random command is made of.
class record_source {
public:
  explicit record_source(std::uint32_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>(random_() % n);
  }
  bool coin() { return below(2) == 0; }
  std::uint64_t number() {
    const std::uint64_t high = random_();
    return (high << 32 ^ random_()) >> below(64);
  }
  std::uint16_t shard() { return static_cast<std::uint16_t>(below(64)); }
  std::uint16_t packet_identifier() {
    return static_cast<std::uint16_t>(1 + below(65'535));
  }
  std::string text(std::size_t least, std::size_t most) {
    std::string out;
    for (auto left =
           least + below(static_cast<std::uint32_t>(most - least + 1));
         left != 0; --left)
      out.push_back(static_cast<char>('a' + below(26)));
    return out;
  }
  std::string client_id() { return text(1, 20); }
  std::string topic() {
    auto out = text(0, 8);
    for (auto left = below(4); left != 0; --left)
      out += '/' + text(0, 8);
    return out.empty() ? "/" : out;
  }
  std::string filter() {
    const auto kind = below(4);
    return kind == 0 ? topic() + "/#" : kind == 1 ? "+/" + topic() : topic();
  }
  /// Of a whole millisecond, so that it comes back as it was.
  time_point time() {
    return record_times.rounded(record_start
                                + std::chrono::milliseconds{below(1U << 30)});
  }
  time_point time_or_never() { return coin() ? time() : cluster::never; }

  protocol::message_ptr message() {
    const auto name = topic();
    const auto payload = text(0, below(8) == 0 ? 2'000 : 80);
    const auto properties = coin() ? std::string{} : text(0, 30);
    protocol::message_options made;
    made.topic = name;
    made.payload = as_bytes(payload);
    made.properties[0] = as_bytes(properties);
    made.qos = static_cast<protocol::qos>(below(3));
    made.retain = coin();
    if (coin())
      made.message_expiry_interval = static_cast<std::uint32_t>(number());
    made.received_at = time();
    made.publisher = number();
    return protocol::message::make(made);
  }
  protocol::subscription_options options() {
    return {static_cast<protocol::qos>(below(3)), coin(), coin(),
            static_cast<protocol::retain_handling>(below(3))};
  }
  cluster::subscription_record subscription() {
    return {coin() ? std::string{} : text(1, 9), filter(), options(),
            below(268'435'456), coin()};
  }
  std::vector<cluster::cursor> cursors() {
    std::vector<cluster::cursor> all(below(4));
    for (auto& x : all)
      x = {shard(), number()};
    return all;
  }
  std::vector<cluster::kept_message> kept() {
    std::vector<cluster::kept_message> all(below(4));
    for (auto& x : all) {
      x.what.message = message();
      if (coin())
        x.what.position = {shard(), number()};
      if (coin())
        x.what.more_identifiers = std::make_unique<std::vector<std::uint32_t>>(
          1 + below(5), 1 + below(9));
      x.what.subscription_identifier = below(268'435'456);
      x.what.qos = static_cast<protocol::qos>(below(3));
      x.what.retain = coin();
      x.packet_identifier = coin() ? packet_identifier() : std::uint16_t{0};
      x.released = coin();
    }
    return all;
  }
  std::vector<cluster::outbound_state> states() {
    std::vector<cluster::outbound_state> all(below(4));
    for (auto& x : all)
      x = {{shard(), number()},
           packet_identifier(),
           static_cast<cluster::outbound_state::state>(below(3))};
    return all;
  }
  cluster::inbound_identity inbound() {
    return {client_id(), number(), packet_identifier()};
  }
  std::shared_ptr<cluster::will_record> will() {
    auto x = std::make_shared<cluster::will_record>();
    x->message = message();
    x->delay = std::chrono::seconds{static_cast<std::uint32_t>(number())};
    return x;
  }
  std::shared_ptr<cluster::session_record> record() {
    auto x = std::make_shared<cluster::session_record>();
    for (auto left = below(4); left != 0; --left)
      x->subscriptions.push_back(subscription());
    x->kept = kept();
    for (auto left = below(4); left != 0; --left)
      x->awaiting_release.push_back({packet_identifier(), shard()});
    x->outbound = states();
    x->next_packet_identifier = packet_identifier();
    x->published_qos2 = coin();
    x->cursors = cursors();
    return x;
  }

  /// Kinds of commands that may be in the log.
  static constexpr std::uint32_t kinds = 18;
  cluster::command command(std::uint32_t kind) {
    using namespace cluster;
    switch (kind) {
    case 0: {
      publish_command x;
      x.message = message();
      x.delay_seconds = coin() ? 0 : static_cast<std::uint32_t>(number());
      if (coin())
        x.inbound = inbound();
      return x;
    }
    case 1: {
      claim_command x;
      x.client_id = client_id();
      x.clean_start = coin();
      x.expiry_interval = static_cast<std::uint32_t>(number());
      if (coin())
        x.will = will();
      return x;
    }
    case 2: {
      release_command x;
      x.client_id = client_id();
      x.epoch = number();
      if (coin())
        x.record = record();
      x.expiry_interval = static_cast<std::uint32_t>(number());
      x.will = coin() ? release_command::will_fate::publish
                      : release_command::will_fate::discard;
      return x;
    }
    case 3: {
      subscribe_command x;
      x.client_id = client_id();
      x.epoch = number();
      x.subscription = subscription();
      x.subscribes = coin();
      return x;
    }
    case 4: {
      checkpoint_command x;
      x.client_id = client_id();
      x.epoch = number();
      x.kept = kept();
      x.cursors = cursors();
      return x;
    }
    case 5: {
      inbound_command x;
      x.client_id = client_id();
      x.epoch = number();
      x.packet_identifier = packet_identifier();
      x.shard = shard();
      x.begins = coin();
      return x;
    }
    case 6:
      return inbound_end_command{inbound(), {}};
    case 7:
      return inbound_forget_command{client_id(), number()};
    case 8: {
      outbound_command x;
      x.client_id = client_id();
      x.epoch = number();
      x.states = states();
      x.kept = kept();
      for (auto i = below(3); i > 0; --i)
        x.taken.push_back(
          {"group", "a/+", {static_cast<std::uint16_t>(below(16)), number()}});
      return x;
    }
    case 9: {
      hold_command x;
      x.client_id = client_id();
      x.subscription = subscription();
      x.holds = coin();
      return x;
    }
    case 10:
      return advance_command{client_id(), number()};
    case 11:
      return group_done_command{text(1, 9), filter(), number()};
    case 12:
      return group_return_command{text(1, 9), filter(), message(), number()};
    case 13:
      return remove_retained_command{topic()};
    case 14:
      return time_command{};
    case 15:
      return restart_command{};
    case 16:
      return forwarded_command{shard(), number()};
    default:
      return forward();
    }
  }
  cluster::forward_command forward() {
    return {shard(), number(),
            std::make_shared<cluster::boxed_command>(
              cluster::boxed_command{command(below(kinds - 1))})};
  }
  cluster::log_entry entry() {
    cluster::log_entry x;
    x.at = time();
    for (auto left = below(20); left != 0; --left)
      x.commands.push_back(command(below(kinds)));
    return x;
  }

  cluster::applied_row applied() {
    return {number(),
            time(),
            number(),
            number(),
            static_cast<std::uint32_t>(number()),
            number(),
            cursors(),
            cursors()};
  }
  cluster::session_row session() {
    return {number(),
            number(),
            coin(),
            static_cast<std::uint32_t>(number()),
            time_or_never(),
            record(),
            coin() ? will() : nullptr,
            time_or_never()};
  }
  cluster::message_row stored() {
    cluster::message_row x{message(), {}};
    for (auto left = below(5); left != 0; --left)
      x.filters.push_back(static_cast<std::uint32_t>(number()));
    return x;
  }

private:
  record_random random_;
};

// ---- text -------------------------------------------------------------------

/// Writes each member of a value, in the order of their declaration.
class record_text {
public:
  std::string take() { return out_.str(); }

  record_text& operator<<(const std::string& x) {
    out_ << '"' << x << "\" ";
    return *this;
  }
  record_text& operator<<(const char* x) {
    out_ << x << ' ';
    return *this;
  }
  template <std::integral T>
  record_text& operator<<(T x) {
    out_ << +x << ' ';
    return *this;
  }
  template <class T>
  requires std::is_enum_v<T> record_text& operator<<(T x) {
    return *this << static_cast<int>(x);
  }
  record_text& operator<<(time_point x) {
    return *this << x.time_since_epoch().count();
  }
  template <class T>
  record_text& operator<<(const std::vector<T>& all) {
    *this << "[";
    for (const auto& x : all)
      *this << x;
    return *this << "]";
  }
  template <class T>
  record_text& operator<<(const std::shared_ptr<T>& x) {
    return x ? *this << *x : *this << "none";
  }
  record_text& operator<<(const protocol::message_ptr& x) {
    const auto text = [](protocol::bytes_view y) {
      return std::string{y.begin(), y.end()};
    };
    return *this << std::string{x->topic()} << text(x->payload())
                 << text(x->properties()) << x->qos() << x->retain()
                 << x->has_expiry() << x->expiry_interval() << x->received_at()
                 << x->publisher();
  }
  record_text& operator<<(const cluster::client_ref& x) {
    return *this << x.slot << x.generation << x.reactor;
  }
  record_text& operator<<(const protocol::subscription_options& x) {
    return *this << x.maximum_qos << x.no_local << x.retain_as_published
                 << x.handling;
  }
  record_text& operator<<(const cluster::subscription_record& x) {
    return *this << x.share_name << x.filter << x.options << x.identifier
                 << x.exclusive;
  }
  record_text& operator<<(const cluster::cursor& x) {
    return *this << x.shard << x.sequence;
  }
  record_text& operator<<(const protocol::shard_position& x) {
    return *this << x.shard << x.sequence;
  }
  record_text& operator<<(const cluster::kept_message& x) {
    *this << x.what.message << x.what.position << x.what.subscription_identifier
          << x.what.qos << x.what.retain << x.packet_identifier << x.released;
    return x.what.more_identifiers ? *this << *x.what.more_identifiers
                                   : *this << "none";
  }
  record_text& operator<<(const cluster::group_place& x) {
    return *this << x.share_name << x.filter << x.position;
  }
  record_text& operator<<(const cluster::outbound_state& x) {
    return *this << x.position << x.packet_identifier << x.now;
  }
  record_text& operator<<(const cluster::inbound_identity& x) {
    return *this << x.client_id << x.incarnation << x.packet_identifier;
  }
  record_text& operator<<(const cluster::inbound_place& x) {
    return *this << x.packet_identifier << x.shard;
  }
  record_text& operator<<(const cluster::session_record& x) {
    return *this << x.subscriptions << x.kept << x.awaiting_release
                 << x.outbound << x.next_packet_identifier << x.published_qos2
                 << x.cursors;
  }
  record_text& operator<<(const cluster::will_record& x) {
    return *this << x.message << x.delay.count();
  }

  record_text& operator<<(const cluster::publish_command& x) {
    *this << "publish" << x.message << x.publisher << x.token << x.delay_seconds
          << x.logged;
    return x.inbound ? *this << *x.inbound : *this << "none";
  }
  record_text& operator<<(const cluster::claim_command& x) {
    return *this << "claim" << x.client_id << x.who << x.clean_start
                 << x.expiry_interval << x.will;
  }
  record_text& operator<<(const cluster::release_command& x) {
    return *this << "release" << x.client_id << x.who << x.epoch << x.record
                 << x.expiry_interval << x.will;
  }
  record_text& operator<<(const cluster::subscribe_command& x) {
    return *this << "subscribe" << x.client_id << x.epoch << x.subscription
                 << x.subscribes << x.who << x.token;
  }
  record_text& operator<<(const cluster::checkpoint_command& x) {
    return *this << "checkpoint" << x.client_id << x.epoch << x.kept
                 << x.cursors;
  }
  record_text& operator<<(const cluster::inbound_command& x) {
    return *this << "inbound" << x.client_id << x.epoch << x.packet_identifier
                 << x.shard << x.begins << x.who;
  }
  record_text& operator<<(const cluster::inbound_end_command& x) {
    return *this << "inbound end" << x.what << x.who;
  }
  record_text& operator<<(const cluster::inbound_forget_command& x) {
    return *this << "inbound forget" << x.client_id << x.incarnation;
  }
  record_text& operator<<(const cluster::outbound_command& x) {
    return *this << "outbound" << x.client_id << x.epoch << x.states << x.kept
                 << x.taken << x.who << x.token;
  }
  record_text& operator<<(const cluster::hold_command& x) {
    return *this << "hold" << x.client_id << x.subscription << x.holds << x.who
                 << x.token;
  }
  record_text& operator<<(const cluster::advance_command& x) {
    return *this << "advance" << x.client_id << x.sequence;
  }
  record_text& operator<<(const cluster::group_done_command& x) {
    return *this << "group done" << x.share_name << x.filter << x.sequence;
  }
  record_text& operator<<(const cluster::group_return_command& x) {
    return *this << "group return" << x.share_name << x.filter << x.message
                 << x.sequence;
  }
  record_text& operator<<(const cluster::remove_retained_command& x) {
    return *this << "remove retained" << x.topic;
  }
  record_text& operator<<(const cluster::time_command&) {
    return *this << "time";
  }
  record_text& operator<<(const cluster::restart_command&) {
    return *this << "restart";
  }
  record_text& operator<<(const cluster::forward_command& x) {
    return *this << "forward" << x.from << x.sequence << x.what->what;
  }
  record_text& operator<<(const cluster::forwarded_command& x) {
    return *this << "forwarded" << x.to << x.sequence;
  }
  record_text& operator<<(const cluster::command& x) {
    std::visit([this](const auto& one) { write(one); }, x);
    return *this;
  }
  record_text& operator<<(const cluster::log_entry& x) {
    *this << x.at;
    for (const auto& one : x.commands)
      *this << "\n" << one;
    return *this;
  }

  record_text& operator<<(const cluster::applied_row& x) {
    return *this << x.index << x.now << x.sequence << x.last_epoch
                 << x.next_filter << x.next_delayed << x.forwarded
                 << x.applied_from;
  }
  record_text& operator<<(const cluster::session_row& x) {
    return *this << x.incarnation << x.epoch << x.owned << x.expiry_interval
                 << x.expires << x.record << x.will << x.will_due;
  }
  record_text& operator<<(const cluster::filter_name& x) {
    return *this << x.share_name << x.filter;
  }
  record_text& operator<<(const cluster::holder_row& x) {
    return *this << x.cursor << x.options << x.identifier;
  }
  record_text& operator<<(const cluster::message_row& x) {
    return *this << x.message
                 << std::vector(x.filters.begin(), x.filters.end());
  }
  record_text& operator<<(const cluster::retained_row& x) {
    return *this << x.message << x.sequence;
  }

private:
  template <class T>
  void write(const T& x) {
    *this << x;
  }
  void write(const cluster::fetch_read&) { *this << "fetch"; }
  void write(const cluster::retained_read&) { *this << "retained read"; }
  void write(const cluster::group_online_command&) { *this << "group online"; }

  std::ostringstream out_;
};

template <class T>
std::string text_of(const T& x) {
  record_text out;
  out << x;
  return out.take();
}

// ---- rows -------------------------------------------------------------------

/// Writes each row down as a line of text.
class row_recorder final : public cluster::row_target {
public:
  std::vector<std::string> lines;

  void load(const cluster::applied_row& x) override { add("applied", x); }
  void load_session(const std::string& client_id,
                    cluster::session_row&& x) override {
    add("session", client_id, x);
  }
  void load_filter(std::uint32_t id, cluster::filter_name&& x) override {
    add("filter", id, x);
  }
  void load_holder(std::uint32_t filter, const std::string& client_id,
                   const cluster::holder_row& x) override {
    add("holder", filter, client_id, x);
  }
  void load_message(std::uint64_t sequence, cluster::message_row&& x) override {
    add("message", sequence, x);
  }
  void load_retained(cluster::retained_row&& x) override { add("retained", x); }
  void load_delayed(time_point due, std::uint64_t id,
                    cluster::message_row&& x) override {
    add("delayed", due, id, x);
  }
  void load_outbox(std::uint16_t to, cluster::forward_command&& x) override {
    add("outbox", to, x);
  }
  void load_inbound(const std::string& client_id, std::uint16_t identifier,
                    std::uint64_t incarnation) override {
    add("inbound", client_id, identifier, incarnation);
  }
  template <class... Parts>
  void add(const Parts&... parts) {
    record_text line;
    (line << ... << parts);
    lines.push_back(line.take());
  }
};

/// Writes each row that is read as it was.
class row_copier final : public cluster::row_target {
public:
  explicit row_copier(std::uint16_t shard) : rows(shard, record_times) {}
  cluster::row_collector rows;

  void load(const cluster::applied_row& x) override { rows.applied(x); }
  void load_session(const std::string& client_id,
                    cluster::session_row&& x) override {
    rows.session(client_id, &x);
  }
  void load_filter(std::uint32_t id, cluster::filter_name&& x) override {
    rows.filter(id, &x);
  }
  void load_holder(std::uint32_t filter, const std::string& client_id,
                   const cluster::holder_row& x) override {
    rows.holder(filter, client_id, &x);
  }
  void load_message(std::uint64_t sequence, cluster::message_row&& x) override {
    rows.message(sequence, &x);
  }
  void load_retained(cluster::retained_row&& x) override {
    rows.retained(cluster::retained_key(x.message->topic()), &x);
  }
  void load_delayed(time_point due, std::uint64_t id,
                    cluster::message_row&& x) override {
    rows.delayed(due, id, &x);
  }
  void load_outbox(std::uint16_t to, cluster::forward_command&& x) override {
    rows.outbox(to, x.sequence, &x);
  }
  void load_inbound(const std::string& client_id, std::uint16_t identifier,
                    std::uint64_t incarnation) override {
    rows.inbound(client_id, identifier, &incarnation);
  }
};

/// One row of each family of `shard`, in the order in which they are loaded.
/// @param lines  their texts, as `row_recorder` writes them.
inline std::vector<storage::row>
random_rows(record_source& from, std::uint16_t shard, row_recorder& lines) {
  cluster::row_collector out{shard, record_times};
  const auto applied = from.applied();
  out.applied(applied);
  lines.add("applied", applied);
  const auto id = static_cast<std::uint32_t>(from.number());
  const cluster::filter_name name{from.coin() ? "" : from.text(1, 9),
                                  from.filter()};
  out.filter(id, &name);
  lines.add("filter", id, name);
  const cluster::holder_row holder{from.number(), from.options(),
                                   from.below(268'435'456)};
  const auto client = from.client_id();
  out.holder(id, client, &holder);
  lines.add("holder", id, client, holder);
  const auto message = from.stored();
  const auto sequence = from.number();
  out.message(sequence, &message);
  lines.add("message", sequence, message);
  const auto session = from.session();
  out.session(client, &session);
  lines.add("session", client, session);
  const cluster::retained_row retained{from.message(), from.number()};
  out.retained(cluster::retained_key(retained.message->topic()), &retained);
  lines.add("retained", retained);
  const cluster::message_row delayed{from.message(), {}};
  const auto due = from.time();
  out.delayed(due, sequence, &delayed);
  lines.add("delayed", due, sequence, delayed);
  const auto forward = from.forward();
  out.outbox(5, forward.sequence, &forward);
  lines.add("outbox", 5, forward);
  const auto incarnation = from.number();
  const auto identifier = from.packet_identifier();
  out.inbound(client, identifier, &incarnation);
  lines.add("inbound", client, identifier, incarnation);
  return out.take();
}

} // namespace troupe::test
