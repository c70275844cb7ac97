#include "server/ctl_clients.hpp"

#include "actors/operations.hpp"
#include "server/ctl_lists.hpp"
#include "server/ctl_subscriptions.hpp"
#include "server/json_fields.hpp"
#include "server/table.hpp"
#include "server/text.hpp"

#include <fmt/format.h>

namespace troupe::server {

namespace json = boost::json;

namespace {

/// So many messages of a session without a client are counted.
constexpr std::size_t count_at_most = 1'000;

const char* name_of(protocol::protocol_version x) {
  switch (x) {
  case protocol::protocol_version::mqtt_3_1:
    return "3.1";
  case protocol::protocol_version::mqtt_3_1_1:
    return "3.1.1";
  case protocol::protocol_version::mqtt_5_0:
    break;
  }
  return "5.0";
}

json::value text_or_null(const std::string& x) {
  return x.empty() ? json::value(nullptr) : json::value(x);
}

/// The names are those of EMQX's client objects where the thing is the same.
json::object object_of(const actors::connection::info& x) {
  const auto colon = x.peer.rfind(':');
  std::uint64_t port = 0;
  std::string address = x.peer;
  if (colon != std::string::npos) {
    port = std::strtoul(x.peer.c_str() + colon + 1, nullptr, 10);
    address = x.peer.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']'))
      address = address.substr(1, address.size() - 2);
  }
  return {{"clientid", x.client_id},
          {"username", text_or_null(x.user_name)},
          {"connected", true},
          {"listener", x.listener},
          {"ip_address", std::move(address)},
          {"port", port},
          {"proto_name", x.version == protocol::protocol_version::mqtt_3_1
                           ? "MQIsdp"
                           : "MQTT"},
          {"proto_ver", static_cast<int>(x.version)},
          {"protocol", name_of(x.version)},
          {"keepalive", x.keep_alive},
          {"clean_start", x.clean_start},
          {"expiry_interval", x.expiry_interval},
          {"connected_for", x.connected_for.count()},
          {"mountpoint", text_or_null(x.mountpoint)},
          {"is_superuser", x.superuser},
          {"paced", x.paced},
          {"cert_common_name", text_or_null(x.certificate_name)},
          {"cert_subject", text_or_null(x.certificate_subject)},
          {"tls_version", text_or_null(x.tls_version)},
          {"tls_cipher", text_or_null(x.tls_cipher)},
          {"subscriptions_cnt", x.subscriptions},
          {"inflight_cnt", x.in_flight},
          {"mqueue_len", x.queued},
          {"awaiting_rel_cnt", x.awaiting_release},
          {"recv_msg", x.received},
          {"send_msg", x.sent},
          {"recv_oct", x.bytes_received},
          {"send_oct", x.bytes_sent},
          {"blocked_ms", x.blocked_for.count()}};
}

json::object object_of(const actors::operations::offline_session& x,
                       const actors::operations::waiting_messages& waiting) {
  return {{"clientid", x.client_id},
          {"connected", false},
          {"expiry_interval", x.expiry_interval},
          {"expires_in", x.expires_in ? json::value(x.expires_in->count())
                                      : json::value(nullptr)},
          {"has_will", x.has_will},
          {"subscriptions_cnt", x.subscriptions.size()},
          {"inflight_cnt", x.in_flight},
          {"mqueue_len",
           waiting.count + (x.kept > x.in_flight ? x.kept - x.in_flight : 0)},
          {"mqueue_len_is_least", waiting.more}};
}

ctl_failure no_such_client(std::string_view id) {
  return {exit_failure, "no client \"" + printable(id)
                          + "\" is connected; troupe ctl "
                            "clients list shows those that are"};
}

ctl_failure no_such_session(std::string_view id) {
  return {exit_failure, "no client \"" + printable(id)
                          + "\" is connected, and no session of it is kept"};
}

} // namespace

ctl_answer clients_list(actors::node& of, const json::object& with) {
  std::size_t limit = 0;
  if (auto wrong = read_limit(with, limit))
    return *wrong;
  auto found = actors::operations(of).clients(
    {text_in(with, "like"), text_in(with, "user"), text_in(with, "listener")},
    limit);
  json::array rows;
  rows.reserve(found.rows.size());
  for (const auto& x : found.rows)
    rows.push_back(object_of(x));
  return list_answer(std::move(rows), found.all, limit);
}

std::string print_clients(const json::value& answer) {
  table rows({"client", "user", "peer", "listener", "version", "connected",
              "subscriptions", "in flight", "queued", "received", "sent"});
  for (const auto& one : answer.at("data").as_array()) {
    const auto& x = one.as_object();
    const auto address = text_in(x, "ip_address");
    rows.add({text_in(x, "clientid"), text_in(x, "username"),
              address.empty() ? "" : address + ':' + text_in(x, "port"),
              text_in(x, "listener"), text_in(x, "protocol"),
              print_duration(number_in(x, "connected_for")),
              text_in(x, "subscriptions_cnt"), text_in(x, "inflight_cnt"),
              text_in(x, "mqueue_len"), text_in(x, "recv_msg"),
              text_in(x, "send_msg")});
  }
  return print_list(rows, answer);
}

ctl_answer clients_show(actors::node& of, const json::object& with) {
  const auto id = text_in(with, "id");
  actors::operations ask(of);
  json::object x;
  if (const auto live = of.client(id)) {
    x = object_of(*live);
  } else {
    const auto away = ask.offline(id);
    if (!away)
      return no_such_session(id);
    x = object_of(*away, ask.waiting_for(*away, count_at_most));
  }
  x["subscriptions"] = subscriptions_of(of, id);
  return x;
}

std::string print_client(const json::value& answer) {
  const auto& x = answer.as_object();
  table rows({"client", text_in(x, "clientid")});
  for (const auto& one : x) {
    const std::string key{one.key()};
    if (key == "clientid" || key == "subscriptions"
        || key == "mqueue_len_is_least" || one.value().is_null())
      continue;
    auto text = text_in(x, key);
    if (key == "mqueue_len" && x.contains("mqueue_len_is_least")
        && x.at("mqueue_len_is_least").as_bool())
      text = "at least " + text;
    if (key == "expires_in" || key == "connected_for")
      text = print_duration(number_in(x, key));
    rows.add({key, std::move(text)});
  }
  auto text = rows.text();
  if (const auto& its = x.at("subscriptions"); !its.as_array().empty())
    text += '\n' + print_subscription_rows(its.as_array()).text();
  return text;
}

ctl_answer clients_kick(actors::node& of, const json::object& with) {
  const auto id = text_in(with, "id");
  if (!actors::operations(of).disconnect(id, false))
    return no_such_client(id);
  return json::object{{"clientid", id}, {"kicked", true}};
}

ctl_answer clients_disconnect(actors::node& of, const json::object& with) {
  using outcome = actors::operations::outcome;
  const auto id = text_in(with, "id");
  const bool discard = with.contains("discard");
  actors::operations ask(of);
  const bool was_there = ask.disconnect(id, discard);
  if (was_there || !discard) {
    if (!was_there)
      return ask.offline(id)
               ? ctl_failure{exit_failure, "client \"" + printable(id)
                                             + "\" is away, its session is "
                                               "kept: --discard ends it"}
               : no_such_client(id);
    return json::object{
      {"clientid", id}, {"kicked", true}, {"discarded", discard}};
  }
  switch (ask.end_session(id)) {
  case outcome::none:
    return no_such_session(id);
  case outcome::late:
    return ctl_failure{exit_failure,
                       "its shard has not answered in ten seconds: see "
                       "troupe ctl clients show before you try again"};
  case outcome::done:
    break;
  }
  return json::object{{"clientid", id}, {"kicked", false}, {"discarded", true}};
}

std::string print_disconnected(const json::value& answer) {
  const auto& x = answer.as_object();
  const auto name = "client \"" + printable(text_in(x, "clientid")) + '"';
  const bool discarded = x.contains("discarded") && x.at("discarded").as_bool();
  if (!x.at("kicked").as_bool())
    return "the session of " + name + " was ended\n";
  return name + " was disconnected"
         + (discarded ? ", and its session ended\n" : "\n");
}

} // namespace troupe::server
