#include "server/ctl_listeners.hpp"

#include "config/text.hpp"
#include "net/tls_context.hpp"
#include "server/broker.hpp"
#include "server/json_fields.hpp"
#include "server/table.hpp"
#include "server/text.hpp"
#include "server/wall_time.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace troupe::server {

namespace json = boost::json;

namespace {

json::value limit_or_infinity(std::uint64_t x) {
  return x == 0 ? json::value("infinity") : json::value(x);
}

json::value rate_or_infinity(const actors::rate_limit& x) {
  if (x.count == 0)
    return "infinity";
  return json::value(config::print(config::rate{x.count, x.per}));
}

std::string print_expiry(std::chrono::system_clock::time_point x) {
  return print_time(
    std::chrono::duration_cast<std::chrono::milliseconds>(x.time_since_epoch())
      .count());
}

json::object object_of(const actors::node::known_listener& x) {
  json::array certificates;
  if (x.of.tls)
    for (const auto& one : x.of.tls->certificates())
      certificates.push_back(
        json::object{{"file", one.file},
                     {"subject", one.subject},
                     {"not_after", print_expiry(one.not_after)}});
  const auto& limits = x.of.limits;
  return {{"id", x.of.id()},
          {"type", x.of.kind_name()},
          {"name", x.of.name},
          {"running", !x.address.empty()},
          {"bind", x.of.bind},
          {"address",
           x.address.empty() ? json::value(nullptr) : json::value(x.address)},
          {"current_connections", x.connections},
          {"max_connections", limit_or_infinity(x.of.max_connections)},
          {"max_conn_rate", rate_or_infinity(x.of.max_conn_rate)},
          {"messages_rate", rate_or_infinity(x.of.messages_rate)},
          {"bytes_rate", rate_or_infinity(x.of.bytes_rate)},
          {"max_packet_size", limits.max_packet_size
                                ? json::value(*limits.max_packet_size)
                                : json::value(nullptr)},
          {"max_inflight", limits.max_inflight
                             ? json::value(*limits.max_inflight)
                             : json::value(nullptr)},
          {"max_qos_allowed", limits.max_qos_allowed
                                ? json::value(*limits.max_qos_allowed)
                                : json::value(nullptr)},
          {"mountpoint", x.of.mountpoint},
          {"enable_authn", x.of.authentication},
          {"enable_authz", x.of.authorization},
          {"proxy_protocol", x.of.proxy_protocol},
          {"certificates", std::move(certificates)}};
}

ctl_failure no_such_listener(std::string_view id) {
  return {exit_failure, "no listener \"" + printable(id)
                          + "\" is configured; troupe ctl listeners list "
                            "shows those that are"};
}

} // namespace

ctl_answer listeners_list(broker& of, const json::object&) {
  json::array rows;
  for (const auto& x : of.node().known_listeners())
    rows.push_back(object_of(x));
  return rows;
}

std::string print_listeners(const json::value& answer) {
  table rows({"listener", "running", "address", "connections", "at most",
              "connect rate", "certificate until"});
  for (const auto& one : answer.as_array()) {
    const auto& x = one.as_object();
    std::string first; // of several, the one that ends first
    for (const auto& c : x.at("certificates").as_array())
      if (const auto end = text_in(c.as_object(), "not_after");
          first.empty() || end < first)
        first = end;
    const bool running = x.at("running").as_bool();
    rows.add({text_in(x, "id"), running ? "yes" : "no",
              text_in(x, running ? "address" : "bind"),
              text_in(x, "current_connections"), text_in(x, "max_connections"),
              text_in(x, "max_conn_rate"), first});
  }
  return rows.text();
}

namespace {

ctl_answer after(broker& of, const std::string& id) {
  const auto all = of.node().known_listeners();
  const auto found = std::find_if(
    all.begin(), all.end(), [&](const auto& x) { return x.of.id() == id; });
  if (found == all.end())
    return no_such_listener(id);
  return object_of(*found);
}

} // namespace

ctl_answer listeners_start(broker& of, const json::object& with) {
  const auto id = text_in(with, "id");
  try {
    if (!of.node().start_listener(id))
      return no_such_listener(id);
  } catch (const std::runtime_error& e) {
    return ctl_failure{exit_unavailable, e.what()};
  }
  of.log().info("listening", id + " was started by the operator");
  return after(of, id);
}

ctl_answer listeners_stop(broker& of, const json::object& with) {
  const auto id = text_in(with, "id");
  if (!of.node().stop_listener(id))
    return no_such_listener(id);
  of.log().info("listening", id + " was stopped by the operator");
  return after(of, id);
}

std::string print_listener(const json::value& answer) {
  const auto& x = answer.as_object();
  if (x.at("running").as_bool())
    return text_in(x, "id") + " listens on " + text_in(x, "address") + '\n';
  return text_in(x, "id") + " is stopped; its connections were ended\n";
}

} // namespace troupe::server
