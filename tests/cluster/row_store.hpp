#pragma once
// The rows of a shard in memory: written down, put back, and as text.

#include "tests/cluster/support.hpp"

#include <algorithm>

namespace troupe::test {

inline std::int64_t describe(time_point x) {
  return x == cluster::never ? -1 : (x - start_time).count();
}

inline std::string describe(const message_ptr& x) {
  return text(x->topic(), '=', payload_of(*x), " qos ",
              static_cast<int>(x->qos()), x->retain() ? " retain" : "", " at ",
              describe(x->received_at()), " expires ",
              x->has_expiry() ? describe(x->expires_at()) : -1, " by ",
              x->publisher());
}

inline std::string describe(const std::vector<cluster::cursor>& all) {
  std::string made;
  for (const auto& x : all)
    made += text(' ', x.shard, ':', x.sequence);
  return made;
}

inline std::string describe(const cluster::session_record& of) {
  auto made = text("next ", of.next_packet_identifier,
                   of.published_qos2 ? " qos2" : "", " subscriptions");
  for (const auto& x : of.subscriptions)
    made += text(' ', x.share_name, ':', x.filter, ':',
                 static_cast<int>(x.options.maximum_qos), ':', x.identifier,
                 x.exclusive ? ":exclusive" : "");
  made += " kept";
  for (const auto& x : of.kept)
    made += text(' ', x.packet_identifier, ':', payload_of(*x.what.message),
                 ':', static_cast<int>(x.what.qos), ':', x.released);
  made += " awaiting";
  for (const auto& x : of.awaiting_release)
    made += text(' ', x.packet_identifier, ':', x.shard);
  made += " outbound";
  for (const auto& x : of.outbound)
    made += text(' ', x.packet_identifier, ':', x.position.shard, ':',
                 x.position.sequence, ':', static_cast<int>(x.now));
  return made + " cursors" + describe(of.cursors);
}

/// What `take_changes` writes, without any codec.
class row_store final : public cluster::row_writer {
public:
  cluster::applied_row at;
  std::map<std::string, cluster::session_row> sessions;
  std::map<std::uint32_t, cluster::filter_name> filters;
  std::map<std::pair<std::uint32_t, std::string>, cluster::holder_row> holders;
  std::map<std::uint64_t, cluster::message_row> messages;
  std::map<std::string, cluster::retained_row> retained_messages;
  std::map<std::pair<time_point, std::uint64_t>, cluster::message_row>
    delayed_messages;
  std::map<std::pair<std::uint16_t, std::uint64_t>, cluster::forward_command>
    forwards;
  std::map<std::pair<std::string, std::uint16_t>, std::uint64_t>
    inbound_publications;

  void applied(const cluster::applied_row& x) override { at = x; }
  void session(const std::string& client_id,
               const cluster::session_row* x) override {
    put(sessions, client_id, x);
    if (x != nullptr)
      sessions.at(client_id) = own(*x);
  }
  void filter(std::uint32_t id, const cluster::filter_name* x) override {
    put(filters, id, x);
  }
  void holder(std::uint32_t filter, const std::string& client_id,
              const cluster::holder_row* x) override {
    put(holders, std::pair{filter, client_id}, x);
  }
  void message(std::uint64_t sequence, const cluster::message_row* x) override {
    put(messages, sequence, x);
  }
  void retained(const std::string& key,
                const cluster::retained_row* x) override {
    put(retained_messages, key, x);
  }
  void delayed(time_point due, std::uint64_t id,
               const cluster::message_row* x) override {
    put(delayed_messages, std::pair{due, id}, x);
  }
  void outbox(std::uint16_t to, std::uint64_t sequence,
              const cluster::forward_command* x) override {
    put(forwards, std::pair{to, sequence}, x);
  }
  void inbound(const std::string& client_id, std::uint16_t identifier,
               const std::uint64_t* incarnation) override {
    put(inbound_publications, std::pair{client_id, identifier}, incarnation);
  }

  void load_into(cluster::shard_state_machine& to) const {
    to.load(at);
    for (const auto& [name, x] : sessions)
      to.load_session(name, own(x));
    for (const auto& [id, x] : filters)
      to.load_filter(id, cluster::filter_name{x});
    for (const auto& [key, x] : holders)
      to.load_holder(key.first, key.second, x);
    for (const auto& [sequence, x] : messages)
      to.load_message(sequence, cluster::message_row{x});
    for (const auto& [key, x] : retained_messages)
      to.load_retained(cluster::retained_row{x});
    for (const auto& [key, x] : delayed_messages)
      to.load_delayed(key.first, key.second, cluster::message_row{x});
    for (const auto& [key, x] : forwards)
      to.load_outbox(key.first, cluster::forward_command{x});
    for (const auto& [key, x] : inbound_publications)
      to.load_inbound(key.first, key.second, x);
  }

  /// The filters that still need a message. Its row may list more: those of
  /// sessions are not taken out one by one.
  std::set<std::uint32_t> wanted_by(std::uint64_t sequence) const {
    std::set<std::uint32_t> made;
    for (const auto id : messages.at(sequence).filters) {
      const auto name = filters.find(id);
      if (name == filters.end())
        continue;
      const auto end = holders.upper_bound({id + 1, {}});
      for (auto x = holders.lower_bound({id, {}}); x != end; ++x)
        if (x->first.first == id
            && (!name->second.share_name.empty()
                || x->second.cursor < sequence))
          made.insert(id);
    }
    return made;
  }

  /// Every row as a line; equal states have equal lines.
  std::vector<std::string> dump() const {
    std::vector<std::string> made;
    made.push_back(text("applied now ", describe(at.now), " sequence ",
                        at.sequence, " epoch ", at.last_epoch, " filter ",
                        at.next_filter, " delayed ", at.next_delayed,
                        " forwarded", describe(at.forwarded), " from",
                        describe(at.applied_from)));
    for (const auto& [name, x] : sessions)
      made.push_back(
        text("session ", name, " incarnation ", x.incarnation, " epoch ",
             x.epoch, x.owned ? " owned" : " away", " expiry ",
             x.expiry_interval, " expires ", describe(x.expires), " will ",
             x.will ? describe(x.will->message) : "none", " delay ",
             x.will ? x.will->delay.count() : 0, " due ", describe(x.will_due),
             ' ', describe(*x.record)));
    for (const auto& [id, x] : filters)
      made.push_back(text("filter ", id, ' ', x.share_name, ' ', x.filter));
    for (const auto& [key, x] : holders)
      made.push_back(text("holder ", key.first, ' ', key.second, " cursor ",
                          x.cursor, " qos ",
                          static_cast<int>(x.options.maximum_qos), " no_local ",
                          x.options.no_local, " identifier ", x.identifier));
    for (const auto& [sequence, x] : messages) {
      auto line = text("message ", sequence, ' ', describe(x.message), " for");
      for (const auto id : wanted_by(sequence))
        line += text(' ', id);
      made.push_back(line);
    }
    for (const auto& [key, x] : retained_messages)
      made.push_back(
        text("retained ", key, ' ', x.sequence, ' ', describe(x.message)));
    for (const auto& [key, x] : delayed_messages)
      made.push_back(text("delayed ", describe(key.first), ' ', key.second, ' ',
                          describe(x.message)));
    for (const auto& [key, x] : forwards)
      made.push_back(text("outbox ", key.first, ' ', key.second, " from ",
                          x.from, ' ', x.sequence, ' ',
                          describe(x.what->what)));
    for (const auto& [key, x] : inbound_publications)
      made.push_back(text("inbound ", key.first, ' ', key.second, ' ', x));
    return made;
  }

private:
  template <class Map, class Row>
  static void put(Map& rows, const typename Map::key_type& key, const Row* x) {
    if (x == nullptr)
      rows.erase(key);
    else
      rows.insert_or_assign(key, *x);
  }
  /// A row that shares no record with the shard.
  static cluster::session_row own(const cluster::session_row& x) {
    auto made = x;
    made.record = std::make_shared<cluster::session_record>(*x.record);
    return made;
  }
};

/// A shard with its rows and the log behind them. It may crash.
struct durable_shard : test_shard {
  explicit durable_shard(cluster::shard_options options)
    : test_shard((options.tracks_changes = true, options)),
      made_with(options) {}

  std::vector<std::string> operator()(const cluster::command& x) {
    if (cluster::needs_log(x))
      log.emplace_back(now, copy_of(x));
    return test_shard::operator()(x);
  }
  /// The rows are up to date; what is logged before is not needed any more.
  void snapshot() {
    state.take_changes(++index, rows);
    log.clear();
  }
  /// What the node has of this shard when it starts again: rows and log.
  std::unique_ptr<durable_shard> started_again() const {
    auto made = std::make_unique<durable_shard>(made_with);
    made->now = now;
    made->index = index;
    made->rows = rows;
    made->effects.on_forward = [](auto, auto&&) {};
    made->effects.on_forwarded = [](auto, auto) {};
    rows.load_into(made->state);
    for (const auto& [at, x] : log) {
      auto own = copy_of(x);
      made->state.apply(own, at);
    }
    made->log = log;
    made->effects.take();
    return made;
  }

  cluster::shard_options made_with;
  row_store rows;
  std::vector<std::pair<time_point, cluster::command>> log;
  std::uint64_t index = 0;
};

} // namespace troupe::test
