// Which value counts, from which source, and every kind of problem.
#include "tests/config/support.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace troupe::config;
using lines = std::vector<std::string>;
namespace per_element = boost::test_tools;

#define CHECK_LINES(actual, ...)                                               \
  BOOST_TEST((actual) == (lines{__VA_ARGS__}), per_element::per_element())

namespace {

std::string origin_of(const loaded& l, std::string_view key) {
  const auto at = std::ranges::find(l.origins, key, &origin::key);
  return at == l.origins.end() ? "default" : at->where;
}

} // namespace

BOOST_AUTO_TEST_CASE(without_sources_everything_is_at_its_default) {
  const auto l = must_load({});
  BOOST_TEST(l.origins.empty());
  BOOST_TEST(l.warnings.empty());
  BOOST_TEST(show(l.values) == show(settings{}));
  BOOST_TEST(l.values.mqtt.max_inflight == 32);
  BOOST_TEST(l.values.listeners.tcp.at("default").bind.port == 1883);
}

BOOST_AUTO_TEST_CASE(a_file_sets_values_of_every_type) {
  const auto l = must_load(file(R"(
allow_anonymous = true
[mqtt]
idle_timeout = "500ms"              # duration
max_packet_size = "64KB"            # size
server_keepalive = 60               # integer or a word
max_inflight = 7                    # integer
keepalive_multiplier = 2            # number
strict_mode = false                 # boolean
response_information = "r\u00e9s/"  # string
shared_subscription_strategy = "sticky"
max_awaiting_rel = "infinity"
[retainer]
max_payload_size = 1000
[log]
rate_limit = "5/100ms"
[listeners.tcp.lan]
bind = "0.0.0.0:1884"
tcp_options.nodelay = false
[listeners.tcp.lan6.tcp_options]
backlog = 5
[listeners.tcp.lan6]
bind = 1885
)"));
  const auto& s = l.values;
  BOOST_TEST(s.root_keys.allow_anonymous);
  BOOST_CHECK(s.mqtt.idle_timeout == 500ms);
  BOOST_TEST(s.mqtt.max_packet_size.count == 65'536U);
  BOOST_TEST(s.mqtt.server_keepalive.value() == 60);
  BOOST_TEST(s.mqtt.max_inflight == 7);
  BOOST_TEST(s.mqtt.keepalive_multiplier == 2.0);
  BOOST_TEST(!s.mqtt.strict_mode);
  BOOST_TEST(s.mqtt.response_information == "r\u00e9s/");
  BOOST_CHECK(s.mqtt.shared_subscription_strategy == share_strategy::sticky);
  BOOST_TEST(!s.mqtt.max_awaiting_rel.has_value());
  BOOST_TEST(s.retainer.max_payload_size.count == 1000U);
  BOOST_CHECK((s.log.rate_limit == rate{5, 100ms}));
  const auto& lan = s.listeners.tcp.at("lan");
  BOOST_TEST(lan.bind.host == "0.0.0.0");
  BOOST_TEST(!lan.nodelay);
  BOOST_TEST(s.listeners.tcp.at("lan6").backlog == 5U);
  BOOST_TEST(s.listeners.tcp.at("lan6").bind.host.empty());
  BOOST_TEST(origin_of(l, "mqtt.max_inflight") == "t.toml:7");
  BOOST_TEST(origin_of(l, "listeners.tcp.lan.bind") == "t.toml:18");
  BOOST_TEST(origin_of(l, "mqtt.upgrade_qos") == "default");
}

BOOST_AUTO_TEST_CASE(later_sources_win) {
  auto from = file("mqtt.max_inflight = 1\nmqtt.upgrade_qos = true\n"
                   "node.name = 'file'\n");
  from.environment = {{"TROUPE_MQTT__MAX_INFLIGHT", "2"},
                      {"TROUPE_NODE__NAME", "env"}};
  from.overrides = {"mqtt.max_inflight=3", "mqtt.max_inflight=4"};
  const auto l = must_load(from);
  BOOST_TEST(l.values.mqtt.max_inflight == 4);
  BOOST_TEST(l.values.node.name == "env");
  BOOST_TEST(l.values.mqtt.upgrade_qos);
  BOOST_TEST(origin_of(l, "mqtt.max_inflight") == "--set");
  BOOST_TEST(origin_of(l, "node.name") == "TROUPE_NODE__NAME");
  BOOST_TEST(origin_of(l, "mqtt.upgrade_qos") == "t.toml:2");
}

BOOST_AUTO_TEST_CASE(untyped_text_becomes_every_type) {
  const auto l = must_load(
    set({"mqtt.strict_mode=false", "mqtt.max_inflight=5",
         "mqtt.keepalive_multiplier=2.5", "mqtt.idle_timeout=1m",
         "mqtt.max_packet_size=1KB", "mqtt.server_keepalive=disabled",
         "mqtt.response_information=a=b", "log.level=debug",
         "listeners.tcp.default.bind=[::1]:0", "log.rate_limit=infinity",
         "listeners.tcp.default.tcp_options.backlog=3"}));
  BOOST_TEST(!l.values.mqtt.strict_mode);
  BOOST_TEST(l.values.mqtt.keepalive_multiplier == 2.5);
  BOOST_CHECK(l.values.mqtt.idle_timeout == 60s);
  BOOST_TEST(l.values.mqtt.max_packet_size.count == 1024U);
  BOOST_TEST(l.values.mqtt.response_information == "a=b");
  BOOST_CHECK(l.values.log.level == log_level::debug);
  BOOST_TEST(l.values.listeners.tcp.at("default").bind.host == "::1");
  BOOST_TEST(!l.values.log.rate_limit.has_value());
  BOOST_TEST(l.values.listeners.tcp.at("default").backlog == 3U);
}

BOOST_AUTO_TEST_CASE(the_environment_reaches_listeners_and_root_keys) {
  sources from;
  from.environment = {{"TROUPE_LISTENERS__TCP__DEFAULT__BIND", ":1999"},
                      {"TROUPE_ALLOW_ANONYMOUS", "true"},
                      {"TROUPE_SOMETHING", "of another program"},
                      {"TROUPE", "x"},
                      {"PATH", "/bin"}};
  const auto l = must_load(from);
  BOOST_TEST(l.values.listeners.tcp.at("default").bind.port == 1999);
  BOOST_TEST(l.values.root_keys.allow_anonymous);
  BOOST_TEST(l.origins.size() == 2U);
}

BOOST_AUTO_TEST_CASE(all_problems_are_reported_at_once) {
  auto from = file(R"([mqtt]
max_inflght = 32
idle_timeout = 15
max_packet_size = "1GB"
[mqqt]
upgrade_qos = true
[listeners.tcp.default]
bnd = ":1"
)");
  from.environment = {{"TROUPE_MQTT__MAX_INFLIGT", "2"},
                      {"TROUPE_NODE__REACTORS", "many"}};
  from.overrides = {"mqtt.max_qos_allowed=3", "nonsense", "log.levl=info"};
  CHECK_LINES(
    problems_of(from),
    "t.toml:2: mqtt.max_inflght: no such setting; did you mean "
    "mqtt.max_inflight?",
    "t.toml:3: mqtt.idle_timeout: expected a duration such as \"15s\", found "
    "15",
    "t.toml:4: mqtt.max_packet_size: \"1GB\" is out of range: allowed is 32B "
    "to 256MB",
    "t.toml:6: mqqt.upgrade_qos: no such setting; did you mean "
    "mqtt.upgrade_qos?",
    "t.toml:8: listeners.tcp.default.bnd: no such setting; did you mean "
    "listeners.tcp.default.bind?",
    "TROUPE_MQTT__MAX_INFLIGT: mqtt.max_infligt: no such setting; did you "
    "mean TROUPE_MQTT__MAX_INFLIGHT?",
    "TROUPE_NODE__REACTORS: node.reactors: expected an integer such as 10, "
    "found \"many\"",
    "--set: mqtt.max_qos_allowed: \"3\" is out of range: allowed is 0 to 2",
    "--set: expected key=value, found \"nonsense\"",
    "--set: log.levl: no such setting; did you mean log.level?");
}

BOOST_AUTO_TEST_CASE(wrong_types_say_what_is_expected) {
  CHECK_LINES(
    problems_of(file(R"(allow_anonymous = "yes"
[mqtt]
max_inflight = "32"
max_mqueue_len = 1.5
keepalive_multiplier = nan
max_packet_size = -1
server_keepalive = "off"
response_information = 5
shared_subscription_strategy = "robin"
upgrade_qos = [true]
idle_timeout = 1979-05-27
[log]
rate_limit = "10"
[http]
bind = "localhost:1"
)")),
    "t.toml:1: allow_anonymous: expected a boolean such as true, found "
    "\"yes\"",
    "t.toml:3: mqtt.max_inflight: expected an integer such as 10, found "
    "\"32\"",
    "t.toml:4: mqtt.max_mqueue_len: expected an integer such as 10 or "
    "\"infinity\", found 1.5",
    "t.toml:5: mqtt.keepalive_multiplier: nan is out of range: allowed is 1 "
    "to 10 keep alive intervals",
    "t.toml:6: mqtt.max_packet_size: expected a size such as \"1MB\", found "
    "-1",
    "t.toml:7: mqtt.server_keepalive: expected an integer such as 10 or "
    "\"disabled\", found \"off\"",
    "t.toml:8: mqtt.response_information: expected a string such as "
    "\"text\", found 5",
    "t.toml:9: mqtt.shared_subscription_strategy: expected one of random, "
    "round_robin, round_robin_per_group, sticky, local, hash_clientid, "
    "hash_topic, found \"robin\"",
    "t.toml:10: mqtt.upgrade_qos: expected a boolean such as true, found an "
    "array",
    "t.toml:11: mqtt.idle_timeout: expected a duration such as \"15s\", "
    "found a date or time",
    "t.toml:13: log.rate_limit: expected a rate such as \"1000/s\" or "
    "\"infinity\", found \"10\"",
    "t.toml:15: http.bind: expected an address such as \"127.0.0.1:1883\", "
    "found \"localhost:1\"");
}

BOOST_AUTO_TEST_CASE(values_out_of_range_say_range_and_unit) {
  CHECK_LINES(
    problems_of(
      set({"mqtt.max_inflight=0", "mqtt.max_inflight=65536",
           "mqtt.max_inflight=99999999999999999999", "mqtt.idle_timeout=25h",
           "node.name=", "ctl.socket=" + std::string(108, 'x')})),
    "--set: mqtt.max_inflight: \"0\" is out of range: allowed is 1 to 65535 "
    "messages",
    "--set: mqtt.max_inflight: \"65536\" is out of range: allowed is 1 to "
    "65535 messages",
    "--set: mqtt.max_inflight: \"99999999999999999999\" is out of range: "
    "allowed is 1 to 65535 messages",
    "--set: mqtt.idle_timeout: \"25h\" is out of range: allowed is 10ms to "
    "1d",
    "--set: node.name: \"\" is out of range: allowed is 1 to 64 characters",
    "--set: ctl.socket: \"" + std::string(108, 'x')
      + "\" is out of range: allowed is 1 to 107 bytes");
}

BOOST_AUTO_TEST_CASE(syntax_errors_have_line_and_column) {
  const auto text = problem_of(file("[mqtt]\nmax_inflight = \n"));
  BOOST_TEST(text.starts_with("t.toml:2:"), text);
  auto twice = file("[mqtt]\nupgrade_qos = true\nupgrade_qos = true\n");
  twice.overrides = {"nonsense"};
  const auto both = problems_of(twice);
  BOOST_TEST_REQUIRE(both.size() == 2U);
  BOOST_TEST(both[0].starts_with("t.toml:3:"), both[0]);
  BOOST_TEST(both[0].find("upgrade_qos") != std::string::npos, both[0]);
  BOOST_TEST(problem_of(file("a = \"\xFF\"\n")).starts_with("t.toml:1:"));
}

BOOST_AUTO_TEST_CASE(keys_deeper_than_the_stack_are_refused) {
  std::string deep = "\na";
  for (int i = 0; i < 300'000; ++i)
    deep += ".a";
  BOOST_TEST(problem_of(file(deep + " = 1\n"))
             == "t.toml:2: too many dots in one line");
  must_load(
    file("# ................................................\n"
         "  # a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. "
         "s. t. u. v. w. x. y. z. a. b. c. d. e. f. g. h. i. j. k.\n"
         "mqtt.upgrade_qos = true # ...............................\n"));
}

BOOST_AUTO_TEST_CASE(sections_are_told_from_settings) {
  CHECK_LINES(
    problems_of(file(R"(log = "debug"
listeners.tcp.default = 5
shards.count.x = 5
"mqtt.upgrade_qos" = true
[mqqt]
[listeners.ssl.default]
[node.actors]
)")),
    "t.toml:1: log: is a section: its keys are written below [log]",
    "t.toml:2: listeners.tcp.default: is a section: its keys are written "
    "below [listeners.tcp.default]",
    "t.toml:3: shards.count.x: no such setting; did you mean shards.count?",
    "t.toml:4: \"mqtt.upgrade_qos\": no such setting; did you mean "
    "mqtt.upgrade_qos?",
    "t.toml:5: mqqt: no such section; did you mean [mqtt]?",
    "t.toml:6: listeners.ssl.default: no such section; did you mean "
    "[listeners.tcp.default]?",
    "t.toml:7: node.actors: no such section; did you mean [actors]?");
  must_load(file("[mqtt]\n[listeners]\n[log]\n[listeners.tcp]\n"
                 "[listeners.tcp.default.tcp_options]\n"));
}

BOOST_AUTO_TEST_CASE(settings_in_the_wrong_section_are_found) {
  CHECK_LINES(
    problems_of(file("max_inflight = 3\n[log]\nallow_anonymous = true\n"
                     "zzzzzzzzzzzzz = 1\n")),
    "t.toml:1: max_inflight: no such setting; did you mean "
    "mqtt.max_inflight?",
    "t.toml:3: log.allow_anonymous: no such setting; did you mean "
    "allow_anonymous?",
    "t.toml:4: log.zzzzzzzzzzzzz: no such setting");
  // Too long for anybody to have meant it.
  BOOST_TEST(problem_of(set({std::string(5'000, 'a') + "=1"}))
               .ends_with(": no such setting"));
}

BOOST_AUTO_TEST_CASE(listeners_have_names_of_few_characters) {
  const std::string rule =
    ": a listener's name has lower-case letters, digits, - and single _ "
    "only, at most 64 of them";
  CHECK_LINES(problems_of(file("listeners.tcp.A.enable = true\n"
                               "listeners.tcp.''.enable = true\n"
                               "[listeners.tcp.a__b]\n")),
              "t.toml:1: listeners.tcp.A.enable" + rule,
              "t.toml:2: listeners.tcp.\"\".enable" + rule,
              "t.toml:3: listeners.tcp.a__b" + rule);
  BOOST_TEST(problem_of(set({"listeners.tcp..bind=:0"}))
             == "--set: listeners.tcp.\"\".bind" + rule);
}

BOOST_AUTO_TEST_CASE(a_variable_in_two_spellings_is_a_problem) {
  sources from;
  from.environment = {{"TROUPE_MQTT__UPGRADE_QOS", "true"},
                      {"TROUPE_mqtt__upgrade_qos", "false"}};
  BOOST_TEST(problem_of(from)
             == "TROUPE_mqtt__upgrade_qos: mqtt.upgrade_qos: is set by "
                "TROUPE_MQTT__UPGRADE_QOS too");
}

BOOST_AUTO_TEST_CASE(open_listeners_need_allow_anonymous) {
  BOOST_TEST(problem_of(file("[listeners.tcp.default]\nbind = ':1883'\n"))
             == "t.toml:2: listeners.tcp.default.bind: :1883 is open to other "
                "machines, and anybody could connect: bind to 127.0.0.1, or "
                "set allow_anonymous = true");
  const auto l = must_load(
    set({"allow_anonymous=true", "listeners.tcp.default.bind=10.0.0.1:1883"}));
  BOOST_TEST_REQUIRE(l.warnings.size() == 1U);
  BOOST_TEST(to_string(l.warnings[0])
             == "--set: listeners.tcp.default.bind: 10.0.0.1:1883 is open to "
                "other machines, and anybody can connect (allow_anonymous = "
                "true)");
  must_load(set({"listeners.tcp.default.bind=:1883",
                 "listeners.tcp.default.enable=false"}));
  // One mistake is one problem.
  BOOST_TEST(
    problems_of(set({"listeners.tcp.default.bind=:1", "allow_anonymous=ja"}))
      .size()
    == 1U);
}

BOOST_AUTO_TEST_CASE(two_listeners_do_not_share_an_address) {
  BOOST_TEST(problem_of(file("[listeners.tcp.other]\n"))
             == "default: listeners.tcp.other.bind: 127.0.0.1:1883 is the "
                "address of listeners.tcp.default.bind too: give one of them "
                "another port");
  BOOST_TEST(problem_of(set({"http.bind=127.0.0.1:1883"}))
             == "--set: http.bind: 127.0.0.1:1883 is the address of "
                "listeners.tcp.default.bind too: give one of them another "
                "port");
  BOOST_TEST(problems_of(set({"allow_anonymous=true", "listeners.tcp.a.bind=:1",
                              "listeners.tcp.b.bind=[::]:1"}))
               .size()
             == 1U);
  must_load(set(
    {"listeners.tcp.a.bind=127.0.0.1:0", "listeners.tcp.b.bind=127.0.0.1:0"}));
  must_load(set({"listeners.tcp.a.enable=false"}));
  must_load(set({"listeners.tcp.a.bind=127.0.0.2:1883"}));
  // An address that cannot be read is not the default either.
  BOOST_TEST(problems_of(set({"listeners.tcp.a.bind=?"})).size() == 1U);
}

BOOST_AUTO_TEST_CASE(names_and_paths_are_checked) {
  BOOST_TEST(problem_of(set({"node.name=a/b"}))
             == "--set: node.name: \"a/b\" has other characters than letters, "
                "digits and . _ @ -");
  BOOST_TEST(problem_of(file("log.file = \"a\\u0000\"\n"))
             == "t.toml:1: log.file: a path has no zero bytes");
  BOOST_TEST(problem_of(set({"node.data_dir=" + std::string(100, 'd')}))
               .starts_with("default: ctl.socket: below node.data_dir"));
  must_load(set({"node.data_dir=" + std::string(100, 'd'), "ctl.socket=/s"}));
}

BOOST_AUTO_TEST_CASE(untyped_text_is_utf8) {
  must_load(set({"mqtt.response_information=\u00e9\u20ac\U0001F600"}));
  for (const auto* const bytes : {"\xFF", "\xC3", "\xC0\x80", "\xED\xA0\x80",
                                  "\xF4\x90\x80\x80", "\xE2\x28\xA1", "\x80"})
    BOOST_TEST(
      problem_of(set({"mqtt.response_information=" + std::string{bytes}}))
      == "--set: is not UTF-8");
}

BOOST_AUTO_TEST_CASE(files_are_read_and_bounded) {
  const auto path = std::filesystem::temp_directory_path()
                    / ("troupe-config-" + std::to_string(::getpid()));
  std::ofstream{path} << "mqtt.max_inflight = 9\n";
  sources from{
    .file = path.string(), .text = {}, .environment = {}, .overrides = {}};
  BOOST_TEST(must_load(from).values.mqtt.max_inflight == 9);
  std::ofstream{path}.close(); // empty
  must_load(from);
  std::ofstream{path} << std::string(1'100'000, '\n');
  BOOST_TEST(problem_of(from) == path.string() + ": is larger than 1MB");
  std::filesystem::remove(path);
  BOOST_TEST(problem_of(from) == path.string() + ": cannot be read");
  from.file = "/";
  BOOST_TEST(problem_of(from) == "/: cannot be read");
}

BOOST_AUTO_TEST_CASE(the_environment_of_the_process_is_filtered) {
  ::setenv("TROUPE_MQTT__MAX_INFLIGHT", "11", 1);
  const auto variables = process_environment();
  ::unsetenv("TROUPE_MQTT__MAX_INFLIGHT");
  BOOST_TEST(variables.at("TROUPE_MQTT__MAX_INFLIGHT") == "11");
  BOOST_TEST(!variables.contains("PATH"));
}
