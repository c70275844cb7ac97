// What is derived from the declarations, for each of them.
#include "config/nearest.hpp"
#include "config/schema.hpp"
#include "tests/config/support.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

using namespace troupe::config;

namespace {

std::string key_of(const setting& s) {
  return with_instance(s.section.empty() ? s.name : s.section + "." + s.name,
                       "default");
}

/// What one setting of a listener demands of another is not meant here: a
/// listener that is not opened demands nothing.
std::string closed(const setting& s) {
  return s.section.starts_with("listeners.") && s.name != "enable"
           ? "listeners." + s.path[1] + ".default.enable = false\n"
           : std::string{};
}

/// A value in TOML notation that the setting takes and that is not its default.
std::string other_value(const setting& s) {
  static const std::vector<std::string> candidates = {"true",
                                                      "false",
                                                      "2",
                                                      "1",
                                                      "40",
                                                      "2.5",
                                                      "\"7s\"",
                                                      "\"3h\"",
                                                      "\"48KB\"",
                                                      "\"48MB\"",
                                                      "\"96MB\"",
                                                      "\"9/s\"",
                                                      "\"x\"",
                                                      "\"/tmp/x\"",
                                                      "\"127.0.0.1:1999\"",
                                                      "\"random\"",
                                                      "\"message\"",
                                                      "\"debug\"",
                                                      "\"json\"",
                                                      "\"quorum-memory\"",
                                                      "\"9KB/s\"",
                                                      "[\"3.1\"]",
                                                      "\"verify_peer\"",
                                                      "\"tlsv1.3\"",
                                                      "\"tlsv1.2\"",
                                                      "\"cn\"",
                                                      "\"0600\"",
                                                      "\"single\"",
                                                      "\"deny\"",
                                                      "\"dn\"",
                                                      "\"disconnect\""};
  for (const auto& candidate : candidates) {
    const auto result =
      load(file(closed(s) + key_of(s) + " = " + candidate + "\n"));
    if (result.index() == 0
        && s.toml(std::get<0>(result).values, "default") != s.initial)
      return candidate;
  }
  BOOST_ERROR("no other value for " + key_of(s));
  return s.initial;
}

/// Each setting at another value than its default.
std::string file_of_other_values() {
  std::string text;
  std::set<std::string> ports;
  for (const auto& s : schema()) {
    auto value = other_value(s);
    // The two addresses must differ.
    if (s.name == "bind" && !ports.insert(value).second)
      value = "\"127.0.0.1:1998\"";
    text += key_of(s) + " = " + value + "\n";
  }
  return text;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_file_with_every_key_sets_every_member) {
  const auto l = must_load(file(file_of_other_values()));
  BOOST_TEST(l.origins.size() == schema().size());
  for (const auto& s : schema())
    BOOST_TEST(s.toml(l.values, "default") != s.initial, key_of(s));
}

BOOST_AUTO_TEST_CASE(what_is_shown_loads_to_the_same) {
  auto l = must_load(file(file_of_other_values()));
  l.values.listeners.tcp["more"].common.bind = {"::1", 5};
  l.values.mqtt.response_information = "\"quoted\"\\ \t\x7F \u00e9\n";
  for (const auto& s : {l.values, settings{}}) {
    const auto text = show(s);
    BOOST_TEST(show(must_load(file(text)).values) == text);
  }
}

BOOST_AUTO_TEST_CASE(every_default_is_a_value_that_loads) {
  for (const auto& s : schema()) {
    if (s.section.starts_with("listeners.") && s.name == "enable")
      continue; // alone, it demands certificates
    const auto l =
      must_load(file(closed(s) + key_of(s) + " = " + s.initial + "\n"));
    BOOST_TEST(s.toml(l.values, "default") == s.initial, key_of(s));
  }
}

BOOST_AUTO_TEST_CASE(every_key_is_reached_from_the_environment) {
  for (const auto& s : schema()) {
    std::string name = "TROUPE_";
    for (const char c : key_of(s))
      name += c == '.' ? std::string{"__"}
                       : std::string(1, static_cast<char>(std::toupper(c)));
    auto value = s.initial; // untyped values have no quotes
    std::erase(value, '"');
    sources from;
    from.environment = {{name, value}};
    from.text = s.name == "enable" ? "" : closed(s);
    const auto loaded = load(from);
    if (const auto* l = std::get_if<0>(&loaded))
      BOOST_TEST(std::ranges::any_of(l->origins,
                                     [&](const origin& x) {
                                       return x.key == key_of(s)
                                              && x.where == name;
                                     }),
                 name);
    else // it is known, but alone it demands certificates
      BOOST_TEST(s.name == "enable", name);
  }
}

BOOST_AUTO_TEST_CASE(every_setting_is_described) {
  std::set<std::string> keys;
  for (const auto& s : schema()) {
    BOOST_TEST(keys.insert(key_of(s)).second, key_of(s));
    BOOST_TEST(!s.type.empty(), key_of(s));
    BOOST_TEST(s.help.size() > 20U, key_of(s));
    BOOST_CHECK_MESSAGE(s.help.ends_with('.') || s.help.ends_with("@ -"),
                        key_of(s));
  }
  for (const auto& s : sections())
    BOOST_TEST(!s.about.empty(), s.name);
}

BOOST_AUTO_TEST_CASE(every_misspelt_key_finds_its_way_back) {
  for (const auto& s : schema()) {
    auto key = key_of(s);
    key.erase(key.size() - 2, 1);
    const auto text = problem_of(set({key + "=1"}));
    BOOST_TEST(text.ends_with("; did you mean " + key_of(s) + "?"), text);
  }
}

BOOST_AUTO_TEST_CASE(distance_counts_edits) {
  BOOST_TEST(edit_distance("", "") == 0U);
  BOOST_TEST(edit_distance("abc", "") == 3U);
  BOOST_TEST(edit_distance("", "abc") == 3U);
  BOOST_TEST(edit_distance("abc", "abc") == 0U);
  BOOST_TEST(edit_distance("abc", "adc") == 1U);
  BOOST_TEST(edit_distance("abc", "acb") == 1U);
  BOOST_TEST(edit_distance("abc", "xabcx") == 2U);
  BOOST_TEST(edit_distance("kitten", "sitting") == 3U);
}

BOOST_AUTO_TEST_CASE(a_comparison_tells_hot_from_cold) {
  settings a;
  auto b = a;
  BOOST_TEST(diff(a, b).empty());
  b.mqtt.max_inflight = 33;
  b.node.reactors = 2;
  b.mqtt.max_awaiting_rel.reset();
  const auto changes = diff(a, b);
  BOOST_TEST_REQUIRE(changes.size() == 3U);
  BOOST_TEST(changes[0].key == "mqtt.max_awaiting_rel");
  BOOST_TEST(changes[0].before.value() == "100");
  BOOST_TEST(changes[0].after.value() == "\"infinity\"");
  BOOST_TEST(changes[1].key == "mqtt.max_inflight");
  BOOST_CHECK(changes[1].when == reload::hot);
  BOOST_TEST(changes[2].key == "node.reactors");
  BOOST_CHECK(changes[2].when == reload::cold);
}

BOOST_AUTO_TEST_CASE(a_comparison_shows_listeners_that_come_and_go) {
  settings a;
  auto b = a;
  b.listeners.tcp["more"].common.max_connections = 7;
  const auto come = diff(a, b);
  const auto go = diff(b, a);
  // Where it is, and what is unlike the default.
  BOOST_TEST_REQUIRE(come.size() == 2U);
  BOOST_TEST_REQUIRE(go.size() == 2U);
  BOOST_TEST(come[0].key == "listeners.tcp.more.bind");
  BOOST_TEST(!come[0].before.has_value());
  BOOST_TEST(come[0].after.value() == "\"127.0.0.1:1883\"");
  BOOST_TEST(come[1].key == "listeners.tcp.more.max_connections");
  BOOST_TEST(come[1].after.value() == "7");
  BOOST_TEST(go[0].before.value() == "\"127.0.0.1:1883\"");
  BOOST_TEST(!go[0].after.has_value());
}

BOOST_AUTO_TEST_CASE(a_secret_is_compared_and_not_shown) {
  settings a;
  auto b = a;
  a.listeners.ssl["x"].ssl.password = "sesame";
  b.listeners.ssl["x"].ssl.password = "new";
  const auto changes = diff(a, b);
  BOOST_TEST_REQUIRE(changes.size() == 1U);
  BOOST_TEST(changes[0].key == "listeners.ssl.x.ssl_options.password");
  BOOST_TEST(changes[0].before.value() == "\"***\"");
  BOOST_TEST(changes[0].after.value() == "\"***\"");
  BOOST_TEST(show(a).find("sesame") == std::string::npos);
  sources wrong;
  wrong.text = "listeners.ssl.x.ssl_options.password = 8675309\n";
  const auto read = load(wrong);
  for (const auto& x : std::get<std::vector<problem>>(read))
    BOOST_TEST(to_string(x).find("8675309") == std::string::npos);
  b.listeners.ssl["x"].ssl.password.clear();
  BOOST_TEST(diff(a, b).at(0).after.value() == "\"\"");
}

BOOST_AUTO_TEST_CASE(the_reference_page_is_up_to_date) {
  std::ifstream in{TROUPE_SOURCE_DIR "/docs/configuration.md"};
  std::ostringstream committed;
  committed << in.rdbuf();
  BOOST_TEST(committed.str() == describe_markdown(),
             "docs/configuration.md is not what the declarations say; "
             "regenerate it: " TROUPE_BINARY_DIR
             "/config_docs > docs/configuration.md");
}
