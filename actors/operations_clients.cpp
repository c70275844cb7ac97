// Connected clients, their subscriptions, and how busy they are.

#include "actors/operations.hpp"

#include <algorithm>
#include <map>
#include <mutex>

namespace troupe::actors {

namespace {

/// Keeps the first `most` by `before`, and some more for a while.
template <class Row, class Before>
void keep_first(std::vector<Row>& rows, std::size_t most, Before&& before,
                bool whole) {
  if (!whole && rows.size() < 2 * most + 64)
    return;
  if (rows.size() > most) {
    std::nth_element(rows.begin(),
                     rows.begin() + static_cast<std::ptrdiff_t>(most),
                     rows.end(), before);
    rows.resize(most);
  }
  if (whole)
    std::sort(rows.begin(), rows.end(), before);
}

std::string whole_filter(const std::string& share_name,
                         const std::string& filter) {
  if (share_name.empty())
    return filter;
  return (share_name.starts_with('$') ? share_name : "$share/" + share_name)
         + '/' + filter;
}

} // namespace

operations::clients_found operations::clients(const client_filter& which,
                                              std::size_t most) {
  clients_found found;
  std::mutex guard;
  const auto by_id = [](const connection::info& a, const connection::info& b) {
    return a.client_id < b.client_id;
  };
  on_clients([&](home&, connection& x) {
    const auto* its = x.its_session();
    if (its == nullptr || its->client_id().find(which.like) == std::string::npos
        || (!which.listener.empty() && x.scope().id() != which.listener)
        || (!which.user_name.empty()
            && (x.user_name() == nullptr || *x.user_name() != which.user_name)))
      return;
    auto row = x.describe();
    const std::lock_guard lock(guard);
    ++found.all;
    found.rows.push_back(std::move(*row));
    keep_first(found.rows, most, by_id, false);
  });
  keep_first(found.rows, most, by_id, true);
  return found;
}

bool operations::disconnect(const std::string& client_id, bool discard) {
  std::mutex guard;
  std::optional<std::size_t> where;
  on_clients([&](home& on, connection& x) {
    const auto* its = x.its_session();
    if (its == nullptr || its->client_id() != client_id)
      return;
    {
      const std::lock_guard lock(guard);
      where = on.index();
    }
    client_event gone{
      kick{protocol::reason_code::administrative_action, discard}};
    x.handle(gone);
  });
  if (!where)
    return false;
  // Its release is in its shard's mailbox before this question, and answered
  // when that is committed.
  ask(*where, [client_id](home& on, client_ref who) {
    cluster::retained_read behind;
    behind.filter = client_id;
    behind.who = who;
    behind.limit = 1;
    on.to_shard(on.shard_of(client_id), std::move(behind));
  });
  return true;
}

// ---- subscriptions ---------------------------------------------------------

operations::subscriptions_found
operations::subscriptions(const std::string& client_id,
                          const subscription_filter& which, std::size_t most) {
  subscriptions_found found;
  std::mutex guard;
  const auto by_client = [](const subscription& a, const subscription& b) {
    return std::tie(a.client_id, a.what.filter, a.what.share_name)
           < std::tie(b.client_id, b.what.filter, b.what.share_name);
  };
  const auto add = [&](const std::string& client, bool connected,
                       session::subscription_info&& what) {
    if (which && !which(whole_filter(what.share_name, what.filter)))
      return;
    const std::lock_guard lock(guard);
    ++found.all;
    found.rows.push_back({client, connected, std::move(what)});
    keep_first(found.rows, most, by_client, false);
  };
  on_clients([&](home&, connection& x) {
    if (const auto* its = x.its_session();
        its != nullptr && (client_id.empty() || its->client_id() == client_id))
      for (auto& what : its->describe_subscriptions())
        add(its->client_id(), true, std::move(what));
  });
  const auto add_offline = [&](offline_session&& x) {
    for (auto& one : x.subscriptions)
      add(x.client_id, false,
          {one.exclusive ? "$exclusive" : one.share_name, one.filter,
           one.options, one.identifier});
  };
  if (client_id.empty())
    for_each_offline(add_offline);
  else if (auto one = offline(client_id))
    add_offline(std::move(*one));
  keep_first(found.rows, most, by_client, true);
  return found;
}

operations::filters_found operations::filters(std::string_view like,
                                              std::size_t most) {
  std::map<std::string, filter_count> all;
  std::mutex guard;
  const auto add = [&](std::string&& filter,
                       std::uint64_t filter_count::*counted) {
    if (filter.find(like) == std::string::npos)
      return;
    const std::lock_guard lock(guard);
    ++(all[std::move(filter)].*counted);
  };
  on_clients([&](home&, connection& x) {
    if (const auto* its = x.its_session())
      for (auto& what : its->describe_subscriptions())
        add(whole_filter(what.share_name, what.filter),
            &filter_count::connected);
  });
  for_each_offline([&](offline_session&& x) {
    for (auto& one : x.subscriptions)
      add(
        whole_filter(one.exclusive ? "$exclusive" : one.share_name, one.filter),
        &filter_count::offline);
  });
  filters_found found;
  found.all = all.size();
  for (auto& [filter, x] : all) {
    if (found.rows.size() == most)
      break;
    found.rows.push_back(std::move(x));
    found.rows.back().filter = filter;
  }
  return found;
}

// ---- activity --------------------------------------------------------------

operations::activity_found operations::look(std::size_t most) {
  activity_found found;
  std::mutex guard;
  const auto now = [](home& on) { return on.now(); };
  std::vector<double> seconds(shared_.homes.size(), 0);
  // By reactor, so that nobody waits for another one.
  std::vector<activity_found> parts(shared_.homes.size());
  on_all([&](home& on) {
    auto& mine = on.watch_activity();
    auto& part = parts[on.index()];
    if (mine.sampled_at != std::chrono::steady_clock::time_point{}) {
      part.over = std::chrono::duration_cast<std::chrono::milliseconds>(
        now(on) - mine.sampled_at);
      seconds[on.index()] = std::chrono::duration<double>(part.over).count();
    }
    mine.sampled_at = now(on);
    part.topics_are_lower_bounds = mine.topics.missed() != 0;
    for (auto& x : mine.topics.take(most))
      if (seconds[on.index()] > 0)
        part.topics.push_back(
          {std::move(x.name),
           static_cast<double>(x.messages) / seconds[on.index()],
           static_cast<double>(x.bytes) / seconds[on.index()]});
  });
  const auto put = [most](std::vector<busy_client>& to, const busy_client& x,
                          auto value) {
    if (value(x) <= decltype(value(x)){}
        || (to.size() == most && value(to.back()) >= value(x)))
      return;
    const auto at = std::upper_bound(
      to.begin(), to.end(), x, [&](const busy_client& a, const busy_client& b) {
        return value(a) > value(b);
      });
    to.insert(at, x);
    if (to.size() > most)
      to.pop_back();
  };
  const auto put_all = [&](activity_found& to, const busy_client& x) {
    put(to.busiest, x, [](const busy_client& c) { return c.messages; });
    put(to.largest, x, [](const busy_client& c) { return c.bytes; });
    put(to.longest, x, [](const busy_client& c) { return c.queued; });
    put(to.slowest, x, [](const busy_client& c) { return c.blocked_for; });
  };
  on_clients([&](home& on, connection& x) {
    const auto* its = x.its_session();
    if (its == nullptr)
      return;
    auto& mine = on.watch_activity();
    const auto who = x.self();
    if (mine.samples.size() <= who.slot)
      mine.samples.resize(who.slot + 1);
    auto& before = mine.samples[who.slot];
    busy_client row;
    const auto over = seconds[on.index()];
    if (before.generation == who.generation && over > 0) {
      row.messages = static_cast<double>(x.messages() - before.messages) / over;
      row.bytes = static_cast<double>(x.bytes() - before.bytes) / over;
    }
    before = {who.generation, x.messages(), x.bytes()};
    row.queued = its->rules().queued();
    row.blocked_for = x.blocked_for();
    if (row.messages <= 0 && row.bytes <= 0 && row.queued == 0
        && row.blocked_for.count() == 0)
      return;
    row.client_id = its->client_id();
    row.listener = x.scope().id();
    put_all(parts[on.index()], row);
  });
  std::map<std::string, busy_topic> topics;
  for (auto& part : parts) {
    found.over = std::max(found.over, part.over);
    found.topics_are_lower_bounds |= part.topics_are_lower_bounds;
    for (const auto* list :
         {&part.busiest, &part.largest, &part.longest, &part.slowest}) {
      for (const auto& x : *list) {
        const auto into = list == &part.busiest   ? &activity_found::busiest
                          : list == &part.largest ? &activity_found::largest
                          : list == &part.longest ? &activity_found::longest
                                                  : &activity_found::slowest;
        (found.*into).push_back(x);
      }
    }
    for (auto& x : part.topics) {
      auto& to = topics[x.name];
      to.name = x.name;
      to.messages += x.messages;
      to.bytes += x.bytes;
    }
  }
  const auto cut = [most](auto& list, auto value) {
    std::sort(list.begin(), list.end(), [&](const auto& a, const auto& b) {
      return value(a) > value(b);
    });
    if (list.size() > most)
      list.resize(most);
  };
  cut(found.busiest, [](const busy_client& c) { return c.messages; });
  cut(found.largest, [](const busy_client& c) { return c.bytes; });
  cut(found.longest, [](const busy_client& c) { return c.queued; });
  cut(found.slowest, [](const busy_client& c) { return c.blocked_for; });
  for (auto& [name, x] : topics)
    found.topics.push_back(std::move(x));
  cut(found.topics, [](const busy_topic& t) { return t.messages; });
  return found;
}

} // namespace troupe::actors
