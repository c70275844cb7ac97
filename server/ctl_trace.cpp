#include "server/ctl_trace.hpp"

#include "actors/node.hpp"
#include "config/text.hpp"
#include "server/json_fields.hpp"
#include "server/table.hpp"
#include "server/text.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>

namespace troupe::server {

namespace json = boost::json;

namespace {

using actors::trace_options;

constexpr std::size_t part = 262'144; ///< bytes of a file in one answer
/// A payload of a megabyte, each byte of it escaped, fits.
constexpr std::size_t longest_line = 32 * part;
constexpr std::uint64_t size_max = std::uint64_t{16} << 30;
constexpr std::chrono::hours lasts_max{24 * 7};

ctl_failure usage(std::string text) { return {exit_usage, std::move(text)}; }

ctl_failure no_such_trace(const std::string& name) {
  return {exit_failure, "there is no trace \"" + printable(name)
                          + "\": see troupe ctl trace list"};
}

/// What is followed: exactly one of the options says it.
std::optional<ctl_failure> take_kind(const json::object& with,
                                     trace_options& to) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < actors::trace_kind_names.size(); ++i)
    if (auto value = text_in(with, actors::trace_kind_names.at(i));
        !value.empty()) {
      ++found;
      to.kind = static_cast<actors::trace_kind>(i);
      to.wanted = std::move(value);
    }
  if (found == 1)
    return std::nullopt;
  return usage("a trace follows one thing: give one of --client, --topic, "
               "--address and --user");
}

std::optional<ctl_failure> take_limits(const json::object& with,
                                       trace_options& to) {
  if (const auto text = text_in(with, "for"); !text.empty()) {
    const auto read = config::read_duration(text);
    if (!read || read->count() <= 0 || *read > lasts_max)
      return usage('"' + printable(text)
                   + "\" of --for is no time up to 7d, such as 10m");
    to.lasts = *read;
  }
  if (const auto text = text_in(with, "size"); !text.empty()) {
    const auto read = config::read_bytes(text);
    if (!read || read->count < 4'096 || read->count > size_max)
      return usage('"' + printable(text)
                   + "\" of --size is no size from 4KB to 16GB, such as "
                     "128MB");
    to.size_max = read->count;
  }
  if (const auto text = text_in(with, "payload_limit"); !text.empty()) {
    const auto read = config::read_bytes(text);
    if (!read || read->count > 1'048'576)
      return usage('"' + printable(text)
                   + "\" of --payload-limit is no size up to 1MB");
    to.payload_max = read->count;
  }
  if (const auto text = text_in(with, "payload"); !text.empty()) {
    const auto& names = actors::trace_payload_names;
    const auto at = std::find(names.begin(), names.end(), text);
    if (at == names.end())
      return usage('"' + printable(text)
                   + "\" of --payload is none of none, text and hex");
    to.payload = static_cast<actors::trace_payload>(at - names.begin());
  }
  return std::nullopt;
}

} // namespace

ctl_answer trace_start(actors::node& of, const json::object& with) {
  trace_options how;
  how.name = text_in(with, "name");
  if (auto why = take_kind(with, how))
    return *why;
  if (auto why = take_limits(with, how))
    return *why;
  const auto made = actors::trace_set::entry::make(how);
  if (const auto* wrong = std::get_if<std::string>(&made))
    return usage(*wrong);
  if (auto wrong = of.tracer().start(how); !wrong.empty())
    return ctl_failure{exit_failure, std::move(wrong)};
  return json::object{
    {"name", how.name},
    {"file", (of.options().trace_directory / (how.name + ".log")).string()},
    {"type", actors::trace_kind_names.at(static_cast<std::size_t>(how.kind))},
    {"follows", how.wanted},
    {"seconds",
     std::chrono::duration_cast<std::chrono::seconds>(how.lasts).count()}};
}

std::string print_trace_started(const json::value& answer) {
  const auto& x = answer.as_object();
  return "tracing to " + printable(text_in(x, "file")) + " for "
         + print_duration(number_in(x, "seconds")) + "\n";
}

ctl_answer trace_stop(actors::node& of, const json::object& with) {
  const auto name = text_in(with, "name");
  if (!of.tracer().stop(name))
    return ctl_failure{exit_failure, "no trace \"" + printable(name)
                                       + "\" runs: see troupe ctl trace list"};
  return json::object{{"name", name}, {"stopped", true}};
}

std::string print_trace_stopped(const json::value& answer) {
  return "trace " + printable(text_in(answer.as_object(), "name"))
         + " has ended; its file is there until troupe ctl trace delete\n";
}

ctl_answer trace_delete(actors::node& of, const json::object& with) {
  const auto name = text_in(with, "name");
  if (!of.tracer().remove(name))
    return no_such_trace(name);
  return json::object{{"name", name}, {"deleted", true}};
}

std::string print_trace_deleted(const json::value& answer) {
  return "trace " + printable(text_in(answer.as_object(), "name"))
         + " and its file are gone\n";
}

ctl_answer trace_list(actors::node& of, const json::object&) {
  json::array rows;
  for (const auto& x : of.tracer().list()) {
    const auto kind = static_cast<std::size_t>(x.what.kind);
    const bool known = !x.what.wanted.empty();
    rows.push_back(json::object{
      {"name", x.what.name},
      {"status", x.running ? "running" : "ended"},
      {"type", known ? actors::trace_kind_names.at(kind) : ""},
      {"follows", x.what.wanted},
      {"bytes", x.size},
      {"lines_lost", x.lost},
      {"seconds_left", std::max<std::int64_t>(0, x.left_ms / 1'000)},
      {"ended", x.ended}});
  }
  return rows;
}

std::string print_traces(const json::value& answer) {
  table rows({"trace", "status", "follows", "", "size", "lost", "left"});
  for (const auto& one : answer.as_array()) {
    const auto& x = one.as_object();
    const bool running = text_in(x, "status") == "running";
    rows.add({text_in(x, "name"), running ? "running" : text_in(x, "ended"),
              text_in(x, "type"), text_in(x, "follows"),
              print_bytes(number_in(x, "bytes")), text_in(x, "lines_lost"),
              running ? print_duration(number_in(x, "seconds_left")) : ""});
  }
  return rows.text();
}

ctl_answer trace_show(actors::node& of, const json::object& with) {
  const auto name = text_in(with, "name");
  std::uint64_t from = 0;
  if (const auto text = text_in(with, "from"); !text.empty()) {
    const auto read = config::read_integer(text);
    if (!read || *read < 0)
      return usage("--from is a number of bytes");
    from = static_cast<std::uint64_t>(*read);
  }
  // Asked before the file is read: what came meanwhile is in it.
  const auto all = of.tracer().list();
  const bool running = std::any_of(all.begin(), all.end(), [&](const auto& x) {
    return x.what.name == name && x.running;
  });
  std::string text;
  auto most = part;
  do {
    if (!of.tracer().read(name, from, most, text))
      return no_such_trace(name);
    // Whole lines, so that no character is cut; what follows is for next time.
    const auto had = text.size();
    text.resize(text.rfind('\n') + 1);
    if (!text.empty() || had < most)
      break;
    most *= 2; // a line with a large payload
  } while (most <= longest_line);
  const auto next = from + text.size();
  return json::object{
    {"name", name}, {"text", text}, {"next", next}, {"running", running}};
}

std::string print_trace(const json::value& answer) {
  return text_in(answer.as_object(), "text");
}

int show_trace(const ctl_exchange& ask, const json::object& with,
               bool as_json) {
  constexpr std::chrono::milliseconds often{200};
  auto next = with;
  const bool follows = !text_in(with, "follow").empty();
  for (;;) {
    const auto answer = ask(next);
    if (const auto* why = std::get_if<ctl_failure>(&answer))
      return tell_failure(*why);
    const auto& got = std::get<json::value>(answer).as_object();
    const auto text = text_in(got, "text");
    const bool last = text.empty() && !(follows && got.at("running").as_bool());
    // The lines are JSON, for programs as well as for people.
    static_cast<void>(as_json);
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) != 0)
      return exit_failure; // nobody reads any more
    if (last)
      return exit_success;
    next["from"] = std::to_string(number_in(got, "next"));
    if (text.empty())
      std::this_thread::sleep_for(often);
  }
}

} // namespace troupe::server
