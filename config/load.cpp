#include "config/load.hpp"

#include "config/nearest.hpp"
#include "config/rules.hpp"
#include "config/schema.hpp"
#include "config/text.hpp"
#include "config/toml_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace troupe::config {
namespace {

constexpr std::string_view prefix = "TROUPE_";
constexpr std::size_t file_max = 1U << 20U; // bytes

/// A key's parts in words of the environment: MQTT__MAX_INFLIGHT.
std::string variable_name(std::string_view key) {
  std::string name{prefix};
  for (const char c : key) {
    if (c == '.')
      name += "__";
    else
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

/// The reverse, without the prefix: mqtt.max_inflight.
std::string key_of_variable(std::string_view name) {
  std::string key;
  name.remove_prefix(prefix.size());
  while (!name.empty()) {
    if (name.starts_with("__")) {
      key += '.';
      name.remove_prefix(2);
      continue;
    }
    const char c = name.front();
    key += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    name.remove_prefix(1);
  }
  return key;
}

bool is_listener_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'
           || c == '-';
  };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, fits)
         && name.find("__") == name.npos;
}

/// What `*` stands for in a key that matches a pattern.
struct matched {
  std::string_view instance; ///< empty if the pattern has no `*`
  bool valid = true;         ///< as a name
};

std::optional<matched> match(const std::vector<std::string>& pattern,
                             const std::vector<std::string>& path) {
  if (pattern.size() != path.size())
    return std::nullopt;
  matched result;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (pattern[i] == "*")
      result = {path[i], is_listener_name(path[i])};
    else if (pattern[i] != path[i])
      return std::nullopt;
  }
  return result;
}

/// A section is whatever the key of a setting continues.
std::optional<matched> match_section(const std::vector<std::string>& path) {
  for (const auto& s : schema()) {
    if (s.path.size() <= path.size())
      continue;
    const auto length = static_cast<std::ptrdiff_t>(path.size());
    if (auto m = match({s.path.begin(), s.path.begin() + length}, path))
      return m;
  }
  return std::nullopt;
}

constexpr auto name_rule = "a listener's name has lower-case letters, digits, "
                           "- and single _ only, at most 64 of them";

/// Carries the assignments of all sources into one `settings`.
class loader {
public:
  void read_file(const sources& from);
  void read_environment(const std::map<std::string, std::string>& variables);
  void read_overrides(const std::vector<std::string>& overrides);
  load_result finish();

private:
  void report(std::string where, std::string key, std::string text) {
    problems_.push_back({std::move(where), std::move(key), std::move(text)});
  }
  void take(const entry& e);
  void take_untyped(std::string_view key, std::string value, std::string where);
  void take_section(const entry& e, const std::string& key);
  void report_unknown(const entry& e, const std::string& key);
  /// All keys, or section names, with the listener name that `path` has.
  static std::vector<std::string> known(const std::vector<std::string>& path,
                                        bool of_sections);

  settings values_;
  origin_map origins_;
  std::vector<problem> problems_;
};

void loader::take(const entry& e) {
  const auto key = dotted(e.path.data(), e.path.size());
  if (std::holds_alternative<empty_section>(e.value))
    return take_section(e, key);
  for (const auto& s : schema()) {
    const auto m = match(s.path, e.path);
    if (!m)
      continue;
    if (!m->valid)
      return report(e.where, key, name_rule);
    if (auto wrong = s.assign(values_, m->instance, e.value))
      return report(e.where, key, std::move(*wrong));
    origins_[key] = e.where;
    return;
  }
  report_unknown(e, key);
}

void loader::take_untyped(std::string_view key, std::string value,
                          std::string where) {
  if (!is_utf8(key) || !is_utf8(value))
    return report(std::move(where), "", "is not UTF-8");
  take({split(key), untyped{std::move(value)}, std::move(where)});
}

void loader::take_section(const entry& e, const std::string& key) {
  if (const auto m = match_section(e.path)) {
    if (!m->valid)
      return report(e.where, key, name_rule);
    if (!m->instance.empty())
      for_each_kind(values_.listeners, [&](auto kind, auto& all) {
        if (key.starts_with(listener_section(kind, m->instance)))
          all[std::string{m->instance}];
      });
    return;
  }
  const auto near = nearest(key, known(e.path, true));
  report(e.where, key,
         near.empty() ? "no such section"
                      : "no such section; did you mean [" + near + "]?");
}

void loader::report_unknown(const entry& e, const std::string& key) {
  if (match_section(e.path))
    return report(e.where, key,
                  "is a section: its keys are written below [" + key + "]");
  auto near = nearest(key, known(e.path, false));
  if (!near.empty() && e.where.starts_with(prefix))
    near = variable_name(near);
  report(e.where, key,
         near.empty() ? "no such setting"
                      : "no such setting; did you mean " + near + "?");
}

std::vector<std::string> loader::known(const std::vector<std::string>& path,
                                       bool of_sections) {
  const bool named = path.size() > 2 && is_listener_name(path[2]);
  const std::string_view instance =
    named ? std::string_view{path[2]} : "default";
  std::vector<std::string> names;
  if (of_sections) {
    for (const auto& s : sections())
      if (!s.name.empty())
        names.push_back(with_instance(s.name, instance));
    return names;
  }
  for (const auto& s : schema())
    names.push_back(with_instance(
      s.section.empty() ? s.name : s.section + "." + s.name, instance));
  return names;
}

void loader::read_file(const sources& from) {
  if (from.file.empty() && !from.text)
    return;
  std::string text;
  if (from.text) {
    text = *from.text;
  } else {
    std::ifstream in{from.file, std::ios::binary};
    text.resize(file_max + 1);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(
      static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
    if (!in.is_open() || in.bad() || (text.empty() && !in.eof()))
      return report(from.file, "",
                    "cannot be read: " + std::string{std::strerror(errno)});
  }
  if (text.size() > file_max)
    return report(from.file, "", "is larger than 1MB");
  for (const auto& e : read_toml(text, from.file, problems_))
    take(e);
}

void loader::read_environment(
  const std::map<std::string, std::string>& variables) {
  std::map<std::string, std::string> seen; // key to variable
  for (const auto& [name, value] : variables) {
    if (!name.starts_with(prefix))
      continue;
    const auto key = key_of_variable(name);
    const bool ours = key.find('.') != key.npos
                      || std::ranges::any_of(schema(), [&](const setting& s) {
                           return s.section.empty() && s.name == key;
                         });
    if (!ours)
      continue;
    const auto [other, is_new] = seen.emplace(key, name);
    if (!is_new) {
      report(name, key, "is set by " + other->second + " too");
      continue;
    }
    take_untyped(key, value, name);
  }
}

void loader::read_overrides(const std::vector<std::string>& overrides) {
  constexpr auto where = "--set";
  for (const auto& text : overrides) {
    const auto equals = text.find('=');
    if (equals == text.npos || equals == 0) {
      report(where, "", "expected key=value, found " + quoted(text));
      continue;
    }
    take_untyped(text.substr(0, equals), text.substr(equals + 1), where);
  }
}

load_result loader::finish() {
  std::vector<problem> warnings;
  check_rules(values_, origins_, problems_, warnings);
  if (!problems_.empty())
    return std::move(problems_);
  loaded result{std::move(values_), {}, std::move(warnings)};
  for (auto& [key, where] : origins_)
    result.origins.push_back({key, where});
  return result;
}

} // namespace

std::string to_string(const problem& p) {
  return p.where + ": " + (p.key.empty() ? "" : p.key + ": ") + p.text;
}

load_result load(const sources& from) {
  loader l;
  l.read_file(from);
  l.read_environment(from.environment);
  l.read_overrides(from.overrides);
  return l.finish();
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> variables;
  for (char** at = environ; at && *at; ++at) {
    const std::string_view line{*at};
    const auto equals = line.find('=');
    if (line.starts_with(prefix) && equals != line.npos)
      variables.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return variables;
}

} // namespace troupe::config
