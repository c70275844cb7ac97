#define BOOST_TEST_MODULE actors_trace_rules
#include "actors/trace_event.hpp"
#include "actors/trace_rules.hpp"
#include "actors/tracer.hpp"
#include "protocol/hash.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <tuple>
#include <unistd.h>

using namespace troupe;
using namespace troupe::actors;
using namespace std::chrono_literals;

namespace {

trace_options follow(trace_kind kind, std::string wanted,
                     std::string name = "t") {
  trace_options x;
  x.name = std::move(name);
  x.kind = kind;
  x.wanted = std::move(wanted);
  return x;
}

trace_set::entry entry(trace_kind kind, std::string wanted) {
  return std::get<trace_set::entry>(
    trace_set::entry::make(follow(kind, std::move(wanted))));
}

std::string wrong_with(const trace_options& how) {
  const auto made = trace_set::entry::make(how);
  const auto* wrong = std::get_if<std::string>(&made);
  return wrong == nullptr ? "" : *wrong;
}

protocol::message_ptr message(std::string_view topic, std::string_view from) {
  protocol::message_options x;
  x.topic = topic;
  x.publisher = protocol::hash64(from);
  return protocol::message::make(x);
}

} // namespace

BOOST_AUTO_TEST_CASE(what_cannot_be_followed_is_refused_with_a_reason) {
  BOOST_TEST(wrong_with(follow(trace_kind::client, "c")).empty());
  for (const auto* name : {"", ".x", "a/b", "..", "a b", "ä"})
    BOOST_TEST(!wrong_with(follow(trace_kind::client, "c", name)).empty(),
               name);
  BOOST_TEST(
    !wrong_with(follow(trace_kind::client, "c", std::string(65, 'x'))).empty());
  BOOST_TEST(!wrong_with(follow(trace_kind::client, "")).empty());
  BOOST_TEST(!wrong_with(follow(trace_kind::user, "")).empty());
  BOOST_TEST(!wrong_with(follow(trace_kind::topic, "a/#/b")).empty());
  BOOST_TEST(!wrong_with(follow(trace_kind::address, "10.0.0.0/33")).empty());
  BOOST_TEST(!wrong_with(follow(trace_kind::address, "somewhere")).empty());
  auto endless = follow(trace_kind::client, "c");
  endless.lasts = 0ms;
  BOOST_TEST(!wrong_with(endless).empty());
  endless.lasts = 1s;
  endless.size_max = 0;
  BOOST_TEST(!wrong_with(endless).empty());
}

BOOST_AUTO_TEST_CASE(clients_are_known_by_name_user_or_address) {
  const auto peer = net::endpoint::parse("10.1.2.3:4711");
  const trace_set::client who{"sensor", "alice", &*peer};
  BOOST_TEST(entry(trace_kind::client, "sensor").fits(who));
  BOOST_TEST(!entry(trace_kind::client, "sensor2").fits(who));
  BOOST_TEST(entry(trace_kind::user, "alice").fits(who));
  BOOST_TEST(!entry(trace_kind::user, "sensor").fits(who));
  BOOST_TEST(entry(trace_kind::address, "10.1.2.3").fits(who));
  BOOST_TEST(entry(trace_kind::address, "10.1.0.0/16").fits(who));
  BOOST_TEST(!entry(trace_kind::address, "10.2.0.0/16").fits(who));
  BOOST_TEST(!entry(trace_kind::address, "10.1.2.3")
                .fits({"sensor", "", nullptr})); // over a Unix socket
  BOOST_TEST(!entry(trace_kind::topic, "sensor").fits(who));
}

BOOST_AUTO_TEST_CASE(messages_are_known_by_topic_and_by_who_published_them) {
  const trace_set all{{entry(trace_kind::topic, "a/+"), std::nullopt,
                       entry(trace_kind::client, "sensor"),
                       entry(trace_kind::user, "alice")}};
  BOOST_TEST(all.running() == 0b1101U);
  BOOST_TEST(all.told() == 0b1000U);
  BOOST_TEST(all.of_message(*message("a/b", "other")) == 0b0001U);
  BOOST_TEST(all.of_message(*message("a/b/c", "sensor")) == 0b0100U);
  BOOST_TEST(all.of_message(*message("a/b", "sensor")) == 0b0101U);
  BOOST_TEST(all.of_message(*message("x", "other")) == 0U);
  BOOST_TEST(all.of_topic("a/+") == 0b0001U); // of a SUBSCRIBE
  BOOST_TEST(trace_set{}.empty());
}

BOOST_AUTO_TEST_CASE(each_trace_says_of_payloads_what_its_owner_asked_for) {
  auto none = follow(trace_kind::topic, "#", "n");
  none.payload = trace_payload::none;
  auto also_none = none;
  also_none.payload_max = 7; // of nothing
  auto hex = follow(trace_kind::topic, "#", "h");
  hex.payload = trace_payload::hex;
  hex.payload_max = 5;
  auto longer = hex;
  longer.payload_max = 6;
  std::vector<std::optional<trace_set::entry>> slots;
  for (const auto& x : {none, hex, also_none, longer, hex})
    slots.emplace_back(std::get<trace_set::entry>(trace_set::entry::make(x)));
  slots.emplace_back(); // one that has ended
  const trace_set all{slots};
  using told = std::tuple<trace_mask, trace_payload, std::size_t>;
  std::vector<told> found;
  all.for_each_form(0b111111, [&](auto some, auto form, auto limit) {
    found.emplace_back(some, form, form == trace_payload::none ? 0 : limit);
  });
  const std::vector<told> expected{{0b00101, trace_payload::none, 0},
                                   {0b10010, trace_payload::hex, 5},
                                   {0b01000, trace_payload::hex, 6}};
  BOOST_TEST((found == expected));
}

// ---- lines -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_line_is_json_whatever_strangers_call_themselves) {
  trace_event x{1'700'000'000'123, "sent"};
  x.text("client", "a\"b\\c\n\x01\x7f\xc3\xa4")
    .text("bad", "\xff\xc3")
    .number("n", -3)
    .flag("yes", true)
    .some("nothing", "");
  BOOST_TEST(x.take()
             == "{\"time\":\"2023-11-14T22:13:20.123Z\",\"event\":\"sent\","
                "\"client\":\"a\\\"b\\\\c\\u000a\\u0001\\u007f\xc3\xa4\","
                "\"bad\":\"\\u00ff\\u00c3\",\"n\":-3,\"yes\":true}\n");
}

BOOST_AUTO_TEST_CASE(
  payloads_are_cut_between_characters_and_shown_as_they_are) {
  const auto shown = [](std::string_view text, bool hex, std::size_t limit) {
    trace_event x{0, "e"};
    x.payload({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
              hex, limit);
    const auto line = x.take();
    const auto from = line.find(",\"payload");
    return line.substr(from, line.size() - from - 2);
  };
  BOOST_TEST(shown("abc", false, 10) == ",\"payload\":\"abc\"");
  BOOST_TEST(shown("abc", true, 10) == ",\"payload_hex\":\"616263\"");
  BOOST_TEST(shown("abc", false, 2)
             == ",\"payload\":\"ab\",\"payload_cut\":true");
  BOOST_TEST(shown("a\xc3\xa4", false, 2)
             == ",\"payload\":\"a\",\"payload_cut\":true");
  BOOST_TEST(shown("\xff\x01", false, 10) == ",\"payload_hex\":\"ff01\"");
  BOOST_TEST(shown("", false, 0) == ",\"payload\":\"\"");
}

// ---- files -----------------------------------------------------------------

namespace {

std::string text_in(tracer& of, const std::string& name) {
  std::string text;
  BOOST_TEST(of.read(name, 0, 1'000'000, text));
  return text;
}

/// Polls, as files are written by another thread.
template <class F>
void wait_for(F&& f) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (!f()) {
    BOOST_REQUIRE(std::chrono::steady_clock::now() < until);
    std::this_thread::sleep_for(1ms);
  }
}

bool runs(tracer& of, const std::string& name) {
  for (const auto& x : of.list())
    if (x.what.name == name)
      return x.running;
  return false;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_trace_has_its_lines_and_says_why_it_ended) {
  const test::temporary_directory in;
  trace_mask running = 0;
  tracer x{{in.path()}, [&](auto now) { running = now->running(); }};
  BOOST_TEST(x.start(follow(trace_kind::client, "c", "one")).empty());
  BOOST_TEST(x.start(follow(trace_kind::client, "d", "two")).empty());
  BOOST_TEST(!x.start(follow(trace_kind::client, "e", "two")).empty());
  BOOST_TEST(running == 0b11U);
  x.write(0b01, "first\n");
  x.write(0b11, "both\n");
  BOOST_TEST(x.stop("one"));
  BOOST_TEST(running == 0b10U);
  BOOST_TEST(!x.stop("one"));
  const auto text = text_in(x, "one");
  BOOST_TEST(text.starts_with("first\nboth\n"));
  BOOST_TEST(text.find("\"cause\":\"stopped\"") != text.npos);
  x.close();
  BOOST_TEST(text_in(x, "two").starts_with("both\n"));
  BOOST_TEST(!x.start(follow(trace_kind::client, "c", "three")).empty());
  // Another start of the node finds the files.
  tracer later{{in.path()}, [](const auto&) {}};
  BOOST_TEST(later.list().size() == 2U);
  BOOST_TEST(!runs(later, "one"));
  BOOST_TEST(later.remove("one"));
  BOOST_TEST(!later.remove("one"));
  BOOST_TEST(!later.remove("../two"));
  BOOST_TEST(later.list().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_trace_ends_with_its_time_and_with_its_size) {
  const test::temporary_directory in;
  tracer x{{in.path()}, [](const auto&) {}};
  auto brief = follow(trace_kind::client, "c", "brief");
  brief.lasts = 1ms;
  auto small = follow(trace_kind::client, "c", "small");
  small.size_max = 100;
  BOOST_TEST(x.start(brief).empty());
  BOOST_TEST(x.start(small).empty());
  wait_for([&] { return !runs(x, "brief"); });
  BOOST_TEST(text_in(x, "brief").find("its time is over") != std::string::npos);
  for (int i = 0; i < 20; ++i)
    x.write(0b10, "0123456789\n");
  wait_for([&] { return !runs(x, "small"); });
  const auto text = text_in(x, "small");
  BOOST_TEST(text.find("reached its size") != text.npos);
  BOOST_TEST(text.size() < 300U);
}

BOOST_AUTO_TEST_CASE(lines_that_find_the_queue_full_are_counted_and_said) {
  const test::temporary_directory in;
  tracer x{{in.path(), 1'000}, [](const auto&) {}};
  BOOST_TEST(x.start(follow(trace_kind::client, "c", "one")).empty());
  const std::string line = std::string(600, 'x') + '\n';
  for (int i = 0; i < 10'000; ++i)
    x.write(1, line);
  BOOST_TEST(x.stop("one"));
  const auto all = x.list();
  BOOST_REQUIRE(all.size() == 1U);
  BOOST_TEST(all[0].lost > 0U);
  std::string text;
  BOOST_TEST(x.read("one", 0, 10'000'000, text));
  std::uint64_t said = 0;
  for (auto at = text.find("\"lines\":"); at != text.npos;
       at = text.find("\"lines\":", at + 1))
    said += std::stoull(text.substr(at + 8));
  BOOST_TEST(said == all[0].lost);
  std::uint64_t written = 0;
  for (auto at = text.find(line); at != text.npos; at = text.find(line, at + 1))
    ++written;
  BOOST_TEST(written + said == 10'000U);
}

BOOST_AUTO_TEST_CASE(there_are_thirty_traces_at_most) {
  const test::temporary_directory in;
  trace_mask running = 0;
  tracer x{{in.path()}, [&](auto now) { running = now->running(); }};
  for (std::size_t i = 0; i < trace_set::most; ++i)
    BOOST_TEST(
      x.start(follow(trace_kind::client, "c", std::to_string(i))).empty());
  BOOST_TEST(!x.start(follow(trace_kind::client, "c", "more")).empty());
  BOOST_TEST(std::popcount(running) == 30);
  BOOST_TEST(x.remove("7"));
  BOOST_TEST(x.start(follow(trace_kind::client, "c", "more")).empty());
}

BOOST_AUTO_TEST_CASE(publishers_are_watched_until_their_trace_ends) {
  const test::temporary_directory in;
  tracer x{{in.path()}, [](const auto&) {}};
  BOOST_TEST(x.start(follow(trace_kind::user, "u", "one")).empty());
  x.watch(42, 1);
  BOOST_TEST(x.watched(42) == 1U);
  BOOST_TEST(x.watched(43) == 0U);
  BOOST_TEST(x.stop("one"));
  BOOST_TEST(x.watched(42) == 0U);
}
