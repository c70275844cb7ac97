#pragma once
// Messages, random topics and filters, and a shard whose effects are written
// down, for the tests of rules.

#include "cluster/shard_state_machine.hpp"
#include "protocol/hash.hpp"
#include "protocol/topic.hpp"
#include "tests/support/seed.hpp"

#include <functional>
#include <map>
#include <random>
#include <set>
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

template <class... Ts>
std::string text(const Ts&... parts) {
  std::ostringstream made;
  (made << ... << parts);
  return made.str();
}

inline std::string describe(const cluster::hold_command& x) {
  return text(x.holds ? "hold " : "unhold ", x.client_id, ' ',
              x.subscription.filter);
}

/// What shards forward to each other, in words.
inline std::string describe(const cluster::command& of) {
  using namespace cluster;
  if (const auto* x = std::get_if<publish_command>(&of))
    return text("publish ", x->message->topic(), ' ', payload_of(*x->message));
  if (const auto* x = std::get_if<hold_command>(&of))
    return describe(*x);
  if (const auto* x = std::get_if<advance_command>(&of))
    return text("advance ", x->client_id, ' ', x->sequence);
  if (const auto* x = std::get_if<inbound_end_command>(&of))
    return text("inbound_end ", x->what.client_id, ' ', x->what.incarnation,
                ' ', x->what.packet_identifier);
  if (const auto* x = std::get_if<inbound_forget_command>(&of))
    return text("inbound_forget ", x->client_id, ' ', x->incarnation);
  if (const auto* x = std::get_if<group_done_command>(&of))
    return text("done ", x->share_name, ' ', x->filter, ' ', x->sequence);
  return text("command ", of.index());
}

/// Writes each effect down as a line of text; those without a receiver only if
/// they matter to somebody else.
class recorder final : public cluster::shard_effects {
public:
  std::vector<std::string> lines;
  std::vector<cluster::claim_granted> grants;
  std::vector<cluster::fetched_page> pages;
  std::vector<cluster::retained_page> retained_pages;
  int retained_count = 0;
  bool somebody_listens = false;      ///< what `route` answers
  std::set<std::string> live_groups;  ///< "share filter": have a live member
  std::set<std::string> kept_filters; ///< "share filter"
  std::set<std::string> exclusive;    ///< "client filter"
  /// If set, forwards go there and are not written down.
  std::function<void(std::uint16_t, cluster::forward_command&&)> on_forward;
  std::function<void(std::uint16_t, std::uint64_t)> on_forwarded;
  std::function<void(cluster::disk_wants&&)> on_read;
  std::vector<cluster::command> proposed; ///< for the shard itself

  /// What was written down since the last call.
  std::vector<std::string> take() { return std::exchange(lines, {}); }

  void acknowledge(cluster::client_ref to, std::uint32_t token,
                   protocol::reason_code reason) override {
    if (to)
      write("ack ", to.slot, ' ', token, ' ', static_cast<unsigned>(reason));
  }
  void retained_changed(int by) override { retained_count += by; }
  bool route(const message_ptr& x, protocol::shard_position at) override {
    write("route ", x->topic(), ' ', payload_of(*x), ' ', at.sequence);
    return somebody_listens;
  }
  bool has_live_member(const std::string& share_name,
                       const std::string& filter) override {
    return live_groups.contains(share_name + ' ' + filter);
  }
  void route_to_group(const std::string& share_name, const std::string& filter,
                      const message_ptr& x,
                      protocol::shard_position at) override {
    write("group ", share_name, ' ', filter, ' ', payload_of(*x), ' ',
          at.sequence);
  }
  void forward(std::uint16_t to, cluster::forward_command&& x) override {
    if (on_forward)
      on_forward(to, std::move(x));
    else
      write("forward ", to, ' ', x.sequence, ' ', describe(x.what->what));
  }
  void forwarded(std::uint16_t from, std::uint64_t sequence) override {
    if (on_forwarded)
      on_forwarded(from, sequence);
    else
      write("forwarded ", from, ' ', sequence);
  }
  void filter_kept(const std::string& share_name, const std::string& filter,
                   bool kept) override {
    const auto name = share_name + ' ' + filter;
    if (!(kept ? kept_filters.insert(name).second
               : kept_filters.erase(name) != 0))
      write("wrong filter_kept ", name, ' ', kept);
  }
  void exclusive_kept(const std::string& client_id, const std::string& filter,
                      bool kept) override {
    if (kept)
      exclusive.insert(client_id + ' ' + filter);
    else
      exclusive.erase(client_id + ' ' + filter);
  }
  void granted(cluster::client_ref who, const std::string&,
               const cluster::claim_granted& x) override {
    grants.push_back(x);
    write("granted ", who.slot, x.session_present ? " present" : " fresh",
          " epoch ", x.epoch);
  }
  void released(const std::string& client_id) override {
    write("released ", client_id);
  }
  void session_ended(const std::string& client_id,
                     const cluster::session_record& x) override {
    write("ended ", client_id, ' ', x.subscriptions.size());
  }
  void subscribed(cluster::client_ref who, std::uint32_t token) override {
    if (who)
      write("subscribed ", who.slot, ' ', token);
  }
  void held(cluster::client_ref who, std::uint32_t token,
            std::uint64_t start) override {
    if (who)
      write("held ", who.slot, ' ', token, ' ', start);
  }
  void inbound_begun(cluster::client_ref who, std::uint16_t id) override {
    if (who)
      write("begun ", who.slot, ' ', id);
  }
  void inbound_ended(cluster::client_ref who, std::uint16_t id) override {
    if (who)
      write("inbound ended ", who.slot, ' ', id);
  }
  void group_taken(cluster::client_ref who, std::uint16_t id) override {
    write("taken ", who.slot, ' ', id);
  }
  void outbound_noted(cluster::client_ref who) override {
    if (who)
      write("noted ", who.slot);
  }
  void fetched(cluster::client_ref who, cluster::fetched_page&& x) override {
    auto line = text("fetched ", who.slot, " to ", x.up_to,
                     x.complete ? " complete" : " more", x.only ? " only" : "");
    for (const auto& m : x.messages)
      line += text(' ', m.position.sequence, ':', payload_of(*m.message));
    lines.push_back(line);
    pages.push_back(std::move(x));
  }
  void retained(cluster::client_ref who, cluster::retained_page&& x) override {
    write("retained ", who.slot, ' ', x.token, ' ', x.rows.size(),
          x.next.empty() ? " complete" : " more");
    retained_pages.push_back(std::move(x));
  }
  void read(cluster::disk_wants&& what) override { on_read(std::move(what)); }
  void propose_next(cluster::command&& what) override {
    proposed.push_back(std::move(what));
  }
  void dropped(protocol::drop_reason why, std::size_t count) override {
    write("dropped ", static_cast<unsigned>(why), ' ', count);
  }

private:
  template <class... Ts>
  void write(const Ts&... parts) {
    lines.push_back(text(parts...));
  }
};

/// A copy that shares nothing that applying it changes.
inline cluster::command copy_of(const cluster::command& x) {
  auto made = x;
  if (auto* release = std::get_if<cluster::release_command>(&made))
    if (release->record)
      release->record =
        std::make_shared<cluster::session_record>(*release->record);
  return made;
}

/// A state machine with a clock of its own.
struct test_shard {
  explicit test_shard(const cluster::shard_options& options = {.shard = 3})
    : state(options, effects) {}
  test_shard(const test_shard&) = delete;
  test_shard& operator=(const test_shard&) = delete;
  virtual ~test_shard() = default;

  /// Applies one command now. @returns the lines it led to.
  virtual std::vector<std::string> operator()(const cluster::command& x) {
    auto own = copy_of(x);
    state.apply(own, now);
    while (!effects.proposed.empty()) {
      auto next = std::move(effects.proposed.front());
      effects.proposed.erase(effects.proposed.begin());
      state.apply(next, now);
    }
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
