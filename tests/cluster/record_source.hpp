#pragma once
// Commands and rows of all kinds out of a random source.

#include "cluster/log_codec.hpp"
#include "cluster/retained_scan.hpp"
#include "cluster/row_codec.hpp"
#include "storage/keys.hpp"

#include <algorithm>
#include <random>
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

/// Two digits for each byte.
inline std::string as_hex(std::string_view x) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto c : x) {
    out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(digits[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

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
  /// Ascending, none of them 0.
  std::vector<std::uint64_t> sequences() {
    std::vector<std::uint64_t> all(below(5));
    std::uint64_t last = 0;
    for (auto& x : all)
      x = last += 1 + (number() >> 8);
    return all;
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
    x->published_qos2 = coin();
    x->next_packet_identifier = packet_identifier();
    x->cursors = cursors();
    return x;
  }

  /// Kinds of commands that may be in the log.
  static constexpr std::uint32_t kinds = 19;
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
      return restart_command{coin() ? std::string{} : client_id()};
    case 16:
      return forwarded_command{shard(), number()};
    case 17:
      return group_cursor_command{text(1, 9), filter(), number(), sequences()};
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
    cluster::applied_row x;
    x.index = number();
    x.now = time();
    x.sequence = number();
    x.last_epoch = number();
    x.next_filter = static_cast<std::uint32_t>(number());
    x.next_delayed = number();
    x.forwarded = cursors();
    x.applied_from = cursors();
    x.sessions = number();
    x.offline = number();
    x.retained = number();
    x.delayed = number();
    x.backlog = number();
    return x;
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
  cluster::filter_name filter_name() {
    return {coin() ? std::string{} : text(1, 9), filter()};
  }
  /// Not 0.
  std::uint32_t filter_id() {
    return std::max(static_cast<std::uint32_t>(number()), 1U);
  }
  cluster::filter_row filter_row() { return {filter_id(), number()}; }
  cluster::holder_row holder() {
    return {number(), options(), below(268'435'456)};
  }
  cluster::group_row group() { return {number(), sequences(), sequences()}; }
  cluster::page_row page() {
    cluster::page_row x;
    auto at = sequences();
    at.push_back((at.empty() ? 0 : at.back()) + 1 + below(9));
    for (const auto sequence : at)
      x.entries.push_back(
        {sequence, coin() ? message() : protocol::message_ptr{}});
    return x;
  }
  cluster::message_row stored() {
    cluster::message_row x{message(), {}};
    for (auto left = below(5); left != 0; --left)
      x.filters.push_back(static_cast<std::uint32_t>(number()));
    return x;
  }
  cluster::timer_row timer() {
    const auto kind = static_cast<cluster::timer_kind>(below(4));
    if (kind == cluster::timer_kind::delayed)
      return {{time(), kind, storage::key_of(number())}, message()};
    return {{time(), kind,
             kind == cluster::timer_kind::retained
               ? cluster::retained_key(topic())
               : client_id()},
            {}};
  }

private:
  record_random random_;
};

} // namespace troupe::test
