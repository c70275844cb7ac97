#include "tests/conformance/scenarios.hpp"

#include <algorithm>
#include <set>

namespace troupe::test::scenario {

namespace {

using codes = std::vector<unsigned>;

} // namespace

void closes_on_wrong_subscribe_flags(version v) {
  for (const auto flags : {0U, 1U, 3U, 6U, 10U})
    expect_violation(v, with_flags(subscribe(v, 1, {{"t", 0}}), flags),
                     {code::malformed});
}

void closes_on_an_ill_formed_filter_in_subscribe(version v) {
  for (const auto& bad : ill_formed_strings())
    expect_violation(v, subscribe(v, 1, {{"good", 0}, {bad, 0}}),
                     {code::malformed, code::topic_filter_invalid});
}

void closes_on_a_subscribe_without_filter(version v) {
  expect_violation(v, subscribe(v, 1, {}),
                   {code::malformed, code::protocol_error});
}

void answers_subscribe_with_suback(version v) {
  auto c = connected(v);
  const auto topic = unique("t");
  // Good, refused and repeated filters alike.
  c.send(subscribe(v, 1, {{topic, 0}}));
  c.expect(SUBACK);
  c.send(subscribe(v, 2, {{topic, 0}}));
  c.expect(SUBACK);
  c.send(subscribe(v, 3, {{topic + "/#/x", 0}}) + subscribe(v, 4, {{"#", 0}}));
  c.expect(SUBACK);
  c.expect_beside_publish(SUBACK);
}

void answers_subscribe_with_its_identifier(version v) {
  auto c = connected(v);
  c.send(subscribe(v, 0x0102, {{unique("t"), 1}})
         + subscribe(v, 0x0201, {{unique("t"), 1}}));
  BOOST_TEST(hex(c.expect(SUBACK).body.substr(0, 2)) == "01 02");
  BOOST_TEST(hex(c.expect(SUBACK).body.substr(0, 2)) == "02 01");
}

void replaces_a_subscription(version v) {
  const auto topic = unique("t");
  auto c = connected(v);
  c.subscribe(topic, 2);
  c.subscribe(topic, 0);
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "x", .qos = 2});
  BOOST_TEST(c.expect_publish().qos() == 0U);
  c.subscribe(topic, 1);
  sender.publish({.topic = topic, .payload = "y", .qos = 2});
  const auto in = c.receive_message();
  BOOST_TEST(in.payload == "y");
  BOOST_TEST(in.qos() == 1U);
  c.expect_quiet();
}

void sends_retained_again_on_replacement_and_loses_nothing(version v) {
  const auto topic = unique("t");
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "kept", .qos = 1, .retain = true});
  auto c = connected(v);
  for (int i = 0; i < 2; ++i) {
    c.subscribe(topic, 1);
    const auto in = c.receive_message();
    BOOST_TEST(in.payload == "kept");
    BOOST_TEST(in.retain());
  }
  // Publications while the subscription is replaced over and over.
  const auto other = unique("t");
  c.subscribe(other, 1);
  constexpr int count = 30;
  for (int i = 0; i < count; ++i) {
    sender.send(publish(v, {.topic = other,
                            .payload = std::to_string(i),
                            .qos = 1,
                            .id = i + 100U}));
    c.send(subscribe(v, i + 100U, {{other, 1}}));
  }
  for (int i = 0; i < count; ++i)
    c.expect_beside_publish(SUBACK);
  for (int i = 0; i < count; ++i)
    BOOST_REQUIRE_EQUAL(c.receive_message().payload, std::to_string(i));
}

void treats_many_filters_like_several_requests(version v) {
  const auto root = unique("t");
  auto c = connected(v);
  const auto answer =
    c.subscribe({{root + "/1", 0}, {root + "/2", 1}, {root + "/3", 2}});
  BOOST_TEST(answer.reasons == (codes{0, 1, 2}),
             boost::test_tools::per_element());
  auto sender = connected(v);
  for (const auto* one : {"1", "2", "3"})
    sender.publish({.topic = root + "/" + one, .payload = one, .qos = 2});
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    const auto in = c.receive_message();
    BOOST_TEST(in.qos() == static_cast<unsigned>(in.payload.at(0) - '1'));
    seen.insert(in.payload);
  }
  BOOST_TEST(seen.size() == 3U);
  c.expect_quiet(50ms);
}

void sends_a_code_for_each_filter(version v) {
  auto c = connected(v);
  std::vector<filter> filters;
  for (int i = 0; i < 40; ++i) {
    filters.push_back({unique("t"), i % 3U});
    c.send(subscribe(v, i + 1U, filters));
    BOOST_TEST(c.expect(SUBACK).reasons.size() == filters.size());
  }
}

void grants_a_qos_or_fails(version v) {
  auto c = connected(v);
  for (const auto qos : {0U, 1U, 2U})
    BOOST_TEST(c.subscribe(unique("t"), qos).reasons.at(0) == qos);
  const auto failed = c.subscribe("a/#/b", 1).reasons.at(0);
  BOOST_TEST(failed
             == (v == version::mqtt5 ? code::topic_filter_invalid : 0x80U));
}

void delivers_with_the_lower_qos(version v) {
  auto sender = connected(v);
  for (const auto granted : {0U, 1U, 2U}) {
    const auto topic = unique("t");
    auto c = subscriber(v, topic, granted);
    for (const auto published : {0U, 1U, 2U}) {
      sender.publish({.topic = topic, .payload = "x", .qos = published});
      BOOST_TEST(c.receive_message().qos() == std::min(granted, published));
    }
  }
}

void sends_suback_codes_in_the_order_of_the_filters(version v) {
  auto c = connected(v);
  const auto failure = v == version::mqtt5 ? code::topic_filter_invalid : 0x80U;
  const auto answer = c.subscribe({{unique("t"), 2},
                                   {"a/#/b", 1},
                                   {unique("t"), 0},
                                   {"a+", 2},
                                   {unique("t"), 1}});
  BOOST_TEST(answer.reasons == (codes{2, failure, 0, failure, 1}),
             boost::test_tools::per_element());
}

void closes_on_wrong_unsubscribe_flags(version v) {
  for (const auto flags : {0U, 1U, 3U, 6U, 10U})
    expect_violation(v, with_flags(unsubscribe(v, 1, {"t"}), flags),
                     {code::malformed});
}

void closes_on_an_ill_formed_filter_in_unsubscribe(version v) {
  for (const auto& bad : ill_formed_strings())
    expect_violation(v, unsubscribe(v, 1, {"good", bad}),
                     {code::malformed, code::topic_filter_invalid});
}

void closes_on_an_unsubscribe_without_filter(version v) {
  expect_violation(v, unsubscribe(v, 1, {}),
                   {code::malformed, code::protocol_error});
}

void compares_filters_of_unsubscribe_literally(version v) {
  const auto root = unique("t");
  auto c = connected(v);
  c.subscribe(root + "/b", 0);
  auto sender = connected(v);
  // Wildcards that match it and filters that are nearly it leave it alone.
  c.unsubscribe({root + "/+", root + "/#", root + "/B", root + "/b/", root});
  sender.publish({.topic = root + "/b", .payload = "1"});
  BOOST_TEST(c.expect_publish().payload == "1");
  c.unsubscribe({root + "/b"});
  sender.publish({.topic = root + "/b", .payload = "2", .qos = 1});
  c.expect_quiet();
}

void delivers_nothing_new_after_unsubscribe(version v) {
  const auto root = unique("t");
  auto c = connected(v);
  c.subscribe({{root + "/a", 1}, {root + "/+/x", 1}});
  c.unsubscribe({root + "/a", root + "/+/x"});
  auto sender = connected(v);
  sender.publish({.topic = root + "/a", .payload = "x", .qos = 1});
  sender.publish({.topic = root + "/b/x", .payload = "x", .qos = 1});
  c.expect_quiet();
}

void completes_deliveries_after_unsubscribe(version v) {
  const auto id = unique("c");
  const auto topic = unique("t");
  auto c = lasting_client(v, id);
  c.subscribe(topic, 2);
  auto sender = connected(v);
  sender.publish({.topic = topic, .payload = "1", .qos = 1});
  sender.publish({.topic = topic, .payload = "2", .qos = 2});
  const auto first = c.expect_publish();
  const auto second = c.expect_publish();
  c.unsubscribe({topic});
  c.acknowledge(second); // the handshake still runs
  c.ping();
  c.drop();
  auto again = lasting_client(v, id); // and what began comes again
  const auto repeated = again.receive_message();
  BOOST_TEST(repeated.id == first.id);
  BOOST_TEST(repeated.payload == "1");
  again.expect_quiet(50ms);
}

void answers_unsubscribe_with_its_identifier(version v) {
  auto c = connected(v);
  const auto topic = unique("t");
  c.subscribe(topic, 0);
  c.send(unsubscribe(v, 0x0304, {topic}));
  const auto in = c.expect(UNSUBACK);
  BOOST_TEST(hex(in.body.substr(0, 2)) == "03 04");
  if (v != version::mqtt5)
    BOOST_TEST(in.body.size() == 2U);
}

void answers_unsubscribe_of_nothing(version v) {
  auto c = connected(v);
  c.send(unsubscribe(v, 0x0506, {unique("t")}));
  const auto in = c.expect(UNSUBACK);
  BOOST_TEST(in.id == 0x0506U);
  if (v == version::mqtt5)
    BOOST_TEST(in.reasons == (codes{code::no_subscription_existed}),
               boost::test_tools::per_element());
}

void unsubscribes_many_filters_with_one_answer(version v) {
  const auto root = unique("t");
  auto c = connected(v);
  c.subscribe({{root + "/1", 0}, {root + "/2", 0}, {root + "/3", 0}});
  c.send(unsubscribe(v, 9, {root + "/1", root + "/none", root + "/3"}));
  BOOST_TEST(c.expect(UNSUBACK).id == 9U);
  c.ping(); // one answer
  auto sender = connected(v);
  for (const auto* one : {"/1", "/3", "/2"})
    sender.publish({.topic = root + one, .payload = one, .qos = 1});
  BOOST_TEST(c.expect_publish().payload == "/2");
  c.expect_quiet(50ms);
}

void answers_pingreq(version v) {
  auto c = connected(v);
  for (int i = 0; i < 3; ++i) {
    c.send(pingreq());
    BOOST_TEST(hex(c.expect(PINGRESP).whole) == "D0 00");
  }
}

void closes_on_wrong_disconnect_flags(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  for (const auto flags : {1U, 2U, 4U, 8U}) {
    auto c = connected(v, {.will = will_options{.topic = topic}});
    c.send(with_flags(disconnect(), flags));
    c.expect_disconnect({code::malformed});
    // It was no DISCONNECT: the will is not dropped.
    BOOST_TEST(watcher.expect_publish().payload == "gone");
  }
}

void drops_the_will_on_disconnect(version v) {
  const auto topic = unique("t");
  auto watcher = subscriber(v, topic);
  connected(v, {.will = will_options{.topic = topic}}).disconnect();
  watcher.expect_quiet();
}

} // namespace troupe::test::scenario
