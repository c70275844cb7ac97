#include "server/ctl_subscriptions.hpp"

#include "actors/operations.hpp"
#include "protocol/topic.hpp"
#include "server/ctl_clients.hpp"
#include "server/ctl_lists.hpp"
#include "server/json_fields.hpp"
#include "server/text.hpp"

namespace troupe::server {

namespace json = boost::json;

namespace {

using found = actors::operations::subscriptions_found;

json::array rows_of(const found& all) {
  json::array rows;
  rows.reserve(all.rows.size());
  for (const auto& x : all.rows) {
    const auto& how = x.what.options;
    const auto& share = x.what.share_name;
    rows.push_back(json::object{
      {"clientid", x.client_id},
      {"topic", share.empty()
                  ? x.what.filter
                  : (share == "$exclusive" ? share : "$share/" + share) + '/'
                      + x.what.filter},
      {"qos", static_cast<int>(how.maximum_qos)},
      {"nl", how.no_local ? 1 : 0},
      {"rap", how.retain_as_published ? 1 : 0},
      {"rh", static_cast<int>(how.handling)},
      {"subscription_identifier", x.what.identifier == 0
                                    ? json::value(nullptr)
                                    : json::value(x.what.identifier)},
      {"connected", x.connected}});
  }
  return rows;
}

/// A filter without `$share/NAME/` before it.
std::string_view plain(std::string_view filter) {
  const auto parsed = protocol::parse_subscription_filter(filter);
  return parsed ? parsed.value().filter : filter;
}

} // namespace

json::array subscriptions_of(actors::node& of, const std::string& client_id) {
  return rows_of(
    actors::operations(of).subscriptions(client_id, {}, 1'000'000));
}

table print_subscription_rows(const json::array& from) {
  table rows({"client", "topic filter", "qos", "no local",
              "retain as published", "retain handling", "identifier",
              "connected"});
  for (const auto& one : from) {
    const auto& x = one.as_object();
    rows.add({text_in(x, "clientid"), text_in(x, "topic"), text_in(x, "qos"),
              text_in(x, "nl"), text_in(x, "rap"), text_in(x, "rh"),
              text_in(x, "subscription_identifier"),
              x.at("connected").as_bool() ? "yes" : "no"});
  }
  return rows;
}

ctl_answer subscriptions(actors::node& of, const json::object& with) {
  std::size_t limit = 0;
  if (auto wrong = read_limit(with, limit))
    return *wrong;
  const auto client = text_in(with, "client");
  const auto topic = text_in(with, "topic");
  const auto match = text_in(with, "match");
  if (!topic.empty() && !protocol::parse_subscription_filter(topic))
    return ctl_failure{exit_usage,
                       '"' + printable(topic) + "\" is no topic filter"};
  if (!match.empty() && !protocol::is_valid_topic_name(match))
    return ctl_failure{exit_usage, '"' + printable(match)
                                     + "\" is no topic name: it may have no + "
                                       "and no #, and is not empty"};
  actors::operations ask(of);
  if (!client.empty() && !of.client(client) && !ask.offline(client))
    return ctl_failure{exit_failure,
                       "no client \"" + printable(client)
                         + "\" is connected, and no session of it is kept"};
  const auto all = ask.subscriptions(
    client,
    [&](std::string_view filter) {
      return (topic.empty() || filter == topic)
             && (match.empty() || protocol::matches(plain(filter), match));
    },
    limit);
  return list_answer(rows_of(all), all.all, limit);
}

std::string print_subscriptions(const json::value& answer) {
  return print_list(print_subscription_rows(answer.at("data").as_array()),
                    answer);
}

// ---- topics ----------------------------------------------------------------

ctl_answer topics(actors::node& of, const json::object& with) {
  std::size_t limit = 0;
  if (auto wrong = read_limit(with, limit))
    return *wrong;
  const auto all = actors::operations(of).filters(text_in(with, "like"), limit);
  json::array rows;
  for (const auto& x : all.rows)
    rows.push_back(json::object{{"topic", x.filter},
                                {"node", of.options().name},
                                {"subscribers", x.connected},
                                {"subscribers_offline", x.offline}});
  return list_answer(std::move(rows), all.all, limit);
}

std::string print_topics(const json::value& answer) {
  table rows({"topic filter", "subscribers", "of them away"});
  for (const auto& one : answer.at("data").as_array()) {
    const auto& x = one.as_object();
    const auto away = number_in(x, "subscribers_offline");
    rows.add({text_in(x, "topic"),
              std::to_string(number_in(x, "subscribers") + away),
              std::to_string(away)});
  }
  return print_list(rows, answer);
}

} // namespace troupe::server
