#include "tests/conformance/scenarios.hpp"

#include <map>
#include <set>
#include <thread>

namespace troupe::test::scenario {

void keeps_session_state_while_connected(version v) {
  const auto root = unique("t");
  // A session that ends with its connection lasts as long as that.
  auto c = connected(v);
  c.subscribe(root + "/a", 1);
  auto sender = connected(v);
  sender.publish({.topic = root + "/a", .payload = "1", .qos = 1});
  const auto first = c.expect_publish();
  c.send(publish(v, {.topic = root, .payload = "x", .qos = 2, .id = 3}));
  c.expect(PUBREC);
  c.expect_quiet(1100ms);
  c.acknowledge(first);
  c.send(ack(PUBREL, 3));
  const auto done = c.expect(PUBCOMP);
  BOOST_TEST(done.id == 3U);
  BOOST_TEST(done.reason == code::success);
  sender.publish({.topic = root + "/a", .payload = "2", .qos = 1});
  BOOST_TEST(c.receive_message().payload == "2");
}

void understands_packets_however_the_transport_splits_them(version v) {
  const auto topic = unique("t");
  client c{v};
  const auto together = connect(v, {.client_id = unique("c")})
                        + subscribe(v, 1, {{topic, 1}})
                        + publish(v, {.topic = topic, .payload = "slow"});
  for (const auto one : together) {
    c.send({&one, 1});
    std::this_thread::sleep_for(200us);
  }
  c.expect(CONNACK);
  c.expect(SUBACK);
  BOOST_TEST(c.expect_publish().payload == "slow");
  // Many in one segment, in order, none lost.
  bytes many;
  for (unsigned i = 0; i < 200; ++i)
    many += publish(v, {.topic = topic, .payload = std::to_string(i)});
  c.send(many + pingreq());
  for (unsigned i = 0; i < 200; ++i) {
    auto in = c.receive();
    if (in.type == PINGRESP)
      in = c.receive();
    BOOST_REQUIRE_EQUAL(in.payload, std::to_string(i));
  }
}

void sends_qos_1_first_with_a_fresh_identifier_and_no_dup(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 1);
  auto sender = connected(v);
  std::set<unsigned> ids;
  for (int i = 0; i < 10; ++i) {
    sender.publish({.topic = topic, .payload = "x", .qos = 1, .dup = i > 5});
    const auto in = c.expect_publish();
    BOOST_TEST(in.qos() == 1U);
    BOOST_TEST(!in.dup());
    BOOST_TEST(ids.insert(in.id).second);
  }
}

void keeps_a_qos_1_message_until_puback(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 1);
  connected(v).publish({.topic = topic, .payload = "x", .qos = 1});
  const auto first = c.expect_publish();
  c.drop();
  for (int i = 0; i < 2; ++i) { // as often as it takes
    auto again = lasting_client(v, id);
    const auto in = again.expect_publish();
    BOOST_TEST(in.id == first.id);
    BOOST_TEST(in.payload == "x");
  }
  auto last = lasting_client(v, id);
  last.receive_message();
  last.ping();
  last.drop();
  lasting_client(v, id).expect_quiet();
}

void takes_an_identifier_as_a_new_message_after_puback(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 1);
  auto sender = connected(v);
  for (const auto dup : {false, true}) {
    sender.send(publish(v, {.topic = topic,
                            .payload = dup ? "second" : "first",
                            .qos = 1,
                            .id = 42,
                            .dup = dup}));
    BOOST_TEST(sender.expect(PUBACK).id == 42U);
  }
  BOOST_TEST(c.receive_message().payload == "first");
  BOOST_TEST(c.receive_message().payload == "second");
}

void sends_qos_2_first_with_a_fresh_identifier_and_no_dup(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  auto sender = connected(v);
  std::set<unsigned> ids;
  for (int i = 0; i < 10; ++i) {
    sender.publish({.topic = topic, .payload = "x", .qos = 2, .dup = i > 5});
    const auto in = c.expect_publish();
    BOOST_TEST(in.qos() == 2U);
    BOOST_TEST(!in.dup());
    BOOST_TEST(ids.insert(in.id).second);
  }
}

void keeps_a_qos_2_message_until_pubrec(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  connected(v).publish({.topic = topic, .payload = "x", .qos = 2});
  const auto first = c.expect_publish();
  c.drop();
  auto again = lasting_client(v, id);
  const auto in = again.expect_publish();
  BOOST_TEST(in.id == first.id);
  BOOST_TEST(in.payload == "x");
  again.acknowledge(in);
  again.ping();
  again.drop();
  lasting_client(v, id).expect_quiet();
}

void answers_pubrec_with_pubrel(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "1", .qos = 2});
  sender.publish({.topic = topic, .payload = "2", .qos = 2});
  const auto first = c.expect_publish();
  const auto second = c.expect_publish();
  c.send(ack(PUBREC, second.id));
  BOOST_TEST(c.expect(PUBREL).id == second.id);
  c.send(ack(PUBREC, first.id));
  BOOST_TEST(c.expect(PUBREL).id == first.id);
}

void keeps_a_pubrel_until_pubcomp(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  connected(v).publish({.topic = topic, .payload = "x", .qos = 2});
  const auto in = c.expect_publish();
  c.send(ack(PUBREC, in.id));
  c.expect(PUBREL);
  c.drop();
  for (int i = 0; i < 2; ++i) {
    auto again = lasting_client(v, id);
    BOOST_TEST(again.expect(PUBREL).id == in.id);
    if (i == 1) {
      again.send(ack(PUBCOMP, in.id));
      again.ping();
    }
  }
  lasting_client(v, id).expect_quiet();
}

void never_publishes_again_after_pubrel(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  connected(v).publish({.topic = topic, .payload = "x", .qos = 2});
  const auto in = c.expect_publish();
  c.send(ack(PUBREC, in.id));
  c.expect(PUBREL);
  c.drop();
  auto again = lasting_client(v, id);
  BOOST_TEST(again.receive().type == PUBREL);
  again.expect_quiet();
}

void delivers_a_repeated_qos_2_message_once(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  const auto id = unique("c");
  auto sender = lasting_client(v, id);
  publish_options o{.topic = topic, .payload = "once", .qos = 2, .id = 11};
  sender.send(publish(v, o));
  BOOST_TEST(sender.expect(PUBREC).id == 11U);
  o.dup = true;
  sender.send(publish(v, o));
  BOOST_TEST(sender.expect(PUBREC).id == 11U);
  sender.drop();
  auto again = lasting_client(v, id);
  again.send(publish(v, o));
  BOOST_TEST(again.expect(PUBREC).id == 11U);
  again.send(ack(PUBREL, 11));
  BOOST_TEST(again.expect(PUBCOMP).id == 11U);
  BOOST_TEST(c.receive_message().payload == "once");
  c.expect_quiet();
}

void answers_pubrel_with_pubcomp(version v) {
  auto c = connected(v);
  const auto topic = unique("t");
  for (const auto id : {21U, 22U})
    c.send(publish(v, {.topic = topic, .payload = "x", .qos = 2, .id = id}));
  c.expect(PUBREC);
  c.expect(PUBREC);
  for (const auto id : {22U, 21U}) {
    c.send(ack(PUBREL, id));
    const auto in = c.expect(PUBCOMP);
    BOOST_TEST(in.id == id);
    BOOST_TEST(in.reason == code::success);
  }
  c.send(ack(PUBREL, 23)); // never published, perhaps completed long ago
  const auto in = c.expect(PUBCOMP);
  BOOST_TEST(in.id == 23U);
  if (v == version::mqtt5)
    BOOST_TEST(in.reason == code::packet_identifier_not_found);
}

void takes_an_identifier_as_a_new_message_after_pubcomp(version v) {
  const auto topic = unique("t");
  auto c = subscriber(v, topic, 2);
  auto sender = connected(v);
  for (const auto* payload : {"first", "second"}) {
    sender.publish({.topic = topic, .payload = payload, .qos = 2, .id = 42});
    BOOST_TEST(c.receive_message().payload == payload);
  }
}

void sends_what_is_unacknowledged_again_on_resume_only(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  auto sender = connected(v);
  for (const auto qos : {1U, 2U, 2U})
    sender.publish({.topic = topic, .payload = "x", .qos = qos});
  const auto one = c.expect_publish();
  const auto two = c.expect_publish();
  const auto three = c.expect_publish();
  c.send(ack(PUBREC, three.id));
  c.expect(PUBREL);
  c.expect_quiet(300ms); // never while the connection lives
  c.drop();
  auto again = lasting_client(v, id);
  std::map<unsigned, packet> seen;
  for (int i = 0; i < 3; ++i) {
    const auto in = again.receive();
    seen[in.id] = in;
  }
  BOOST_TEST((seen[one.id].type == PUBLISH && seen[one.id].qos() == 1));
  BOOST_TEST((seen[two.id].type == PUBLISH && seen[two.id].qos() == 2));
  BOOST_TEST((seen[three.id].type == PUBREL));
  again.expect_quiet(300ms);
}

void adds_a_message_to_every_matching_session(version v) {
  const auto topic = unique("t");
  std::vector<std::string> away;
  for (int i = 0; i < 3; ++i) {
    away.push_back(unique("c"));
    auto c = lasting_client(v, away.back());
    c.subscribe(i == 0 ? topic : i == 1 ? topic + "/#" : "+/" + topic, 1);
    if (i == 2)
      c.subscribe(topic, 1);
    c.disconnect();
  }
  auto here = subscriber(v, topic, 1);
  connected(v).publish({.topic = topic, .payload = "x", .qos = 1});
  BOOST_TEST(here.receive_message().payload == "x");
  for (const auto& id : away)
    BOOST_TEST(lasting_client(v, id).receive_message().payload == "x");
}

void keeps_the_order_of_publishing(version v) {
  const auto topic = unique("t");
  for (const auto qos : {0U, 1U, 2U}) {
    auto c = subscriber(v, topic, qos);
    auto sender = connected(v);
    bytes all;
    for (unsigned i = 0; i < 80; ++i)
      all += publish(v, {.topic = topic,
                         .payload = std::to_string(i),
                         .qos = qos,
                         .id = i + 1});
    sender.send(all);
    for (unsigned i = 0; i < (qos == 2 ? 80U : 0U); ++i)
      sender.send(ack(PUBREL, sender.expect(PUBREC).id));
    for (unsigned i = 0; i < 80; ++i)
      BOOST_REQUIRE_EQUAL(c.receive_message().payload, std::to_string(i));
  }
}

void keeps_every_topic_in_order_by_default(version v) {
  const auto root = unique("t");
  auto c = subscriber(v, root + "/#", 1);
  bytes all;
  for (unsigned i = 0; i < 200; ++i)
    all += publish(v, {.topic = root + "/" + std::to_string(i % 10),
                       .payload = std::to_string(i / 10),
                       .qos = 1,
                       .id = i + 1});
  auto sender = connected(v); // stays: closing could cut off what it sent
  sender.send(all);
  std::map<std::string, int> next;
  for (unsigned i = 0; i < 200; ++i) {
    const auto in = c.receive_message();
    BOOST_REQUIRE_EQUAL(in.payload, std::to_string(next[in.topic]++));
  }
}

namespace {

void expect_invalid_filter(version v, const std::string& bad) {
  BOOST_TEST_CONTEXT("filter " << bad) {
    auto c = connected(v);
    const auto answer = c.subscribe(bad, 0);
    BOOST_TEST(answer.reasons.at(0)
               == (v == version::mqtt5 ? code::topic_filter_invalid : 0x80U));
  }
}

} // namespace

void refuses_filters_with_a_misplaced_hash(version v) {
  for (const auto* bad : {"a#", "a/#/b", "#/a", "a/#b", "##", "a/##"})
    expect_invalid_filter(v, bad);
  // Alone and last it stands for the parent and all that is below.
  const auto root = unique("t");
  auto c = subscriber(v, root + "/#");
  auto sender = connected(v);
  for (const auto* below : {"", "/", "/a", "/a/b"}) {
    sender.publish({.topic = root + below, .payload = "x", .qos = 1});
    BOOST_TEST(c.expect_publish().topic == root + below);
  }
}

void refuses_filters_with_a_misplaced_plus(version v) {
  for (const auto* bad : {"a+", "+a/b", "a/b+/c", "a/++", "a/+b"})
    expect_invalid_filter(v, bad);
  const auto root = unique("t");
  auto c = connected(v);
  c.subscribe({{"+/" + root, 0}, {root + "/+/x/+", 0}});
  auto sender = connected(v);
  for (const auto& topic :
       {"first/" + root, "/" + root, root + "/1/x/2", root + "//x/"}) {
    sender.publish({.topic = topic, .payload = "x", .qos = 1});
    BOOST_TEST(c.expect_publish().topic == topic);
  }
  for (const auto& topic :
       {root + "/1/x", root + "/1/x/2/3", "a/b/" + root, root})
    sender.publish({.topic = topic, .payload = "x", .qos = 1});
  c.expect_quiet(50ms);
}

void hides_dollar_topics_from_wildcards(version v) {
  const auto level = unique("t");
  const auto topic = "$test/" + level;
  auto c = connected(v);
  c.subscribe({{"+/" + level, 0}, {"#", 0}});
  auto named = subscriber(v, "$test/+");
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "hidden", .qos = 1});
  BOOST_TEST(named.expect_publish().payload == "hidden");
  sender.publish({.topic = "a/" + level, .payload = "seen", .qos = 1});
  for (;;) { // `#` sees what other tests publish as well
    const auto in = c.expect_publish();
    BOOST_TEST(in.payload != "hidden");
    if (in.payload == "seen")
      break;
  }
}

void refuses_empty_topics_and_filters(version v) {
  expect_violation(
    v, publish(v, {.topic = "", .payload = "x"}),
    {code::malformed, code::protocol_error, code::topic_name_invalid});
  auto c = connected(v);
  c.send(subscribe(v, 1, {{"", 0}}));
  if (const auto in = c.receive(); in.type == SUBACK)
    BOOST_TEST(in.reasons.at(0) >= 0x80U);
  else
    BOOST_TEST((in.type == DISCONNECT && in.reason >= 0x80));
}

void refuses_null_in_topics_and_filters(version v) {
  for (const auto& bad :
       {bytes{"\0", 1}, bytes{"a/\0/b", 5}, bytes{"a\0", 2}}) {
    expect_violation(v, publish(v, {.topic = bad, .payload = "x"}),
                     {code::malformed, code::topic_name_invalid});
    expect_violation(v, subscribe(v, 1, {{bad, 0}}),
                     {code::malformed, code::topic_filter_invalid});
  }
}

void takes_topics_of_65535_bytes(version v) {
  const auto start = unique("t");
  const auto longest = start + bytes(65'535 - start.size(), 'x');
  auto c = subscriber(v, longest);
  auto sender = connected(v);
  sender.publish({.topic = longest.substr(0, 65'534), .payload = "other"});
  sender.publish({.topic = longest, .payload = "x"});
  const auto in = c.expect_publish();
  BOOST_TEST((in.topic == longest));
  BOOST_TEST(in.payload == "x");
  c.expect_quiet(50ms);
}

void matches_code_points_exactly(version v) {
  const auto root = unique("t");
  const std::vector<std::string> spellings{
    "A\xCC\x8A",    // A and a combining ring
    "\xC3\x85",     // the same letter in one code point
    "\xE2\x84\xAB", // the sign for the unit, of the same shape
    "a\xCC\x8A",    // lower case
    "A",
    "a",
    "A ",
    " A"};
  for (const auto& one : spellings) {
    auto c = subscriber(v, root + "/" + one);
    auto sender = connected(v);
    for (const auto& other : spellings)
      sender.publish({.topic = root + "/" + other, .payload = other, .qos = 1});
    BOOST_TEST(c.expect_publish().payload == one);
    c.expect_quiet(20ms);
  }
}

} // namespace troupe::test::scenario
