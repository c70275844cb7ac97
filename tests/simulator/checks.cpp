// What has to have happened when nothing is on its way any more.

#include "tests/simulator/history.hpp"

#include <algorithm>

namespace troupe::simulator {

namespace {

/// How long a timer of the node may take to be noticed: its wheel has ticks,
/// and a shard commits before it acts.
constexpr milliseconds slack{1'500};

} // namespace

void history::check_quiet() {
  check_lost();
  check_groups();
  check_retained();
  check_wills();
}

/// Whether it is to have been delivered, if anybody was to have it.
bool history::due(const publication& x) const {
  return x.accepted != not_yet && x.qos != qos::at_most_once && !x.expires
         && (x.delay.count() < 0 || x.at + x.delay + slack < time);
}

void history::check_lost() {
  for (const auto& to : members) {
    if (!to.share.empty() || (!to.durable && !to.connected))
      continue;
    for (const auto& s : to.subscriptions) {
      if (s.granted == not_yet || s.withdrawn != not_yet
          || s.qos == qos::at_most_once)
        continue;
      for (const auto& x : publications)
        if (due(x) && x.sent > s.granted && matches(s.filter, x.topic)
            && !to.got.contains(x.index) && (to.durable || x.life == life))
          violated(to.durable ? "I1" : "I6", to.name + " never got it, whose "
                                               + s.filter + " was granted at "
                                               + std::to_string(s.granted)
                                               + ": " + say(x));
    }
  }
}

void history::check_groups() {
  struct group {
    moment since = not_yet; ///< a durable member has had it
    moment ended = 0;       ///< the session of some member
    std::string filter;
    protocol::qos qos = qos::at_most_once;
  };
  std::map<std::string, group> all;
  for (const auto& x : members) {
    if (x.share.empty())
      continue;
    auto& its = all[x.share];
    its.ended = std::max(its.ended, x.session_ended);
    for (const auto& s : x.subscriptions)
      if (x.durable && s.granted < its.since && s.withdrawn == not_yet) {
        its.since = s.granted;
        its.filter = s.filter;
        its.qos = s.qos;
      }
  }
  for (const auto& [name, its] : all)
    for (const auto& x : publications) {
      if (its.since == not_yet || !due(x) || x.sent <= its.since
          || !matches(its.filter, x.topic))
        continue;
      // QoS 2 ends with the session of the member it was given to.
      if (std::min(x.qos, its.qos) == qos::exactly_once && its.ended > x.sent)
        continue;
      const auto found = groups_.find({name, x.index});
      if (found == groups_.end() || !found->second.acknowledged)
        violated("I9", "no member of " + name + " acknowledged "
                         + (found == groups_.end() ? "(nor got) " : "") + say(x)
                         + "; a durable member was granted it at "
                         + std::to_string(its.since));
    }
}

void history::check_retained() {
  for (const auto& to : members) {
    if (!to.connected || to.reads == not_yet)
      continue;
    for (const auto& x : publications) {
      if (!x.retain || x.accepted >= to.reads
          || !matches(to.subscriptions.front().filter, x.topic))
        continue;
      const bool got =
        std::any_of(to.got.begin(), to.got.end(), [&](const auto& one) {
          const auto& y = publications[one.first];
          return y.topic == x.topic && y.retain;
        });
      if (!got)
        violated("I8", to.name + " asked at " + std::to_string(to.reads)
                         + " and got nothing retained, but there was "
                         + say(x));
    }
  }
}

// ---- wills -----------------------------------------------------------------

std::string history::say(const will& x) const {
  const auto ms = [](milliseconds at) { return std::to_string(at.count()); };
  return "a will of " + members[x.client].name + ", delay " + ms(x.delay)
         + " ms"
         + (x.ended ? ", connection ended at " + ms(x.ended_at) + " ms" : "")
         + (x.said_goodbye ? ", with DISCONNECT 0x00" : "")
         + (x.back ? ", back at " + ms(x.back_at) + " ms" : "") + ", now "
         + ms(time) + " ms";
}

std::size_t history::set_will(std::size_t client, milliseconds delay) {
  auto& x = wills.emplace_back();
  x.client = client;
  x.delay = delay;
  return wills.size() - 1;
}

void history::will_came(std::size_t number) {
  if (number >= wills.size()) {
    violated("I7", "a will came that nobody set");
    return;
  }
  auto& x = wills[number];
  if (++x.came > 1)
    violated("I7", "published twice: " + say(x));
  if (!x.ended)
    violated("I7", "its client is connected: " + say(x));
  else if (x.goodbye_is_certain)
    violated("I7", "its client said goodbye: " + say(x));
  else if (x.resumed_in_time)
    violated("I7", "its client was back in time: " + say(x));
  else if (!x.session_over && time < x.ended_at + x.delay)
    violated("I7", "too soon: " + say(x));
}

void history::check_wills() {
  for (const auto& x : wills) {
    if (!x.certain || x.said_goodbye || x.noticed_at.count() < 0 || x.came != 0)
      continue;
    const auto by = x.noticed_at + x.delay + slack;
    // With a delay it does not come if the client is back before, which may
    // have been too late to tell.
    if (by < time && (x.delay.count() == 0 || !x.back || x.back_at > by))
      violated("I7", "never published: " + say(x));
  }
}

} // namespace troupe::simulator
