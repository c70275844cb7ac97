#include "server/ctl_backlog.hpp"

#include "actors/node.hpp"
#include "actors/operations.hpp"
#include "protocol/topic.hpp"
#include "server/json_fields.hpp"
#include "server/table.hpp"
#include "server/text.hpp"

#include <boost/json.hpp>

namespace troupe::server {

namespace json = boost::json;

namespace {

std::string name_of(const cluster::filter_name& x) {
  return "$share/" + x.share_name + '/' + x.filter;
}

/// The group that `NAME` and `FILTER` tell.
std::variant<cluster::filter_name, ctl_failure>
group_in(const json::object& with) {
  const cluster::filter_name name{text_in(with, "name"),
                                  text_in(with, "filter")};
  const auto whole = name_of(name);
  const auto parsed = protocol::parse_subscription_filter(whole);
  if (!parsed || parsed.value().share_name != name.share_name
      || parsed.value().filter != name.filter)
    return ctl_failure{exit_usage,
                       '"' + printable(whole)
                         + "\" is no shared subscription: NAME has no /, + or "
                           "#, and FILTER is a topic filter, e.g. troupe ctl "
                           "groups create billing cash/+/paid"};
  return name;
}

ctl_answer declare(actors::node& of, const json::object& with, bool declared) {
  auto name = group_in(with);
  if (auto* why = std::get_if<ctl_failure>(&name))
    return *why;
  const auto& group = std::get<cluster::filter_name>(name);
  if (!actors::operations(of).declare_group(group, declared))
    return ctl_failure{exit_failure,
                       "the shards have not answered in ten seconds: see "
                       "troupe ctl groups list before you try again"};
  return json::object{{"group", name_of(group)}, {"declared", declared}};
}

} // namespace

// ---- backlog ---------------------------------------------------------------

ctl_answer backlog(actors::node& of, const json::object&) {
  json::array rows;
  for (const auto& x : of.pins())
    rows.push_back(json::object{{"clientid", x.what.client_id.empty()
                                               ? json::value(nullptr)
                                               : json::value(x.what.client_id)},
                                {"shard", x.shard},
                                {"filter", x.what.filter},
                                {"messages", x.what.messages},
                                {"bytes", x.what.bytes}});
  return rows;
}

std::string print_backlog(const json::value& answer) {
  table rows(
    {"client furthest behind", "shard", "filter", "messages", "bytes"});
  for (const auto& one : answer.as_array()) {
    const auto& x = one.as_object();
    rows.add({x.at("clientid").is_null() ? "(a group)" : text_in(x, "clientid"),
              text_in(x, "shard"), text_in(x, "filter"), text_in(x, "messages"),
              print_bytes(number_in(x, "bytes"))});
  }
  return rows.text();
}

// ---- groups ----------------------------------------------------------------

ctl_answer groups_list(actors::node& of, const json::object&) {
  json::array rows;
  for (const auto& x : of.groups())
    rows.push_back(json::object{{"group", name_of(x.name)},
                                {"members", x.members},
                                {"declared", x.declared},
                                {"leased", x.leased}});
  return rows;
}

std::string print_groups(const json::value& answer) {
  table rows({"group", "durable members", "declared", "with members now"});
  for (const auto& one : answer.as_array()) {
    const auto& x = one.as_object();
    rows.add({text_in(x, "group"), text_in(x, "members"),
              x.at("declared").as_bool() ? "yes" : "no", text_in(x, "leased")});
  }
  return rows.text();
}

ctl_answer groups_create(actors::node& of, const json::object& with) {
  return declare(of, with, true);
}

ctl_answer groups_delete(actors::node& of, const json::object& with) {
  return declare(of, with, false);
}

std::string print_group(const json::value& answer) {
  const auto& x = answer.as_object();
  return text_in(x, "group")
         + (x.at("declared").as_bool()
              ? " keeps its messages from now on\n"
              : " is no longer declared; it ends with its last member\n");
}

} // namespace troupe::server
