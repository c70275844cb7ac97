#include "server/ctl_settings.hpp"

#include "server/broker.hpp"
#include "server/json_fields.hpp"
#include "server/table.hpp"
#include "server/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace troupe::server {

namespace json = boost::json;

namespace {

json::value text_or_null(const std::optional<std::string>& x) {
  return x ? json::value(*x) : json::value(nullptr);
}

json::array rows_of(const std::vector<config::changed>& all) {
  json::array rows;
  for (const auto& x : all)
    rows.push_back(json::object{{"key", x.key},
                                {"before", text_or_null(x.before)},
                                {"after", text_or_null(x.after)},
                                {"takes_effect", x.when == config::reload::hot
                                                   ? "at reload"
                                                   : "at restart"}});
  return rows;
}

json::array texts_of(const std::vector<config::problem>& all) {
  json::array texts;
  for (const auto& x : all)
    texts.emplace_back(config::to_string(x));
  return texts;
}

ctl_failure refused(const reload_report& report, const char* behind) {
  std::string text;
  for (const auto& x : report.problems)
    text += x + '\n';
  return {exit_configuration, text + behind};
}

std::string name_of(config::log_level x) {
  constexpr auto names = config::choices<config::log_level>;
  return std::string{names[static_cast<std::size_t>(x)]};
}

/// A line for each setting, the old value and the new one.
std::string print_changes(const json::array& rows) {
  table all({"setting", "before", "after", "takes effect"});
  const auto value = [](const json::object& x, std::string_view key) {
    return x.at(key).is_null() ? std::string{"(none)"} : text_in(x, key);
  };
  for (const auto& one : rows) {
    const auto& x = one.as_object();
    all.add({text_in(x, "key"), value(x, "before"), value(x, "after"),
             text_in(x, "takes_effect")});
  }
  return all.text();
}

std::string print_warnings(const json::object& x) {
  std::string text;
  if (const auto* all = x.if_contains("warnings"))
    for (const auto& one : all->as_array())
      text += "warning: " + printable(one.as_string()) + '\n';
  return text;
}

} // namespace

// ---- reload ----------------------------------------------------------------

ctl_answer reload(broker& of, const json::object&) {
  const auto report = of.reload();
  if (!report.problems.empty())
    return refused(report, "nothing was changed");
  return json::object{{"changed", rows_of(report.changes)},
                      {"waiting", rows_of(report.waiting)},
                      {"warnings", texts_of(report.warnings)}};
}

std::string print_reload(const json::value& answer) {
  const auto& x = answer.as_object();
  const auto& changed = x.at("changed").as_array();
  const auto& waiting = x.at("waiting").as_array();
  auto text = print_warnings(x);
  if (!changed.empty())
    text += "in force now:\n" + print_changes(changed) + '\n';
  if (!waiting.empty())
    text += "waiting for a restart:\n" + print_changes(waiting) + '\n';
  return text + (changed.empty() ? "no setting has changed; " : "")
         + "users, rules and certificates were read again\n";
}

// ---- config diff -----------------------------------------------------------

std::optional<ctl_failure> prepare_diff(json::object& with) {
  const auto name = text_in(with, "file");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(
    std::fopen(name.c_str(), "rb"), std::fclose);
  std::error_code error;
  if (!in || std::filesystem::is_directory(name, error))
    return ctl_failure{exit_configuration,
                       name + " cannot be read: "
                         + (in ? "it is a directory" : std::strerror(errno))};
  std::string text;
  char part[16'384];
  while (const auto size = std::fread(part, 1, sizeof part, in.get())) {
    text.append(part, size);
    if (text.size() > (std::size_t{16} << 20))
      return ctl_failure{exit_configuration,
                         name + " is larger than any configuration"};
  }
  if (!protocol::is_valid_utf8(text))
    return ctl_failure{exit_configuration, name + " is not UTF-8"};
  with["text"] = text;
  return std::nullopt;
}

ctl_answer config_diff(broker& of, const json::object& with) {
  const auto report = of.compare(text_in(with, "file"), text_in(with, "text"));
  if (!report.problems.empty())
    return refused(report, "it cannot be compared");
  auto all = report.changes;
  all.insert(all.end(), report.waiting.begin(), report.waiting.end());
  auto made = diff_answer(all);
  made["warnings"] = texts_of(report.warnings);
  return made;
}

json::object diff_answer(const std::vector<config::changed>& all) {
  return {{"changed", rows_of(all)}};
}

std::string print_diff(const json::value& answer) {
  const auto& x = answer.as_object();
  const auto& changed = x.at("changed").as_array();
  return print_warnings(x)
         + (changed.empty() ? "nothing differs\n" : print_changes(changed));
}

// ---- log -------------------------------------------------------------------

ctl_answer log_level(broker& of, const json::object& with) {
  const auto wanted = text_in(with, "level");
  constexpr auto names = config::choices<config::log_level>;
  if (!wanted.empty()) {
    const auto found = std::find(names.begin(), names.end(), wanted);
    if (found == names.end()) {
      std::string all;
      for (const auto x : names)
        all += (all.empty() ? "" : ", ") + std::string{x};
      return ctl_failure{exit_usage, '"' + printable(wanted)
                                       + "\" is no level: it is one of " + all};
    }
    of.log().set_level(static_cast<config::log_level>(found - names.begin()));
  }
  return json::object{{"level", name_of(of.log().level())},
                      {"configured", name_of(of.settings().log.level)}};
}

std::string print_log_level(const json::value& answer) {
  const auto& x = answer.as_object();
  const auto level = text_in(x, "level");
  const auto configured = text_in(x, "configured");
  return level
         + (level == configured
              ? "\n"
              : " until the next reload; log.level is " + configured + '\n');
}

} // namespace troupe::server
