#include "config/load.hpp"
#include "config/schema.hpp"
#include "config/text.hpp"

#include <algorithm>

namespace troupe::config {
namespace {

constexpr std::string_view introduction =
  R"(# Configuration

<!-- Generated from the declarations in config/: do not edit. -->

Every setting has a default; a broker without a configuration file runs. Values
come from these places, the later ones overriding the earlier:

1. the TOML file of `--config FILE`;
2. environment variables: `mqtt.max_inflight` is `TROUPE_MQTT__MAX_INFLIGHT`,
   two underscores standing for each dot, and `allow_anonymous` is
   `TROUPE_ALLOW_ANONYMOUS`; other variables are passed over unless they begin
   with `TROUPE_` and have two underscores;
3. `--set key=value` on the command line, as often as needed.

All sources are checked as a whole before the broker starts, and everything that
is wrong is reported at once. In the environment and with `--set`, values are
written without quotes.

| type | written |
|---|---|
| boolean | `true`, `false` |
| integer, number | `32`, `1.5` |
| duration | `"500ms"`, `"15s"`, `"1h30m"`, `"7d"`; units w, d, h, m, s, ms |
| size | `"64KB"`, `"1MB"`, `"2GB"` (1 KB is 1024 bytes), or a number of bytes |
| rate | `"1000/s"`, `"5/100ms"`, `"20/m"` |
| address | `"127.0.0.1:1883"`, `"[::1]:1883"`, `":1883"` for all addresses; port 0 is any free one |

Configuration is read when the broker starts, and again by SIGHUP: all of it takes
effect, or nothing if there is a mistake. *Reload* says which settings change in
the running node then, for connected clients as well (`hot`), and which need a new
start (`cold`); the log names those.
)";

/// A `|` would end the cell of a table.
std::string cell(std::string_view text) {
  std::string result;
  for (const char c : text)
    result.append(c == '|' ? 1 : 0, '\\').push_back(c);
  return result;
}

std::string key_for_people(std::string_view key) {
  return with_instance(key, "<name>");
}

/// Calls f(setting, instance) for all settings in the order of declaration.
template <class Function>
void for_each(const settings& s, Function f) {
  for (const auto& section : sections())
    for (const auto& instance : instances(s, section.name))
      for (const auto& one : schema())
        if (one.section == section.name)
          f(one, instance);
}

std::string full_key(const setting& one, std::string_view instance) {
  return one.section.empty()
           ? one.name
           : with_instance(one.section, instance) + "." + one.name;
}

} // namespace

std::string describe_markdown() {
  std::string page{introduction};
  for (const auto& section : sections()) {
    page += section.name.empty()
              ? std::string{"\n## Outside sections\n\n"}
              : "\n## `[" + key_for_people(section.name) + "]`\n\n";
    page.append(section.about).append("\n\n");
    page +=
      "| key | default | type, range | reload | |\n|---|---|---|---|---|\n";
    for (const auto& one : schema()) {
      if (one.section != section.name)
        continue;
      page += "| `" + one.name + "` | `" + cell(one.initial) + "` | "
              + cell(one.type) + " | "
              + (one.when == reload::hot ? "hot" : "cold") + " | "
              + cell(one.help) + " |\n";
    }
  }
  return page;
}

namespace {

/// An empty secret is none.
std::string shown(const setting& one, std::string toml) {
  return one.secret && toml != one.initial ? quoted("***") : std::move(toml);
}

} // namespace

std::string show(const settings& s) {
  std::string text;
  std::string current;
  for_each(s, [&](const setting& one, const std::string& instance) {
    const auto section = with_instance(one.section, instance);
    if (section != current) {
      text += "\n[" + section + "]\n";
      current = section;
    }
    text += one.name + " = " + shown(one, one.toml(s, instance)) + "\n";
  });
  return text;
}

std::vector<changed> diff(const settings& a, const settings& b) {
  // A listener that only one of them has: its keys have one side.
  std::vector<changed> all;
  const auto has = [](const settings& s, const setting& one,
                      const std::string& instance) {
    const auto names = instances(s, one.section);
    return std::ranges::find(names, instance) != names.end();
  };
  // Of its keys those that say something: thirty defaults would hide the rest.
  const auto tells = [](const setting& one, const std::string& value) {
    return one.name == "bind" || value != one.initial;
  };
  for_each(a, [&](const setting& one, const std::string& instance) {
    const auto before = one.toml(a, instance);
    std::optional<std::string> after;
    if (has(b, one, instance))
      after = one.toml(b, instance);
    if (after ? *after != before : tells(one, before)) {
      if (after)
        after = shown(one, *after);
      all.push_back(
        {full_key(one, instance), shown(one, before), after, one.when});
    }
  });
  for_each(b, [&](const setting& one, const std::string& instance) {
    const auto value = one.toml(b, instance);
    if (!has(a, one, instance) && tells(one, value))
      all.push_back(
        {full_key(one, instance), std::nullopt, shown(one, value), one.when});
  });
  return all;
}

settings with_cold_of(const settings& before, settings after) {
  for (const auto& one : schema()) {
    if (one.when == reload::hot)
      continue;
    const auto known = instances(before, one.section);
    for (const auto& instance : instances(after, one.section))
      if (std::ranges::find(known, instance) != known.end())
        one.copy(after, before, instance);
  }
  return after;
}

} // namespace troupe::config
