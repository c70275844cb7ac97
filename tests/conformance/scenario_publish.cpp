#include "tests/conformance/scenarios.hpp"

#include <algorithm>
#include <set>

namespace troupe::test {

void expect_retained(version v, const std::string& topic,
                     const std::optional<bytes>& payload) {
  auto late = connected(v);
  late.subscribe(topic, 2);
  if (payload) {
    const auto in = late.receive_message();
    BOOST_TEST(in.topic == topic);
    BOOST_TEST(in.payload == *payload);
    BOOST_TEST(in.retain());
  }
  late.expect_quiet();
}

namespace scenario {

void closes_on_ill_formed_strings(version v) {
  for (const auto& bad : ill_formed_strings()) {
    expect_violation(v, publish(v, {.topic = bad, .payload = "x"}),
                     {code::malformed, code::topic_name_invalid});
    expect_violation(v, subscribe(v, 1, {{bad, 0}}),
                     {code::malformed, code::topic_filter_invalid});
    expect_violation(v, unsubscribe(v, 1, {bad}),
                     {code::malformed, code::topic_filter_invalid});
  }
}

void closes_on_a_null_character(version v) {
  const bytes bad{"a\0b", 3};
  expect_violation(v, publish(v, {.topic = bad, .payload = "x"}),
                   {code::malformed, code::topic_name_invalid});
  expect_violation(v, subscribe(v, 1, {{bad, 0}}),
                   {code::malformed, code::topic_filter_invalid});
  expect_violation(v, unsubscribe(v, 1, {bad}),
                   {code::malformed, code::topic_filter_invalid});
  client c{v};
  c.send(connect(v, {.client_id = bad}));
  c.expect_refused({code::malformed, 0x85, 0x02});
}

void keeps_a_byte_order_mark(version v) {
  const auto plain = unique("t");
  const auto marked = "\xEF\xBB\xBF" + plain;
  auto with = subscriber(v, marked);
  auto without = subscriber(v, plain);
  auto sender = connected(v);
  sender.publish({.topic = marked, .payload = "with"});
  sender.publish({.topic = plain, .payload = "without"});
  const auto in = with.expect_publish();
  BOOST_TEST(hex(in.topic) == hex(marked));
  BOOST_TEST(in.payload == "with");
  BOOST_TEST(without.expect_publish().payload == "without");
  with.expect_quiet(50ms);
  without.expect_quiet(50ms);
}

void emits_the_listed_flags(version v) {
  const auto topic = unique("t");
  auto c = connected(v);
  const auto first = [](const packet& in) {
    return static_cast<unsigned>(static_cast<unsigned char>(in.whole[0]));
  };
  BOOST_TEST(first(c.connack) == 0x20U);
  BOOST_TEST(first(c.subscribe(topic, 2)) == 0x90U);
  c.send(publish(v, {.topic = topic, .payload = "x", .qos = 1, .id = 7}));
  BOOST_TEST(first(c.expect_beside_publish(PUBACK)) == 0x40U);
  const auto in = c.expect_publish();
  BOOST_TEST(first(in) == 0x32U);
  c.send(ack(PUBACK, in.id));
  c.send(publish(v, {.topic = topic, .payload = "x", .qos = 2, .id = 8}));
  BOOST_TEST(first(c.expect_beside_publish(PUBREC)) == 0x50U);
  c.send(ack(PUBREL, 8));
  BOOST_TEST(first(c.expect_beside_publish(PUBCOMP)) == 0x70U);
  const auto twice = c.expect_publish();
  BOOST_TEST(first(twice) == 0x34U);
  c.send(ack(PUBREC, twice.id));
  BOOST_TEST(first(c.expect(PUBREL)) == 0x62U);
  c.send(ack(PUBCOMP, twice.id));
  BOOST_TEST(first(c.unsubscribe({topic})) == 0xB0U);
  c.send(pingreq());
  BOOST_TEST(first(c.expect(PINGRESP)) == 0xD0U);
}

void closes_on_wrong_fixed_header_flags(version v) {
  for (const auto& bad :
       {with_flags(pingreq(), 1), with_flags(ack(PUBACK, 1), 2),
        with_flags(ack(PUBREC, 1), 2), with_flags(ack(PUBCOMP, 1), 2)})
    expect_violation(v, bad, {code::malformed});
  expect_bad_connect(v, with_flags(connect(v, {.client_id = unique("c")}), 1));
}

void sends_no_identifier_with_qos_0(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  c.publish({.topic = topic, .payload = "payload"});
  const auto properties = v == version::mqtt5 ? u8(0) : bytes{};
  BOOST_TEST(hex(c.expect_publish().whole)
             == hex(framed(0x30, text(topic) + properties + "payload")));
}

void closes_on_identifier_0(version v) {
  expect_violation(
    v, publish(v, {.topic = "t", .payload = "x", .qos = 1, .id = 0}),
    {code::malformed, code::protocol_error});
  expect_violation(
    v, publish(v, {.topic = "t", .payload = "x", .qos = 2, .id = 0}),
    {code::malformed, code::protocol_error});
  expect_violation(v, subscribe(v, 0, {{"t", 0}}),
                   {code::malformed, code::protocol_error});
  expect_violation(v, unsubscribe(v, 0, {"t"}),
                   {code::malformed, code::protocol_error});
}

void gives_each_delivery_in_flight_its_own_identifier(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  auto sender = connected(v);
  std::set<unsigned> in_flight;
  for (int i = 0; i < 20; ++i) {
    sender.publish({.topic = topic, .payload = "x", .qos = i % 2 + 1U});
    const auto in = c.expect_publish();
    BOOST_TEST(in.id != 0U);
    BOOST_TEST(in_flight.insert(in.id).second);
    if (i % 5 == 0) { // some come to their end, the others stay
      c.acknowledge(in);
      in_flight.erase(in.id);
    }
  }
}

void acknowledges_with_the_identifier_of_the_publish(version v) {
  auto c = connected(v);
  const auto topic = unique("t");
  for (const auto id : {1U, 0x1234U, 0xFFFFU}) {
    c.send(publish(v, {.topic = topic, .payload = "x", .qos = 1, .id = id}));
    BOOST_TEST(c.expect(PUBACK).id == id);
    c.send(publish(v, {.topic = topic, .payload = "x", .qos = 2, .id = id}));
    BOOST_TEST(c.expect(PUBREC).id == id);
    c.send(ack(PUBREL, id));
    BOOST_TEST(c.expect(PUBCOMP).id == id);
  }
}

void answers_with_the_identifier_of_the_request(version v) {
  auto c = connected(v);
  for (const auto id : {1U, 0x1234U, 0xFFFFU}) {
    c.send(subscribe(v, id, {{"t/" + std::to_string(id), 0}}));
    BOOST_TEST(c.expect(SUBACK).id == id);
    c.send(unsubscribe(v, id, {"t/" + std::to_string(id)}));
    BOOST_TEST(c.expect(UNSUBACK).id == id);
  }
}

void sets_dup_when_it_delivers_again(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "1", .qos = 1});
  sender.publish({.topic = topic, .payload = "2", .qos = 2});
  BOOST_TEST(!c.expect_publish().dup());
  BOOST_TEST(!c.expect_publish().dup());
  c.drop();
  auto again = lasting_client(v, id);
  BOOST_TEST(again.expect_publish().dup());
  BOOST_TEST(again.expect_publish().dup());
}

void sends_qos_0_without_dup(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 0);
  auto sender = connected(v);
  sender.send(publish(
    v, {.topic = topic, .payload = "x", .qos = 1, .id = 1, .dup = true}));
  sender.expect(PUBACK);
  const auto in = c.expect_publish();
  BOOST_TEST(in.qos() == 0U);
  BOOST_TEST(!in.dup());
}

void does_not_pass_on_the_dup_of_the_publisher(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  auto sender = connected(v);
  for (const auto qos : {1U, 2U}) {
    sender.publish({.topic = topic, .payload = "x", .qos = qos, .dup = true});
    const auto in = c.receive_message();
    BOOST_TEST(in.qos() == qos);
    BOOST_TEST(!in.dup());
  }
}

void closes_on_qos_3(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  for (const auto flags : {0x6U, 0x7U, 0xEU}) {
    auto c = connected(v);
    c.send(with_flags(
      publish(v, {.topic = topic, .payload = "x", .qos = 2, .id = 1}), flags));
    c.expect_disconnect({code::malformed});
  }
  watcher.expect_quiet(50ms);
}

void replaces_the_retained_message(version v) {
  const auto topic = unique("t");
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "1", .qos = 1, .retain = true});
  expect_retained(v, topic, "1");
  sender.publish({.topic = topic, .payload = "2", .qos = 2, .retain = true});
  expect_retained(v, topic, "2");
  // The QoS of the message is kept with it.
  auto late = connected(v);
  late.subscribe(topic, 2);
  BOOST_TEST(late.expect_publish().qos() == 2U);
}

void clears_the_retained_message_with_an_empty_one(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "1", .qos = 1, .retain = true});
  BOOST_TEST(watcher.expect_publish().payload == "1");
  sender.publish({.topic = topic, .qos = 1, .retain = true});
  const auto empty = watcher.expect_publish();
  BOOST_TEST(empty.topic == topic);
  BOOST_TEST(empty.payload == "");
  expect_retained(v, topic, std::nullopt);
}

void never_retains_an_empty_message(version v) {
  const auto topic = unique("t");
  auto sender = connected(v);
  for (const auto qos : {0U, 1U, 2U})
    sender.publish({.topic = topic, .qos = qos, .retain = true});
  expect_retained(v, topic, std::nullopt);
}

void leaves_the_retained_message_alone_without_retain(version v) {
  const auto topic = unique("t");
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "none", .qos = 1});
  expect_retained(v, topic, std::nullopt); // does not store
  sender.publish({.topic = topic, .payload = "old", .qos = 1, .retain = true});
  sender.publish({.topic = topic, .payload = "new", .qos = 1});
  expect_retained(v, topic, "old"); // does not replace
  sender.publish({.topic = topic, .qos = 1});
  expect_retained(v, topic, "old"); // does not remove
}

void begins_the_publish_with_a_well_formed_topic(version v) {
  const auto topic = unique("t\xC3\xA4/\xF0\x9F\x8C\xB3/");
  auto c = subscriber(v, topic, 1);
  c.publish({.topic = topic, .payload = "x", .qos = 1});
  const auto in = c.expect_publish();
  BOOST_TEST(hex(in.body.substr(0, topic.size() + 2)) == hex(text(topic)));
  expect_violation(v,
                   publish(v, {.topic = "a\xFF"
                                        "b",
                               .payload = "x"}),
                   {code::malformed, code::topic_name_invalid});
  expect_violation(v, framed(0x30, u16(9) + "shorter"), {code::malformed});
}

void closes_on_wildcards_in_a_topic_name(version v) {
  auto watcher = subscriber(v, "wild/#");
  for (const auto* topic : {"wild/+", "wild/#", "wild/a+b", "wild/a#", "+"})
    expect_violation(v, publish(v, {.topic = topic, .payload = "x"}),
                     {code::malformed, code::topic_name_invalid});
  watcher.expect_quiet(50ms);
}

void delivers_only_what_a_filter_matches(version v) {
  const auto root = unique("t");
  auto c = connected(v);
  c.subscribe({{root + "/a/+/c", 0}, {root + "/x", 0}, {root + "/d/#", 0}});
  auto sender = connected(v);
  const std::vector<std::string> matching{"/a/b/c", "/a//c", "/x",
                                          "/d",     "/d/e",  "/d/e/f"};
  const std::vector<std::string> others{"",     "/a",  "/a/b",    "/a/b/c/d",
                                        "/x/y", "/dd", "/a/b/cc", "/xx"};
  for (const auto& one : others)
    sender.publish({.topic = root + one, .payload = "other", .qos = 1});
  for (const auto& one : matching)
    sender.publish({.topic = root + one, .payload = "match", .qos = 1});
  std::multiset<std::string> seen;
  for (std::size_t i = 0; i < matching.size(); ++i) {
    const auto in = c.expect_publish();
    BOOST_TEST(in.payload == "match");
    seen.insert(in.topic.substr(root.size()));
  }
  BOOST_TEST(
    (seen == std::multiset<std::string>{matching.begin(), matching.end()}));
  c.expect_quiet();
}

void answers_a_publish_by_its_qos(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic, 2);
  auto c = connected(v);
  c.send(publish(v, {.topic = topic, .payload = "0"}));
  c.ping(); // no answer to QoS 0
  BOOST_TEST(watcher.receive_message().payload == "0");
  c.send(publish(v, {.topic = topic, .payload = "1", .qos = 1, .id = 5}));
  BOOST_TEST(hex(c.expect(PUBACK).body.substr(0, 2)) == "00 05");
  c.send(publish(v, {.topic = topic, .payload = "2", .qos = 2, .id = 6}));
  BOOST_TEST(hex(c.expect(PUBREC).body.substr(0, 2)) == "00 06");
  c.expect_quiet(30ms);
}

void delivers_an_overlap_at_the_highest_qos(version v) {
  const auto root = unique("t");
  auto c = connected(v);
  c.subscribe({{root + "/#", 0}, {root + "/a", 2}, {root + "/+", 1}});
  connected(v).publish({.topic = root + "/a", .payload = "x", .qos = 2});
  unsigned highest = 0;
  do {
    const auto in = c.receive_message();
    BOOST_TEST(in.payload == "x");
    highest = std::max(highest, in.qos());
  } while (c.anything_within(watching));
  BOOST_TEST(highest == 2U);
}

void closes_on_wrong_pubrel_flags(version v) {
  for (const auto flags : {0U, 1U, 3U, 6U, 10U}) {
    auto c = connected(v);
    c.send(publish(v, {.topic = "t", .payload = "x", .qos = 2, .id = 1}));
    c.expect(PUBREC);
    c.send(with_flags(ack(PUBREL, 1), flags));
    c.expect_disconnect({code::malformed});
  }
}

} // namespace scenario
} // namespace troupe::test
