#include "tests/simulator/history.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::simulator {

namespace {

std::string_view cut_level(std::string_view& rest) {
  const auto end = rest.find('/');
  const auto level = rest.substr(0, end);
  rest = end == rest.npos ? std::string_view{} : rest.substr(end + 1);
  return level;
}

/// Its own form of what a filter means: plain names without `$`.
std::size_t levels(std::string_view text) {
  return 1
         + static_cast<std::size_t>(std::count(text.begin(), text.end(), '/'));
}

} // namespace

bool matches(std::string_view filter, std::string_view topic) {
  const auto wanted = levels(filter);
  const auto there = levels(topic);
  for (std::size_t i = 0; i < wanted; ++i) {
    const auto level = cut_level(filter);
    if (level == "#")
      return true;
    if (i == there || (level != "+" && level != cut_level(topic)))
      return false;
    if (level == "+")
      cut_level(topic);
  }
  return wanted == there;
}

void history::violated(const char* invariant, const std::string& text) {
  violations.push_back(std::string{invariant} + ": " + text);
}

std::string history::say(const publication& x) const {
  auto text = "publication " + std::to_string(x.index) + " of "
              + members[x.publisher].name + " to " + x.topic + ", QoS "
              + std::to_string(static_cast<int>(x.qos)) + ", sent at "
              + std::to_string(x.sent);
  if (x.resent != 0)
    text += ", again at " + std::to_string(x.last_sent);
  if (x.accepted != not_yet)
    text += ", acknowledged at " + std::to_string(x.accepted);
  return text;
}

// ---- members ---------------------------------------------------------------

std::size_t history::add_member(std::string name, bool durable) {
  members.emplace_back();
  members.back().name = std::move(name);
  members.back().durable = durable;
  return members.size() - 1;
}

void history::session_ended(std::size_t who) {
  auto& x = members[who];
  x.subscriptions.clear();
  x.got.clear();
  x.newest.clear();
  x.session_ended = now;
}

void history::connecting(std::size_t who, bool clean_start) {
  for (auto& x : wills)
    if (x.client == who) {
      x.session_over |= clean_start;
      x.back_at = x.back ? x.back_at : time;
      x.back = true;
    }
  if (clean_start)
    session_ended(who);
}

void history::connected(std::size_t who, bool session_present) {
  auto& x = members[who];
  x.connected = true;
  x.life = life;
  x.reads = not_yet;
  for (auto& w : wills) {
    if (w.client != who || !w.ended)
      continue;
    if (!session_present)
      w.session_over = true;
    else if (!w.session_over && time < w.ended_at + w.delay && w.came == 0)
      w.resumed_in_time = true;
  }
}

void history::closed(std::size_t who, bool session_ends) {
  auto& x = members[who];
  x.connected = false;
  ++x.connection;
  x.reads = not_yet;
  for (auto& w : wills)
    if (w.client == who && !w.ended) {
      w.ended = true;
      w.ended_at = time;
      w.session_over |= session_ends;
    }
  if (session_ends)
    session_ended(who);
}

subscription& history::subscribes(std::size_t who, std::string filter,
                                  std::string share) {
  auto& all = members[who].subscriptions;
  for (auto& x : all)
    if (x.filter == filter && x.share == share && x.withdrawn == not_yet)
      return x; // in force all the time
  auto& x = all.emplace_back();
  x.filter = std::move(filter);
  x.share = std::move(share);
  x.asked = now;
  return x;
}

void history::node_ended() {
  ++life;
  node_stops = false;
  for (auto& x : wills)
    x.goodbye_is_unheard |= x.said_goodbye && !x.goodbye_is_certain;
}

void history::node_is_idle() {
  for (auto& x : wills) {
    if (x.ended && x.noticed_at < milliseconds{0})
      x.noticed_at = time;
    x.goodbye_is_certain |= x.said_goodbye && !x.goodbye_is_unheard;
  }
}

// ---- publications ----------------------------------------------------------

publication& history::publish(std::size_t publisher, std::string topic) {
  auto& x = publications.emplace_back();
  x.index = publications.size() - 1;
  x.publisher = publisher;
  x.topic = std::move(topic);
  x.sent = x.last_sent = now;
  x.at = time;
  x.life = life;
  return x;
}

void history::resent(std::size_t index) {
  auto& x = publications[index];
  ++x.resent;
  x.last_sent = now;
}

void history::accepted(std::size_t index) {
  publications[index].accepted = now;
}

void history::received(std::size_t who, std::string_view topic,
                       std::string_view payload, const arrival& how) {
  auto& to = members[who];
  ++deliveries;
  std::size_t index = 0;
  const auto [end, bad] =
    std::from_chars(payload.data(), payload.data() + payload.size(), index);
  if (bad != std::errc{} || index >= publications.size()
      || publications[index].topic != topic) {
    violated("payload", to.name + " got " + std::string{payload} + " as "
                          + std::string{topic} + ", which nobody sent");
    return;
  }
  const auto& x = publications[index];
  const bool wanted =
    std::any_of(to.subscriptions.begin(), to.subscriptions.end(),
                [&](const subscription& s) {
                  return matches(s.filter, topic)
                         && (s.ended == not_yet || s.ended > x.sent);
                });
  if (!wanted)
    violated("I6", to.name + " got what it has no subscription for: " + say(x));
  auto& before = to.got[index];
  if (how.retain) {
    check_fresh(to, x);
  } else if (!to.share.empty()) {
    auto& all = groups_[{to.share, index}];
    all.arrivals.emplace_back(who, how);
    check_group_repeats(x, all);
  } else {
    check_repeats(to, x, how, before);
    check_order(to, x, how);
  }
  before.push_back(how);
}

bool history::is_owed(std::size_t who, std::string_view payload) const {
  std::size_t index = 0;
  std::from_chars(payload.data(), payload.data() + payload.size(), index);
  if (index >= publications.size())
    return true; // a will's number
  const auto& x = publications[index];
  const auto& all = members[who].subscriptions;
  return std::any_of(all.begin(), all.end(), [&](const subscription& s) {
    return s.qos == qos::exactly_once && s.granted < x.sent
           && matches(s.filter, x.topic);
  });
}

void history::acknowledged(std::size_t who, std::string_view payload) {
  const auto& from = members[who];
  std::size_t index = 0;
  std::from_chars(payload.data(), payload.data() + payload.size(), index);
  if (!from.share.empty())
    groups_[{from.share, index}].acknowledged = true;
}

void history::check_group_repeats(const publication& x,
                                  const group_share& all) {
  const bool once =
    std::any_of(all.arrivals.begin(), all.arrivals.end(), [](const auto& one) {
      return one.second.qos == qos::exactly_once;
    });
  if (!once || all.arrivals.size() == 1)
    return;
  std::string who;
  for (const auto& [name, how] : all.arrivals)
    who += ", " + members[name].name + " at " + std::to_string(how.at);
  violated("I9", "a group got it twice" + who + ": " + say(x));
}

void history::check_repeats(const member& to, const publication& x,
                            const arrival& how,
                            const std::vector<arrival>& all) {
  const arrival* first = nullptr;
  std::size_t here = 0; // in this connection
  bool dup = how.dup;
  for (const auto& one : all) {
    // A copy for an overlapping subscription at QoS 0 is one of its own
    // (MQTT 5.0 section 3.3.4).
    if (one.retain
        || (one.qos == qos::at_most_once) != (how.qos == qos::at_most_once))
      continue;
    first = first == nullptr ? &one : first;
    if (one.connection == how.connection) {
      ++here;
      dup |= one.dup;
    }
  }
  if (first == nullptr)
    return;
  const auto text = to.name + " got it again, QoS "
                    + std::to_string(static_cast<int>(how.qos)) + ", first at "
                    + std::to_string(first->at) + ": " + say(x);
  if (x.qos == qos::exactly_once
      && (how.qos == qos::exactly_once || first->qos == qos::exactly_once))
    violated("I2", text);
  else if (how.qos == qos::at_most_once ? here > x.resent
                                        : here > 0 && !dup && here > x.resent)
    violated("I2", text + "; no reconnect, no DUP");
}

void history::check_order(member& to, const publication& x,
                          const arrival& how) {
  if (x.delay.count() >= 0)
    return; // of its own time
  if (std::any_of(to.got[x.index].begin(), to.got[x.index].end(),
                  [](const arrival& one) { return !one.retain; }))
    return; // not the first time
  auto& newest = to.newest[{x.publisher, x.topic, how.qos}];
  const bool owed_at_first =
    std::any_of(to.subscriptions.begin(), to.subscriptions.end(),
                [&](const subscription& s) {
                  return s.granted < x.sent && matches(s.filter, x.topic);
                });
  // Sent again, it is another message to whoever was not to have the first, or
  // for whom that expired.
  if (newest > x.index + 1 && (x.resent == 0 || (owed_at_first && !x.expires)))
    violated("I3", to.name + " got it behind " + std::to_string(newest - 1)
                     + ", QoS " + std::to_string(static_cast<int>(how.qos))
                     + ": " + say(x));
  newest = std::max(newest, x.index + 1);
}

/// A register with many writers: whoever was done before another one began and
/// was acknowledged is gone. A publisher's own come in order, each time it
/// sends them.
bool history::overwritten(const publication& x, moment before) const {
  return std::any_of(
    publications.begin(), publications.end(), [&](const publication& later) {
      return later.retain && later.topic == x.topic && later.accepted < before
             && later.index != x.index
             && (x.accepted < later.sent
                 || (x.publisher == later.publisher
                     && x.last_sent < later.sent));
    });
}

void history::check_fresh(const member& to, const publication& x) {
  if (to.reads != not_yet && overwritten(x, to.reads))
    violated("I8", to.name + " asked at " + std::to_string(to.reads)
                     + " and got as retained what is older than the last "
                       "acknowledged: "
                     + say(x));
}

} // namespace troupe::simulator
