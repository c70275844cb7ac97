#pragma once
// The rows of a shard in memory: written down, put back, and as text.

#include "cluster/retained_scan.hpp"
#include "cluster/row_codec.hpp"
#include "tests/cluster/memory_rows.hpp"
#include "tests/cluster/support.hpp"

#include <algorithm>

namespace troupe::test {

/// As the times of these tests are stored.
inline const cluster::time_base test_times{start_time, 1'700'000'000'000};

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

/// The rows of a shard, decoded.
class row_store final : public cluster::row_target {
public:
  cluster::applied_row at;
  std::map<std::string, cluster::session_row> sessions;
  std::set<std::string> owned;
  std::map<std::uint32_t, cluster::filter_name> filters;
  std::map<std::uint32_t, std::uint64_t> holder_counts;
  std::map<std::pair<std::uint32_t, std::string>, cluster::holder_row> holders;
  std::map<std::string, std::uint64_t> cursors;
  std::map<std::uint32_t, cluster::group_row> groups;
  /// By sequence: what is on pages, for which filters.
  std::map<std::uint64_t, std::pair<message_ptr, std::set<std::uint32_t>>>
    messages;
  std::map<std::string, cluster::retained_row> retained_messages;
  std::map<cluster::timer_key, message_ptr> timers;
  std::set<std::string> exclusive; ///< "client filter"
  std::map<std::pair<std::uint16_t, std::uint64_t>, cluster::forward_command>
    forwards;
  std::map<std::pair<std::string, std::uint16_t>, std::uint64_t>
    inbound_publications;

  row_store() = default;
  row_store(const memory_rows& from, std::uint16_t shard) {
    for (std::size_t i = 0; i < cluster::row_family_names.size(); ++i) {
      const auto family = static_cast<cluster::row_family>(i);
      for (const auto& [key, value] : from.rows(family))
        cluster::load_row(family, key, value, shard, test_times, *this);
    }
    for (auto& [sequence, x] : messages) // null: nobody needs it any more
      if (!x.first && several_.contains(sequence))
        x.first = several_.at(sequence);
  }

  void load(const cluster::applied_row& x) override { at = x; }
  void load_session(const std::string& id, cluster::session_row&& x) override {
    sessions.emplace(id, std::move(x));
  }
  void load_owned(const std::string& id) override { owned.insert(id); }
  void load_filter(cluster::filter_name&& name,
                   const cluster::filter_row& x) override {
    holder_counts[x.id] = x.holders;
    filters.emplace(x.id, std::move(name));
  }
  void load_holder(const std::string& client_id, std::uint32_t filter,
                   const cluster::holder_row& x) override {
    holders.emplace(std::pair{filter, client_id}, x);
  }
  void load_holder_cursor(const std::string& id, std::uint64_t x) override {
    cursors[id] = x;
  }
  void load_group(std::uint32_t filter, cluster::group_row&& x) override {
    groups.emplace(filter, std::move(x));
  }
  void load_page(std::uint32_t filter, std::uint64_t,
                 cluster::page_row&& x) override {
    for (auto& y : x.entries) {
      auto& [message, wanted] = messages[y.sequence];
      if (y.message)
        message = y.message;
      wanted.insert(filter);
    }
  }
  void load_message(std::uint64_t sequence, cluster::message_row&& x) override {
    several_.emplace(sequence, x.message);
  }
  void load_retained(cluster::retained_row&& x) override {
    retained_messages.emplace(cluster::retained_key(x.message->topic()), x);
  }
  void load_timer(cluster::timer_row&& x) override {
    timers.emplace(std::move(x));
  }
  void load_exclusive(const std::string& client_id,
                      const std::string& filter) override {
    exclusive.insert(client_id + ' ' + filter);
  }
  void load_outbox(std::uint16_t to, cluster::forward_command&& x) override {
    forwards.emplace(std::pair{to, x.sequence}, x);
  }
  void load_inbound(const std::string& client_id, std::uint16_t identifier,
                    std::uint64_t incarnation) override {
    inbound_publications.emplace(std::pair{client_id, identifier}, incarnation);
  }

  /// Up to where a holder is done.
  std::uint64_t done(std::uint32_t filter, const std::string& client_id) const {
    const auto start = holders.at({filter, client_id}).start;
    const auto cursor = cursors.find(client_id);
    return cursor == cursors.end() ? start : std::max(start, cursor->second);
  }
  /// The filters that still need a message. More may have it on their pages,
  /// until these are cleaned away.
  std::set<std::uint32_t> wanted_by(std::uint64_t sequence) const {
    std::set<std::uint32_t> made;
    for (const auto id : messages.at(sequence).second) {
      const auto name = filters.find(id);
      if (name == filters.end())
        continue;
      if (name->second.shared()) {
        const auto& of = groups.at(id);
        const auto in = [&](const auto& all) {
          return std::find(all.begin(), all.end(), sequence) != all.end();
        };
        if (sequence <= of.up_to ? in(of.open) : !in(of.done))
          made.insert(id);
        continue;
      }
      for (const auto& [key, x] : holders)
        if (key.first == id && done(id, key.second) < sequence)
          made.insert(id);
    }
    return made;
  }

  /// Every row as a line; equal states have equal lines.
  std::vector<std::string> dump() const {
    std::vector<std::string> made;
    made.push_back(
      text("applied now ", describe(at.now), " sequence ", at.sequence,
           " epoch ", at.last_epoch, " filter ", at.next_filter, " delayed ",
           at.next_delayed, " forwarded", describe(at.forwarded), " from",
           describe(at.applied_from), " sessions ", at.sessions, " offline ",
           at.offline, " retained ", at.retained, " delayed ", at.delayed));
    for (const auto& [name, x] : sessions)
      made.push_back(
        text("session ", name, " incarnation ", x.incarnation, " epoch ",
             x.epoch, x.owned ? " owned" : " away", " expiry ",
             x.expiry_interval, " expires ", describe(x.expires), " will ",
             x.will ? describe(x.will->message) : "none", " delay ",
             x.will ? x.will->delay.count() : 0, " due ", describe(x.will_due),
             ' ', describe(*x.record)));
    for (const auto& x : owned)
      made.push_back("owned " + x);
    for (const auto& [id, x] : filters)
      made.push_back(text("filter ", id, ' ', x.share_name, ' ', x.filter,
                          " holders ", holder_counts.at(id)));
    for (const auto& [key, x] : holders)
      made.push_back(text("holder ", key.first, ' ', key.second, " start ",
                          x.start, " done ", done(key.first, key.second),
                          " qos ", static_cast<int>(x.options.maximum_qos),
                          " no_local ", x.options.no_local, " identifier ",
                          x.identifier));
    for (const auto& [sequence, x] : messages) {
      const auto wanted = wanted_by(sequence);
      if (wanted.empty())
        continue; // about to be cleaned away
      auto line = text("message ", sequence, ' ', describe(x.first), " for");
      for (const auto id : wanted)
        line += text(' ', id);
      made.push_back(line);
    }
    for (const auto& [key, x] : retained_messages)
      made.push_back(
        text("retained ", key, ' ', x.sequence, ' ', describe(x.message)));
    for (const auto& [key, x] : timers)
      made.push_back(text("timer ", describe(key.due), ' ',
                          static_cast<int>(key.kind), ' ', key.of, ' ',
                          x ? describe(x) : ""));
    for (const auto& x : exclusive)
      made.push_back("exclusive " + x);
    for (const auto& [key, x] : forwards)
      made.push_back(text("outbox ", key.first, ' ', key.second, " from ",
                          x.from, ' ', x.sequence, ' ',
                          describe(x.what->what)));
    for (const auto& [key, x] : inbound_publications)
      made.push_back(text("inbound ", key.first, ' ', key.second, ' ', x));
    return made;
  }

private:
  std::map<std::uint64_t, message_ptr> several_;
};

/// A shard with its disk and the log behind it. It may crash.
struct durable_shard : test_shard {
  explicit durable_shard(cluster::shard_options options)
    : test_shard(with_disk(options)),
      made_with(options) {
    effects.on_read = [this](cluster::disk_wants&& x) {
      reads.push_back(std::move(x));
    };
  }

  std::vector<std::string> operator()(const cluster::command& x) override {
    if (cluster::needs_log(x))
      log.emplace_back(now, copy_of(x));
    apply(x);
    go_on();
    return effects.take();
  }
  /// Answers what is asked, and applies what the shard proposes itself.
  void go_on() {
    answer_reads();
    while (!effects.proposed.empty()) {
      const auto next = std::move(effects.proposed.front());
      effects.proposed.erase(effects.proposed.begin());
      log.emplace_back(now, copy_of(next));
      apply(next);
      answer_reads();
    }
  }
  /// The rows are up to date; what is logged before is not needed any more.
  void snapshot() {
    cluster::row_collector changes{made_with.shard, test_times};
    state.take_changes(++index, changes);
    disk.write(changes.take());
    log.clear();
    state.stored(index, now);
    answer_reads();
    rows = row_store{disk, made_with.shard};
  }
  /// Cleans away what nobody needs.
  void sweep() {
    for (int i = 0; i < 3; ++i) { // sum up, find, delete
      state.sweep(now);
      go_on();
      snapshot();
    }
  }
  void answer_reads() {
    while (!reads.empty()) {
      const auto wants = std::move(reads.front());
      reads.erase(reads.begin());
      state.answer(find(wants), now);
    }
  }
  /// What the node has of this shard when it starts again: rows and log.
  std::unique_ptr<durable_shard> started_again() const {
    auto made = std::make_unique<durable_shard>(made_with);
    made->now = now;
    made->index = index;
    made->disk = disk;
    made->rows = rows;
    made->effects.on_forward = [](auto, auto&&) {};
    made->effects.on_forwarded = [](auto, auto) {};
    cluster::load_shard(disk, made_with.shard, test_times, made->state);
    for (const auto& [at, x] : log) {
      made->now = at;
      made->apply(x);
      made->reads.clear();
    }
    made->now = now;
    made->log = log;
    made->effects.take();
    made->effects.proposed.clear();
    return made;
  }

  cluster::shard_options made_with;
  memory_rows disk;
  row_store rows; ///< of the disk, as of `snapshot`
  std::vector<cluster::disk_wants> reads;
  std::vector<std::pair<time_point, cluster::command>> log;
  std::uint64_t index = 0;

private:
  static cluster::shard_options with_disk(cluster::shard_options options) {
    options.has_disk = true;
    options.tail_bytes = 0; // what is on the disk is read from there
    return options;
  }
  cluster::disk_finds find(const cluster::disk_wants& what) const {
    return cluster::find(disk, made_with.shard, test_times, what);
  }
  void apply(const cluster::command& x) {
    auto own = copy_of(x);
    while (true) {
      cluster::row_wants wants;
      state.want(own, now, wants);
      if (wants.empty())
        break;
      state.answer(find(std::move(wants)), now);
    }
    state.apply(own, now);
  }
};

} // namespace troupe::test
