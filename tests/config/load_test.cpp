// Which value counts, and from which source.
#include "tests/config/support.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace troupe::config;

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
  BOOST_TEST(l.values.listeners.tcp.at("default").common.bind.port == 1883);
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
mqueue_store_qos0 = false           # boolean
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
  BOOST_TEST(!s.mqtt.mqueue_store_qos0);
  BOOST_TEST(s.mqtt.response_information == "r\u00e9s/");
  BOOST_CHECK(s.mqtt.shared_subscription_strategy == share_strategy::sticky);
  BOOST_TEST(!s.mqtt.max_awaiting_rel.has_value());
  BOOST_TEST(s.retainer.max_payload_size.count == 1000U);
  BOOST_CHECK((s.log.rate_limit == rate{5, 100ms}));
  const auto& lan = s.listeners.tcp.at("lan").common;
  BOOST_TEST(lan.bind.host == "0.0.0.0");
  BOOST_TEST(!lan.nodelay);
  BOOST_TEST(s.listeners.tcp.at("lan6").common.backlog == 5U);
  BOOST_TEST(s.listeners.tcp.at("lan6").common.bind.host.empty());
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
    set({"mqtt.mqueue_store_qos0=false", "mqtt.max_inflight=5",
         "mqtt.keepalive_multiplier=2.5", "mqtt.idle_timeout=1m",
         "mqtt.max_packet_size=1KB", "mqtt.server_keepalive=disabled",
         "mqtt.response_information=a=b", "log.level=debug",
         "listeners.tcp.default.bind=[::1]:0", "log.rate_limit=infinity",
         "listeners.tcp.default.tcp_options.backlog=3"}));
  BOOST_TEST(!l.values.mqtt.mqueue_store_qos0);
  BOOST_TEST(l.values.mqtt.keepalive_multiplier == 2.5);
  BOOST_CHECK(l.values.mqtt.idle_timeout == 60s);
  BOOST_TEST(l.values.mqtt.max_packet_size.count == 1024U);
  BOOST_TEST(l.values.mqtt.response_information == "a=b");
  BOOST_CHECK(l.values.log.level == log_level::debug);
  BOOST_TEST(l.values.listeners.tcp.at("default").common.bind.host == "::1");
  BOOST_TEST(!l.values.log.rate_limit.has_value());
  BOOST_TEST(l.values.listeners.tcp.at("default").common.backlog == 3U);
}

BOOST_AUTO_TEST_CASE(the_environment_reaches_listeners_and_root_keys) {
  sources from;
  from.environment = {{"TROUPE_LISTENERS__TCP__DEFAULT__BIND", ":1999"},
                      {"TROUPE_ALLOW_ANONYMOUS", "true"},
                      {"TROUPE_SOMETHING", "of another program"},
                      {"TROUPE", "x"},
                      {"PATH", "/bin"}};
  const auto l = must_load(from);
  BOOST_TEST(l.values.listeners.tcp.at("default").common.bind.port == 1999);
  BOOST_TEST(l.values.root_keys.allow_anonymous);
  BOOST_TEST(l.origins.size() == 2U);
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
  BOOST_TEST(problem_of(from)
             == path.string() + ": cannot be read: No such file or directory");
  from.file = "/";
  BOOST_TEST(problem_of(from) == "/: cannot be read: Is a directory");
}

BOOST_AUTO_TEST_CASE(the_environment_of_the_process_is_filtered) {
  ::setenv("TROUPE_MQTT__MAX_INFLIGHT", "11", 1);
  const auto variables = process_environment();
  ::unsetenv("TROUPE_MQTT__MAX_INFLIGHT");
  BOOST_TEST(variables.at("TROUPE_MQTT__MAX_INFLIGHT") == "11");
  BOOST_TEST(!variables.contains("PATH"));
}
