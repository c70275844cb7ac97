// Every kind of problem, and what it says.
#include "tests/config/support.hpp"

using namespace troupe::config;

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
  BOOST_TEST(report_of(from) == R"(t.toml:2: mqtt.max_inflght
  no such setting; did you mean mqtt.max_inflight?
t.toml:3: mqtt.idle_timeout
  expected a duration such as "15s", found 15
t.toml:4: mqtt.max_packet_size
  "1GB" is out of range: allowed is 32B to 256MB
t.toml:6: mqqt.upgrade_qos
  no such setting; did you mean mqtt.upgrade_qos?
t.toml:8: listeners.tcp.default.bnd
  no such setting; did you mean listeners.tcp.default.bind?
TROUPE_MQTT__MAX_INFLIGT: mqtt.max_infligt
  no such setting; did you mean TROUPE_MQTT__MAX_INFLIGHT?
TROUPE_NODE__REACTORS: node.reactors
  expected an integer such as 10, found "many"
--set: mqtt.max_qos_allowed
  "3" is out of range: allowed is 0 to 2
--set
  expected key=value, found "nonsense"
--set: log.levl
  no such setting; did you mean log.level?
)");
}

BOOST_AUTO_TEST_CASE(wrong_types_say_what_is_expected) {
  BOOST_TEST(report_of(file(R"(allow_anonymous = "yes"
[mqtt]
max_inflight = "32"
max_mqueue_len = 1.5
keepalive_multiplier = nan
max_packet_size = -1
server_keepalive = "off"
response_information = 5
upgrade_qos = [true]
idle_timeout = 1979-05-27
[log]
rate_limit = "10"
[http]
bind = "localhost:1"
)")) == R"(t.toml:1: allow_anonymous
  expected a boolean such as true, found "yes"
t.toml:3: mqtt.max_inflight
  expected an integer such as 10, found "32"
t.toml:4: mqtt.max_mqueue_len
  expected an integer such as 10 or "infinity", found 1.5
t.toml:5: mqtt.keepalive_multiplier
  nan is out of range: allowed is 1 to 10 keep alive intervals
t.toml:6: mqtt.max_packet_size
  expected a size such as "1MB", found -1
t.toml:7: mqtt.server_keepalive
  expected an integer such as 10 or "disabled", found "off"
t.toml:8: mqtt.response_information
  expected a string such as "text", found 5
t.toml:9: mqtt.upgrade_qos
  expected a boolean such as true, found an array
t.toml:10: mqtt.idle_timeout
  expected a duration such as "15s", found a date or time
t.toml:12: log.rate_limit
  expected a rate such as "1000/s" or "infinity", found "10"
t.toml:14: http.bind
  expected an address such as "127.0.0.1:1883", found "localhost:1"
)");
}

BOOST_AUTO_TEST_CASE(wrong_choices_show_all_of_them) {
  BOOST_TEST(problem_of(set({"mqtt.shared_subscription_strategy=robin"}))
             == "--set: mqtt.shared_subscription_strategy: expected one of "
                "random, round_robin, round_robin_per_group, sticky, local, "
                "hash_clientid, hash_topic, found \"robin\"");
}

BOOST_AUTO_TEST_CASE(values_out_of_range_say_range_and_unit) {
  BOOST_TEST(report_of(set({"mqtt.max_inflight=0", "mqtt.max_inflight=65536",
                            "mqtt.max_inflight=99999999999999999999",
                            "mqtt.idle_timeout=25h", "node.name="}))
             == R"(--set: mqtt.max_inflight
  "0" is out of range: allowed is 1 to 65535 messages
--set: mqtt.max_inflight
  "65536" is out of range: allowed is 1 to 65535 messages
--set: mqtt.max_inflight
  "99999999999999999999" is out of range: allowed is 1 to 65535 messages
--set: mqtt.idle_timeout
  "25h" is out of range: allowed is 10ms to 1d
--set: node.name
  "" is out of range: allowed is 1 to 64 characters
)");
  BOOST_TEST(problem_of(set({"ctl.socket=" + std::string(108, 'x')}))
               .ends_with("is out of range: allowed is 1 to 107 bytes"));
  BOOST_TEST(problem_of(set({"ctl.socket=" + std::string(300, 'x')}))
             == "--set: ctl.socket: something long is out of range: allowed "
                "is 1 to 107 bytes");
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
  // Where toml++ 3.3 has faults of its own.
  BOOST_TEST(problem_of(file("\n[%]\n")).starts_with("t.toml:2:"));
  BOOST_TEST(problem_of(file("\ncaf\u00e9 = 1\n")).starts_with("t.toml:2:"));
  BOOST_TEST(problem_of(file("\nmqtt.max_inflight = \u00e9\n"))
               .starts_with("t.toml:2:"));
}

BOOST_AUTO_TEST_CASE(keys_deeper_than_the_stack_are_refused) {
  std::string deep = "\na";
  for (int i = 0; i < 300'000; ++i)
    deep += ".a";
  BOOST_TEST(problem_of(file(deep + " = 1\n"))
             == "t.toml:2:1: too many dots outside of texts in one line: no "
                "key has so many parts");
  must_load(
    file("# ................................................\n"
         "  # a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. "
         "s. t. u. v. w. x. y. z. a. b. c. d. e. f. g. h. i. j. k.\n"
         "mqtt.upgrade_qos = true # ...............................\n"));
}

BOOST_AUTO_TEST_CASE(sections_are_told_from_settings) {
  BOOST_TEST(report_of(file(R"(log = "debug"
listeners.tcp.default = 5
shards.count.x = 5
"mqtt.upgrade_qos" = true
[mqqt]
[listeners.quic.default]
[node.actors]
)")) == R"(t.toml:1: log
  is a section: its keys are written below [log]
t.toml:2: listeners.tcp.default
  is a section: its keys are written below [listeners.tcp.default]
t.toml:3: shards.count.x
  no such setting; did you mean shards.count?
t.toml:4: "mqtt.upgrade_qos"
  no such setting; did you mean mqtt.upgrade_qos?
t.toml:5: mqqt
  no such section; did you mean [mqtt]?
t.toml:6: listeners.quic.default
  no such section; did you mean [listeners.unix.default]?
t.toml:7: node.actors
  no such section; did you mean [actors]?
)");
  must_load(file("[mqtt]\n[listeners]\n[log]\n[listeners.tcp]\n"
                 "[listeners.tcp.default.tcp_options]\n"));
}

BOOST_AUTO_TEST_CASE(settings_in_the_wrong_section_are_found) {
  BOOST_TEST(report_of(file("max_inflight = 3\n[log]\nallow_anonymous = true\n"
                            "zzzzzzzzzzzzz = 1\n"))
             == R"(t.toml:1: max_inflight
  no such setting; did you mean mqtt.max_inflight?
t.toml:3: log.allow_anonymous
  no such setting; did you mean allow_anonymous?
t.toml:4: log.zzzzzzzzzzzzz
  no such setting
)");
  // Too long for anybody to have meant it.
  BOOST_TEST(problem_of(set({std::string(5'000, 'a') + "=1"}))
               .ends_with(": no such setting"));
}

BOOST_AUTO_TEST_CASE(listeners_have_names_of_few_characters) {
  const std::string rule =
    "a listener's name has lower-case letters, digits, - and single _ only, "
    "at most 64 of them";
  BOOST_TEST(report_of(file("listeners.tcp.A.enable = true\n"
                            "listeners.tcp.''.enable = true\n"
                            "[listeners.tcp.a__b]\n"))
             == "t.toml:1: listeners.tcp.A.enable\n  " + rule
                  + "\nt.toml:2: listeners.tcp.\"\".enable\n  " + rule
                  + "\nt.toml:3: listeners.tcp.a__b\n  " + rule + "\n");
  BOOST_TEST(problem_of(set({"listeners.tcp..bind=:0"}))
             == "--set: listeners.tcp.\"\".bind: " + rule);
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
                "machines, and nobody could be known: name users "
                "(auth.users.file), bind to 127.0.0.1, or set allow_anonymous "
                "= true");
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

BOOST_AUTO_TEST_CASE(a_websocket_listener_says_who_could_never_connect) {
  BOOST_TEST(problem_of(set({"listeners.ws.x.websocket.mqtt_path=mqtt"}))
             == "--set: listeners.ws.x.websocket.mqtt_path: does not begin "
                "with a slash");
  BOOST_TEST(
    problem_of(set({"listeners.ws.x.websocket.supported_subprotocols="}))
    == "--set: listeners.ws.x.websocket.supported_subprotocols: is empty, so "
       "nobody could connect: name one, such as mqtt, or set "
       "fail_if_no_subprotocol = false");
  for (const auto* wrong :
       {"desk.example", "https://", "https://Desk.example", "://desk.example",
        "https://desk.example/", "https://desk.example/page"})
    BOOST_TEST(problem_of(set({"listeners.ws.x.websocket.check_origins="
                               + std::string{wrong}}))
                 .find("is no origin as browsers write it")
               != std::string::npos);
  must_load(set({"listeners.ws.x.websocket.check_origins="
                 "https://desk.example,http://127.0.0.1:8080"}));
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
  BOOST_TEST(problem_of(file("[listeners.unix.a]\nbind = \"x.sock\"\n"
                             "[listeners.unix.b]\nbind = \"x.sock\"\n"))
             == "t.toml:4: listeners.unix.b.bind: x.sock is the file of "
                "listeners.unix.a.bind too: give one of them another");
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
