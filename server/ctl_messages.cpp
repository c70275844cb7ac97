#include "server/ctl_messages.hpp"

#include "actors/operations.hpp"
#include "auth/secrets.hpp"
#include "protocol/topic.hpp"
#include "server/ctl_lists.hpp"
#include "server/ctl_server.hpp"
#include "server/json_fields.hpp"
#include "server/table.hpp"
#include "server/text.hpp"
#include "server/wall_time.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace troupe::server {

namespace json = boost::json;

namespace {

using outcome = actors::operations::outcome;

ctl_failure late() {
  return {exit_failure, "the shards have not answered in ten seconds; what was "
                        "asked for may still be done"};
}

std::optional<ctl_failure> check_topic(const std::string& topic) {
  if (protocol::is_valid_topic_name(topic))
    return std::nullopt;
  return ctl_failure{exit_usage,
                     '"' + printable(topic)
                       + "\" is no topic name: it may have no + and no #, "
                         "is not empty, and has at most 65535 bytes of UTF-8"};
}

std::string_view text_of(protocol::bytes_view x) {
  return {reinterpret_cast<const char*>(x.data()), x.size()};
}

/// The names are EMQX's.
json::object object_of(const protocol::message& x, bool with_payload) {
  const auto now = std::chrono::steady_clock::now();
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(
    now - x.received_at());
  json::object made{{"topic", x.topic()},
                    {"qos", static_cast<int>(x.qos())},
                    {"payload_size", x.payload().size()},
                    {"publish_at", print_time(wall_ms() - age.count())},
                    {"expires_in", x.has_expiry()
                                     ? json::value(x.remaining_expiry(now))
                                     : json::value(nullptr)}};
  if (with_payload)
    made["payload"] =
      auth::to_base64(text_of(x.payload()), auth::base64::padded);
  return made;
}

} // namespace

// ---- retained --------------------------------------------------------------

ctl_answer retained_list(actors::node& of, const json::object& with) {
  std::size_t limit = 0;
  if (auto wrong = read_limit(with, limit))
    return *wrong;
  auto filter = text_in(with, "filter");
  if (filter.empty())
    filter = "#";
  if (!protocol::is_valid_topic_filter(filter))
    return ctl_failure{exit_usage,
                       '"' + printable(filter) + "\" is no topic filter"};
  const auto found = actors::operations(of).retained(filter, limit);
  if (found.late)
    return late();
  json::array rows;
  rows.reserve(found.rows.size());
  for (const auto& x : found.rows)
    rows.push_back(object_of(*x, false));
  const auto all = found.more ? std::nullopt : std::optional{found.rows.size()};
  return list_answer(std::move(rows), all, limit);
}

std::string print_retained_list(const json::value& answer) {
  table rows({"topic", "qos", "bytes", "published", "expires in"});
  for (const auto& one : answer.at("data").as_array()) {
    const auto& x = one.as_object();
    rows.add({text_in(x, "topic"), text_in(x, "qos"),
              text_in(x, "payload_size"), text_in(x, "publish_at"),
              x.at("expires_in").is_null()
                ? ""
                : print_duration(number_in(x, "expires_in"))});
  }
  return print_list(rows, answer);
}

ctl_answer retained_show(actors::node& of, const json::object& with) {
  const auto topic = text_in(with, "topic");
  if (auto wrong = check_topic(topic))
    return *wrong;
  const auto found = actors::operations(of).retained(topic, 1);
  if (found.late)
    return late();
  if (found.rows.empty())
    return ctl_failure{exit_failure,
                       '"' + printable(topic) + "\" has no retained message"};
  return object_of(*found.rows.front(), true);
}

std::string print_retained(const json::value& answer) {
  const auto& x = answer.as_object();
  table rows({"topic", text_in(x, "topic")});
  rows.add({"qos", text_in(x, "qos")});
  rows.add({"published", text_in(x, "publish_at")});
  if (!x.at("expires_in").is_null())
    rows.add({"expires in", print_duration(number_in(x, "expires_in"))});
  rows.add({"bytes", text_in(x, "payload_size")});
  const auto payload =
    auth::from_base64(text_in(x, "payload"), auth::base64::padded);
  const bool readable = payload && protocol::is_valid_utf8(*payload)
                        && printable(*payload).size() == payload->size();
  rows.add({readable ? "payload" : "payload (base64)",
            readable ? *payload : text_in(x, "payload")});
  return rows.text();
}

ctl_answer retained_delete(actors::node& of, const json::object& with) {
  const auto topic = text_in(with, "topic");
  if (auto wrong = check_topic(topic))
    return *wrong;
  switch (actors::operations(of).remove_retained(topic)) {
  case outcome::none:
    return ctl_failure{exit_failure,
                       '"' + printable(topic) + "\" has no retained message"};
  case outcome::late:
    return late();
  case outcome::done:
    break;
  }
  return json::object{{"topic", topic}, {"deleted", true}};
}

std::string print_retained_deleted(const json::value& answer) {
  return '"' + printable(text_in(answer.as_object(), "topic"))
         + "\" has no retained message any more\n";
}

// ---- publish ---------------------------------------------------------------

namespace {

std::optional<ctl_failure> read_all(std::FILE* from, const std::string& name,
                                    std::string& into) {
  char part[16'384];
  for (;;) {
    const auto size = std::fread(part, 1, sizeof part, from);
    into.append(part, size);
    if (std::ferror(from) != 0)
      return ctl_failure{exit_unavailable,
                         name + " cannot be read: " + std::strerror(errno)};
    if (into.size() > ctl_server::max_request / 2)
      return ctl_failure{exit_usage, name + " has more bytes than can be sent"};
    if (size == 0)
      return std::nullopt;
  }
}

} // namespace

std::optional<ctl_failure> prepare_publish(json::object& with) {
  const auto file = text_in(with, "payload_file");
  auto payload = text_in(with, "payload");
  with.erase("payload_file");
  if (!file.empty() && !payload.empty())
    return ctl_failure{exit_usage,
                       "--payload and --payload-file exclude each other"};
  if (file == "-") {
    if (auto wrong = read_all(stdin, "standard input", payload))
      return wrong;
  } else if (!file.empty()) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(
      std::fopen(file.c_str(), "rb"), std::fclose);
    if (!in)
      return ctl_failure{exit_unavailable,
                         "--payload-file " + file
                           + " cannot be opened: " + std::strerror(errno)};
    if (auto wrong = read_all(in.get(), "--payload-file " + file, payload))
      return wrong;
  }
  // Any bytes, and JSON has text only.
  with["payload"] = auth::to_base64(payload, auth::base64::padded);
  return std::nullopt;
}

ctl_answer publish(actors::node& of, const json::object& with) {
  actors::operations::publication what;
  auto topic = text_in(with, "topic");
  if (auto wrong = check_topic(topic))
    return *wrong;
  if (topic.starts_with("$delayed/")) {
    const auto delayed = protocol::parse_delayed_topic(topic);
    if (!delayed || !delayed.value())
      return ctl_failure{exit_usage, '"' + printable(topic)
                                       + "\": a delayed topic is "
                                         "$delayed/SECONDS/TOPIC"};
    what.delay_seconds = delayed.value()->delay_seconds;
    topic = std::string{delayed.value()->topic};
  }
  if (topic.starts_with("$SYS/"))
    return ctl_failure{exit_usage, "$SYS/ is for what the node itself tells"};
  const auto qos = text_in(with, "qos");
  if (!qos.empty() && qos != "0" && qos != "1" && qos != "2")
    return ctl_failure{exit_usage,
                       "--qos " + printable(qos) + ": has to be 0, 1 or 2"};
  auto payload =
    auth::from_base64(text_in(with, "payload"), auth::base64::padded);
  if (!payload)
    return ctl_failure{exit_usage, "the payload is no base64"};
  what.topic = std::move(topic);
  what.payload = std::move(*payload);
  what.qos = static_cast<protocol::qos>(qos.empty() ? 0 : qos[0] - '0');
  what.retain = with.contains("retain");
  const auto done = actors::operations(of).publish(what);
  if (done.late)
    return ctl_failure{exit_failure,
                       "the message was not accepted in ten seconds; it may "
                       "be still, so publishing it again may double it"};
  if (done.reason == protocol::reason_code::packet_too_large)
    return ctl_failure{exit_usage, "the payload has "
                                     + std::to_string(what.payload.size())
                                     + " bytes, mqtt.max_packet_size is "
                                     + std::to_string(done.payload_max)};
  if (static_cast<unsigned>(done.reason) >= 0x80)
    return ctl_failure{exit_failure,
                       done.reason == protocol::reason_code::quota_exceeded
                         ? "the message was refused: the disk is full, or "
                           "there are too many delayed messages"
                         : "the message was refused with Reason Code "
                             + std::to_string(static_cast<int>(done.reason))};
  return json::object{
    {"topic", what.topic},
    {"matched", done.reason != protocol::reason_code::no_matching_subscribers},
    {"matching_filters", done.filters},
    {"committed", done.committed}};
}

std::string print_published(const json::value& answer) {
  const auto& x = answer.as_object();
  std::string text = "accepted";
  if (x.at("committed").as_bool())
    text += " and on the disk";
  if (!x.at("matched").as_bool())
    return text + "; nobody has subscribed to it\n";
  const auto filters = number_in(x, "matching_filters");
  return text + "; matches " + std::to_string(filters)
         + (filters == 1 ? " filter" : " filters") + " of connected clients\n";
}

} // namespace troupe::server
