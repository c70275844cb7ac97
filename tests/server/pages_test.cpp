// What is answered over HTTP and printed in tables, without sockets.
#include "server/pages.hpp"
#include "server/table.hpp"
#include "server/text.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <set>
#include <sstream>

using namespace troupe::server;

namespace {

observation an_observation() {
  observation x;
  x.node.counters.assign(troupe::actors::counter_descriptions.size(), 0);
  x.node.counters[0] = 9'007'199'254'740'991;
  x.node.retained = 3;
  x.node.reactors.resize(2);
  x.node.reactors[1].turn_nanoseconds = 1'500'000'000;
  x.process.cpu_seconds = 0.25;
  return x;
}

page_sources sources(bool stopping) {
  return {"here", [stopping] { return stopping; }, an_observation};
}

std::string page_of(const std::string& file) {
  std::ifstream in{TROUPE_SOURCE_DIR "/docs/" + file};
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

} // namespace

BOOST_AUTO_TEST_CASE(a_stopping_node_is_not_available) {
  const auto status = answer_page("GET", "/status", sources(true));
  BOOST_TEST(status.status == 503U);
  BOOST_TEST(status.body == "Node here is stopping\ntroupe is not running\n");
  BOOST_TEST(answer_page("GET", "/status?format=json", sources(true)).status
             == 503U);
  // Its reactors are not asked any more.
  auto ending = sources(true);
  ending.observe = nullptr;
  BOOST_TEST(answer_page("GET", "/metrics", ending).status == 503U);
}

BOOST_AUTO_TEST_CASE(targets_are_matched_as_a_whole) {
  const auto from = sources(false);
  BOOST_TEST(answer_page("GET", "/status", from).status == 200U);
  BOOST_TEST(answer_page("GET", "/status?", from).status == 200U);
  for (const auto* target :
       {"", "/", "status", "/statusx", "/status/x", "*", "//status", "/STATUS"})
    BOOST_TEST(answer_page("GET", target, from).status == 404U, target);
  BOOST_TEST(answer_page("POST", "/status", from).status == 405U);
  BOOST_TEST(answer_page("get", "/status", from).status == 405U);
  BOOST_TEST(answer_page("POST", "/nowhere", from).status == 404U);
}

BOOST_AUTO_TEST_CASE(only_that_parameter_asks_for_json) {
  const auto type = [](const char* target) {
    return std::string{answer_page("GET", target, sources(false)).content_type};
  };
  BOOST_TEST(type("/status?format=json") == "application/json");
  BOOST_TEST(type("/status?a&format=json&b") == "application/json");
  for (const auto* target : {"/status?format=jso", "/status?xformat=json",
                             "/status?format=json1", "/status?&&"})
    BOOST_TEST(type(target) == "text/plain; charset=utf-8", target);
}

BOOST_AUTO_TEST_CASE(values_are_exact_and_in_base_units) {
  const auto text = '\n' + prometheus_text(an_observation());
  for (const auto* line :
       {"troupe_bytes_received 9007199254740991", "troupe_retained_count 3",
        "troupe_reactor_turn_seconds_total{reactor=\"0\"} 0",
        "troupe_reactor_turn_seconds_total{reactor=\"1\"} 1.5",
        "process_cpu_seconds_total 0.25",
        "# TYPE troupe_bytes_received counter",
        "# TYPE troupe_retained_count gauge"})
    BOOST_TEST(text.find('\n' + std::string{line} + '\n') != text.npos, line);
}

BOOST_AUTO_TEST_CASE(metrics_have_names_of_their_own_and_a_help) {
  std::set<std::string> names;
  for (const auto& x : all_metrics()) {
    BOOST_TEST(names.insert(x.name).second, x.name);
    BOOST_TEST(!x.help.empty(), x.name);
    BOOST_TEST(x.help.find_first_of("\n\\|") == x.help.npos, x.name);
    BOOST_TEST(x.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789")
                 == x.name.npos,
               x.name);
  }
}

BOOST_AUTO_TEST_CASE(the_page_of_metrics_is_up_to_date) {
  BOOST_TEST((page_of("metrics.md") == metrics_markdown()),
             "docs/metrics.md is out of date: troupe metrics docs > "
             "docs/metrics.md");
}

BOOST_AUTO_TEST_CASE(columns_are_aligned_and_numbers_to_the_right) {
  table t({"name", "count", ""});
  t.add({"tür", "7", "x"});
  t.add({"b", "1234567", ""});
  BOOST_TEST(t.text()
             == "name    count\n"
                "tür         7  x\n"
                "b     1234567\n");
  BOOST_TEST(table({"a", "b"}).text() == "a  b\n");
}

BOOST_AUTO_TEST_CASE(control_characters_are_shown_not_sent) {
  BOOST_TEST(printable("a\x1b[2J\n\x7f") == "a\\x1b[2J\\x0a\\x7f");
  table t({"x"});
  t.add({"\r\n"});
  BOOST_TEST(t.text() == "x\n\\x0d\\x0a\n");
}

BOOST_AUTO_TEST_CASE(durations_and_sizes_are_short) {
  BOOST_TEST(print_duration(59) == "59s");
  BOOST_TEST(print_duration(61) == "1m 1s");
  BOOST_TEST(print_duration(7'260) == "2h 1m");
  BOOST_TEST(print_duration(90'000) == "1d 1h");
  BOOST_TEST(print_bytes(1'023) == "1023 B");
  BOOST_TEST(print_bytes(1'536) == "1.5 KB");
}
