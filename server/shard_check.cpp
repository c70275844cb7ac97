#include "server/shard_check.hpp"

#include "cluster/retained_scan.hpp"
#include "storage/keys.hpp"

#include <algorithm>
#include <set>

namespace troupe::server {

using cluster::row_family;
using cluster::timer_kind;

namespace {

constexpr std::size_t most_problems = 100;

std::string behind(std::uint64_t sequence, const cluster::applied_row& at) {
  return "message " + std::to_string(sequence) + ", the last one is "
         + std::to_string(at.sequence);
}

std::string number(std::uint32_t filter) {
  return "filter " + std::to_string(filter);
}

/// Keeps the last row.
struct one_row final : cluster::row_target {
  cluster::session_row session;
  cluster::message_row message;
  void load_session(const std::string&, cluster::session_row&& x) override {
    session = std::move(x);
  }
  void load_message(std::uint64_t, cluster::message_row&& x) override {
    message = std::move(x);
  }
};

} // namespace

void shard_check::tell(const std::string& what) {
  if (problems_.size() == most_problems)
    ++more_problems_;
  else
    problems_.push_back("shard " + std::to_string(shard_) + ": " + what);
}

std::vector<std::string> shard_check::problems() const {
  auto all = problems_;
  if (more_problems_ != 0)
    all.push_back("shard " + std::to_string(shard_) + ": and "
                  + std::to_string(more_problems_) + " more");
  return all;
}

// ---- reading ----------------------------------------------------------------

void shard_check::read(row_family family) {
  const auto prefix = storage::key_of(shard_);
  const auto rows = rows_.open(family, prefix);
  for (rows->seek(prefix); rows->valid(); rows->next())
    cluster::load_row(family, rows->key(), rows->value(), shard_, times_,
                      *this);
}

bool shard_check::has_rows() const {
  const auto prefix = storage::key_of(shard_);
  for (std::size_t i = 0; i < cluster::row_family_names.size(); ++i) {
    const auto rows = rows_.open(static_cast<row_family>(i), prefix);
    rows->seek(prefix);
    if (rows->valid())
      return true;
  }
  return false;
}

void shard_check::run() {
  const auto applied =
    rows_.get(row_family::applied, cluster::applied_key(shard_));
  if (!applied) {
    if (has_rows())
      tell("it has rows, but not the one that says where it stands");
    return;
  }
  // Of its own time, so that no deadline is too far away to be told.
  times_ = {cluster::time_point{}, cluster::stored_time(*applied)};
  for (const auto family :
       {row_family::applied, row_family::filter, row_family::holder,
        row_family::group, row_family::message, row_family::backlog,
        row_family::session, row_family::owned, row_family::timer,
        row_family::retained, row_family::exclusive, row_family::outbox,
        row_family::inbound})
    read(family);
  for (const auto& [id, x] : filters_) {
    if (x.holders != x.found)
      tell(number(id) + " has " + std::to_string(x.holders)
           + " holders, there are rows of " + std::to_string(x.found));
    if (x.found == 0)
      tell(number(id) + " has no holder");
    if (x.shared && !x.has_group)
      tell(number(id) + " is shared and has no row of its group");
  }
  compare_counts();
}

void shard_check::compare_counts() {
  const auto compare = [&](const char* what, std::uint64_t said,
                           std::uint64_t found) {
    if (said != found)
      tell("it has " + std::to_string(said) + ' ' + what
           + " as it says, there are rows of " + std::to_string(found));
  };
  // Not the backlog: it may be off after a crash.
  compare("sessions", at_.sessions, counted_.sessions);
  compare("sessions without an owner", at_.offline, counted_.offline);
  compare("retained messages", at_.retained, counted_.retained);
  compare("delayed messages", at_.delayed, counted_.delayed);
}

// ---- filters ----------------------------------------------------------------

void shard_check::load_filter(cluster::filter_name&& name,
                              const cluster::filter_row& x) {
  if (x.id >= at_.next_filter)
    tell("filter " + name.filter + " has number " + std::to_string(x.id)
         + ", which is still to be given");
  const auto [at, fresh] = filters_.try_emplace(x.id);
  if (!fresh) {
    tell("filter " + name.filter + " has number " + std::to_string(x.id)
         + ", which another one has");
    return;
  }
  at->second.holders = x.holders;
  at->second.shared = name.shared();
}

void shard_check::load_holder_cursor(const std::string& client_id,
                                     std::uint64_t sequence) {
  holder_ = client_id;
  cursor_ = sequence;
  if (sequence > at_.sequence)
    tell(client_id + " is done up to " + behind(sequence, at_));
}

void shard_check::load_holder(const std::string& client_id,
                              std::uint32_t filter,
                              const cluster::holder_row& x) {
  if (x.start > at_.sequence)
    tell(client_id + " holds " + number(filter) + " behind "
         + behind(x.start, at_));
  const auto at = filters_.find(filter);
  if (at == filters_.end()) {
    tell(client_id + " holds " + number(filter) + ", which is not there");
    return;
  }
  ++at->second.found;
  const auto cursor = client_id == holder_ ? cursor_ : 0;
  if (!at->second.shared)
    at->second.done = std::min(at->second.done, std::max(cursor, x.start));
}

void shard_check::load_group(std::uint32_t filter, cluster::group_row&& x) {
  if (x.up_to > at_.sequence
      || (!x.done.empty() && x.done.back() > at_.sequence))
    tell("the group of " + number(filter) + " is done up to "
         + behind(x.done.empty() ? x.up_to : x.done.back(), at_));
  const auto at = filters_.find(filter);
  if (at == filters_.end() || !at->second.shared) {
    tell("there is a group of " + number(filter)
         + (at == filters_.end() ? ", which is not there"
                                 : ", which is not shared"));
    return;
  }
  at->second.has_group = true;
  at->second.done = x.open.empty() ? x.up_to : x.open.front() - 1;
}

// ---- messages ---------------------------------------------------------------

void shard_check::load_message(std::uint64_t sequence, cluster::message_row&&) {
  if (sequence > at_.sequence)
    tell("there is " + behind(sequence, at_));
}

void shard_check::load_page(std::uint32_t filter, std::uint64_t last,
                            cluster::page_row&& x) {
  if (last > at_.sequence)
    tell("a page of " + number(filter) + " has " + behind(last, at_));
  const auto at = filters_.find(filter);
  if (at == filters_.end())
    return; // nobody needs it: it is cleaned away some day
  for (const auto& entry : x.entries) {
    if (entry.message || entry.sequence <= at->second.done)
      continue;
    const auto of =
      number(filter) + " needs message " + std::to_string(entry.sequence);
    const auto key = cluster::message_key(shard_, entry.sequence);
    const auto value = rows_.get(row_family::message, key);
    if (!value) {
      tell(of + ", which is not there");
      continue;
    }
    one_row row;
    cluster::load_row(row_family::message, key, *value, shard_, times_, row);
    const auto& listed = row.message.filters;
    if (std::find(listed.begin(), listed.end(), filter) == listed.end())
      tell(of + ", which does not know of it");
  }
}

void shard_check::load_retained(cluster::retained_row&& x) {
  ++counted_.retained;
  const std::string topic{x.message->topic()};
  if (x.sequence > at_.sequence)
    tell("retained message of " + topic + " is " + behind(x.sequence, at_));
  // One that was replaced may have left its own: that does nothing.
  if (x.message->has_expiry()
      && !is_there(
        row_family::timer,
        cluster::timer_row_key(shard_,
                               {x.message->expires_at(), timer_kind::retained,
                                cluster::retained_key(topic)},
                               times_)))
    tell("retained message of " + topic + " expires, but has no timer");
}

// ---- sessions ---------------------------------------------------------------

void shard_check::load_session(const std::string& client_id,
                               cluster::session_row&& x) {
  ++counted_.sessions;
  counted_.offline += x.owned ? 0 : 1;
  if (x.epoch > at_.last_epoch)
    tell(client_id + " has epoch " + std::to_string(x.epoch)
         + ", the last one given is " + std::to_string(at_.last_epoch));
  if (x.owned
      && !is_there(row_family::owned, cluster::owned_key(shard_, client_id)))
    tell(client_id + " has an owner, but is not among those that have");
  for (const auto& [due, kind] : {std::pair{x.will_due, timer_kind::will},
                                  std::pair{x.expires, timer_kind::session}})
    if (due != cluster::never
        && !is_there(
          row_family::timer,
          cluster::timer_row_key(shard_, {due, kind, client_id}, times_)))
      tell(client_id
           + (kind == timer_kind::will ? " has a Will that is due" : " expires")
           + ", but has no timer");
  std::set<std::uint16_t> identifiers;
  for (const auto& y : x.record->kept)
    if (y.packet_identifier != 0
        && !identifiers.insert(y.packet_identifier).second)
      tell(client_id + " has Packet Identifier "
           + std::to_string(y.packet_identifier) + " in flight twice");
}

/// @returns one without a record if there is none.
cluster::session_row
shard_check::session_of(const std::string& client_id) const {
  one_row row;
  const auto key = cluster::session_key(shard_, client_id);
  if (const auto value = rows_.get(row_family::session, key))
    cluster::load_row(row_family::session, key, *value, shard_, times_, row);
  return std::move(row.session);
}

void shard_check::load_owned(const std::string& client_id) {
  const auto session = session_of(client_id);
  if (session.record == nullptr)
    tell(client_id + " is owned, but has no session");
  else if (!session.owned)
    tell(client_id + " is owned, but its session says that it is not");
}

void shard_check::compare_timer(const std::string& client_id, timer_kind kind,
                                cluster::time_point due) {
  const auto* name = kind == timer_kind::will ? "Will" : "session";
  const auto session = session_of(client_id);
  if (session.record == nullptr)
    tell(client_id + " has a timer of its " + name + ", but no session");
  else if (due
           != (kind == timer_kind::will ? session.will_due : session.expires))
    tell(client_id + " has a timer of its " + name
         + " that its session does not know");
}

void shard_check::load_timer(cluster::timer_row&& x) {
  const auto& [due, kind, of] = x.first;
  switch (kind) {
  case timer_kind::delayed:
    ++counted_.delayed;
    if (of.size() != sizeof(std::uint64_t)
        || storage::get<std::uint64_t>(of) >= at_.next_delayed)
      tell("a delayed message to " + std::string{x.second->topic()}
           + " has a number that is still to be given");
    break;
  case timer_kind::will:
  case timer_kind::session:
    compare_timer(of, kind, due);
    break;
  case timer_kind::retained:
    break; // see `load_retained`
  }
}

} // namespace troupe::server
