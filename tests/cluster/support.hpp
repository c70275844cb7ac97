#pragma once
// Messages, random topics and filters, and a shard whose effects are written
// down, for the tests of rules.

#include "cluster/shard_state_machine.hpp"
#include "protocol/hash.hpp"
#include "protocol/topic.hpp"
#include "tests/support/seed.hpp"

#include <cstdlib>
#include <random>
#include <sstream>

namespace troupe::test {

using namespace std::chrono_literals;
using protocol::message_ptr;
using protocol::qos;
using protocol::time_point;

inline const time_point start_time{std::chrono::hours{100}};

struct message_shape {
  protocol::qos qos = qos::at_least_once;
  bool retain = false;
  std::optional<std::uint32_t> expiry{}; ///< seconds
  time_point at = start_time;
  std::string_view publisher{};
};

inline message_ptr make_message(std::string_view topic,
                                std::string_view payload,
                                const message_shape& shape = {}) {
  protocol::message_options made;
  made.topic = topic;
  made.payload = {reinterpret_cast<const std::uint8_t*>(payload.data()),
                  payload.size()};
  made.qos = shape.qos;
  made.retain = shape.retain;
  made.message_expiry_interval = shape.expiry;
  made.received_at = shape.at;
  if (!shape.publisher.empty())
    made.publisher = protocol::hash64(shape.publisher);
  return protocol::message::make(made);
}

inline std::string payload_of(const protocol::message& x) {
  const auto bytes = x.payload();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Few levels of few names, so that filters match often; some are odd.
inline std::string random_topic(std::minstd_rand& random) {
  static constexpr std::string_view names[] = {
    "a", "b", "ab", "", "$x", "a\x01", "\xC3\xA4", "c c"};
  std::string made;
  const auto levels = 1 + random() % 4;
  for (std::size_t i = 0; i < levels; ++i)
    made.append(i == 0 ? "" : "/").append(names[random() % std::size(names)]);
  return made.empty() ? "/" : made;
}

inline std::string random_filter(std::minstd_rand& random) {
  auto made = random_topic(random);
  std::string filter;
  for (std::size_t at = 0; at != std::string::npos;) {
    const auto slash = made.find('/', at);
    const auto level = made.substr(at, slash - at);
    filter.append(at == 0 ? "" : "/");
    const auto dice = random() % 6;
    if (dice == 0)
      return filter + '#';
    filter.append(dice < 3 ? "+" : level);
    at = slash == std::string::npos ? slash : slash + 1;
  }
  return filter;
}

/// Writes each effect down as a line of text.
class recorder final : public cluster::shard_effects {
public:
  std::vector<std::string> lines;
  std::vector<cluster::claim_granted> grants;
  std::vector<cluster::fetched_page> pages;
  std::vector<cluster::retained_page> retained_pages;
  int retained_count = 0;
  bool somebody_listens = false; ///< what `route` answers

  /// What was written down since the last call.
  std::vector<std::string> take() { return std::exchange(lines, {}); }

  void acknowledge(cluster::client_ref to, std::uint32_t token,
                   protocol::reason_code reason) override {
    if (to)
      write("ack ", to.slot, ' ', token, ' ', static_cast<unsigned>(reason));
  }
  bool route(const message_ptr& x, protocol::shard_position at) override {
    write("route ", x->topic(), ' ', payload_of(*x), ' ', at.sequence);
    return somebody_listens;
  }
  void route_to_group(const std::string& share_name, const std::string& filter,
                      const message_ptr& x) override {
    write("group ", share_name, ' ', filter, ' ', payload_of(*x));
  }
  void publish(const message_ptr& x) override {
    write("publish ", x->topic(), ' ', payload_of(*x));
  }
  void granted(cluster::client_ref who,
               const cluster::claim_granted& x) override {
    grants.push_back(x);
    write("granted ", who.slot, x.session_present ? " present" : " fresh",
          " epoch ", x.epoch);
  }
  void superseded(cluster::client_ref who) override {
    write("superseded ", who.slot);
  }
  void evict(cluster::client_ref owner, const std::string& client_id,
             std::uint64_t epoch, bool discard) override {
    write("evict ", owner.slot, ' ', client_id, " epoch ", epoch,
          discard ? " discard" : "");
  }
  void session_ended(const std::string& client_id,
                     const cluster::session_record& x) override {
    write("ended ", client_id, ' ', x.subscriptions.size());
  }
  void held(cluster::client_ref who, std::uint32_t token,
            std::uint64_t start) override {
    write("held ", who.slot, ' ', token, ' ', start);
  }
  void fetched(cluster::client_ref who, cluster::fetched_page&& x) override {
    std::ostringstream text;
    text << "fetched " << who.slot << " to " << x.up_to
         << (x.complete ? " complete" : " more");
    for (const auto& m : x.messages)
      text << ' ' << m.position.sequence << ':' << payload_of(*m.message);
    lines.push_back(text.str());
    pages.push_back(std::move(x));
  }
  void retained(cluster::client_ref who, cluster::retained_page&& x) override {
    write("retained ", who.slot, ' ', x.token, ' ', x.rows.size(),
          x.next.empty() ? " complete" : " more");
    retained_pages.push_back(std::move(x));
  }
  void retained_changed(int by) override { retained_count += by; }
  void dropped(protocol::drop_reason why, std::size_t count) override {
    write("dropped ", static_cast<unsigned>(why), ' ', count);
  }

private:
  template <class... Ts>
  void write(const Ts&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    lines.push_back(text.str());
  }
};

/// A state machine with a clock of its own.
struct test_shard {
  explicit test_shard(const cluster::shard_options& options = {.shard = 3})
    : state(options, effects) {}

  /// Applies one command now. @returns the lines it led to.
  std::vector<std::string> operator()(cluster::command x) {
    state.apply(x, now);
    return effects.take();
  }
  /// Time passes, and timers with it.
  std::vector<std::string> wait(std::chrono::seconds time) {
    now += time;
    return (*this)(cluster::time_command{});
  }
  std::vector<std::string> publish(message_ptr x) {
    return (*this)(cluster::publish_command{std::move(x), {}, 0, 0, true});
  }

  recorder effects;
  cluster::shard_state_machine state;
  time_point now = start_time;
};

using lines = std::vector<std::string>;

} // namespace troupe::test
