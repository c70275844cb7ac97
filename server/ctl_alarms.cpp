#include "server/ctl_alarms.hpp"

#include "actors/node.hpp"
#include "actors/trace_event.hpp"
#include "server/json_fields.hpp"
#include "server/table.hpp"

namespace troupe::server {

namespace json = boost::json;

namespace {

json::array rows_of(const std::vector<actors::alarm>& all) {
  json::array rows;
  for (const auto& x : all) {
    json::object details;
    for (const auto& [name, value] : x.details)
      details[name] = value;
    rows.push_back(json::object{
      {"name", x.name},
      {"message", x.message},
      {"details", std::move(details)},
      {"activate_at", actors::utc_of(x.activated_ms)},
      {"deactivate_at", x.deactivated_ms == 0
                          ? json::value(nullptr)
                          : json::value(actors::utc_of(x.deactivated_ms))}});
  }
  return rows;
}

} // namespace

ctl_answer alarms(actors::node& of, const json::object& with) {
  const auto& board = of.alarms();
  return rows_of(text_in(with, "history").empty() ? board.active()
                                                  : board.history());
}

std::string print_alarms(const json::value& answer) {
  const auto& all = answer.as_array();
  if (all.empty())
    return "no alarms\n";
  table rows({"alarm", "since", "until", ""});
  for (const auto& one : all) {
    const auto& x = one.as_object();
    rows.add({text_in(x, "name"), text_in(x, "activate_at"),
              text_in(x, "deactivate_at"), text_in(x, "message")});
  }
  return rows.text();
}

} // namespace troupe::server
