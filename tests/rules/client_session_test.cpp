// Packet identifiers, quotas and the states of QoS 1 and 2.

#include "tests/rules/support.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe::test;
using ack = client_session::ack;
using inbound = client_session::inbound;
using in_flight = client_session::in_flight;

namespace {

const auto each = boost::test_tools::per_element();

in_flight earlier(std::uint16_t id, const std::string& name,
                  in_flight::state now = in_flight::state::sent,
                  qos level = qos::exactly_once) {
  return {item(name, level), id, now, true};
}

} // namespace

// ---- packet identifiers ----------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_2_2_1_3_packet_identifiers_are_never_zero) {
  auto session = session_with({.send_quota = 100});
  std::uint16_t last = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto id = session.start(item("a"));
    BOOST_REQUIRE(id != 0);
    BOOST_REQUIRE(id == (last == 65'535 ? 1 : last + 1));
    last = id;
    BOOST_REQUIRE((session.on_puback(id).what == ack::settled));
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_2_2_1_4_identifiers_in_flight_are_never_reused) {
  auto session = session_with({.send_quota = 65'535});
  std::set<std::uint16_t> used;
  while (session.may_send())
    BOOST_REQUIRE(used.insert(session.start(item("a"))).second);
  BOOST_TEST(used.size() == 65'535U);
  // One in the middle is free, but the run of identifiers has no room before
  // the oldest is settled.
  session.on_puback(30'000);
  BOOST_TEST(!session.may_send());
  session.on_puback(1);
  BOOST_TEST(session.may_send());
  BOOST_TEST(session.start(item("a")) == 1);
}

BOOST_AUTO_TEST_CASE(holes_in_the_middle_close_when_the_oldest_is_settled) {
  auto session = session_with({.send_quota = 10});
  for (const auto* name : {"a", "b", "c", "d"})
    session.start(item(name));
  BOOST_TEST((session.on_puback(2).what == ack::settled));
  BOOST_TEST((session.on_puback(2).what == ack::unknown));
  BOOST_TEST((session.on_puback(3).what == ack::settled));
  BOOST_TEST(in_flight_of(session) == (names{"a", "d"}), each);
  BOOST_TEST(session.in_flight_count() == 2U);
  BOOST_TEST(name_of(session.on_puback(1).settled) == "a");
  BOOST_TEST(in_flight_of(session) == names{"d"}, each);
  BOOST_TEST(name_of(session.on_puback(4).settled) == "d");
  BOOST_TEST(session.in_flight_count() == 0U);
  BOOST_TEST(session.unacknowledged() == 0U);
}

BOOST_AUTO_TEST_CASE(a_session_goes_on_with_the_identifiers_of_before) {
  client_session session;
  session.set_next_packet_identifier(0); // says nothing
  BOOST_TEST(session.next_packet_identifier() == 1);
  session.set_next_packet_identifier(65'535);
  BOOST_TEST(session.start(item("a")) == 65'535);
  session.set_next_packet_identifier(7); // not while something is in flight
  BOOST_TEST(session.start(item("b")) == 1);
  BOOST_TEST(name_of(session.on_puback(65'535).settled) == "a");
  BOOST_TEST(name_of(session.on_puback(1).settled) == "b");
}

// ---- quota -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_4_9_0_2_sends_no_more_than_the_quota) {
  auto session = session_with({.send_quota = 2});
  session.start(item("a"));
  BOOST_TEST(session.may_send());
  session.start(item("b", qos::exactly_once));
  BOOST_TEST(!session.may_send());
  session.on_puback(1);
  BOOST_TEST(session.may_send());
  session.start(item("c"));
  session.on_pubrec(2, false);
  BOOST_TEST(!session.may_send()); // until PUBCOMP
  session.on_pubcomp(2);
  BOOST_TEST(session.may_send());
}

BOOST_AUTO_TEST_CASE(mqtt5_4_9_0_2_a_failed_pubrec_gives_quota_back) {
  auto session = session_with({.send_quota = 1});
  session.start(item("a", qos::exactly_once));
  BOOST_TEST((session.on_pubrec(1, true).what == ack::settled));
  BOOST_TEST(session.may_send());
}

// ---- QoS 1 and 2, outbound -------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_4_pubrec_is_answered_by_pubrel) {
  auto session = session_with({});
  session.start(item("a", qos::exactly_once));
  BOOST_TEST((session.on_pubrec(1, false).what == ack::release));
  BOOST_TEST((session.on_pubrec(1, false).what == ack::repeated));
  BOOST_TEST((session.on_pubrec(1, true).what == ack::unknown));
  const auto done = session.on_pubcomp(1);
  BOOST_TEST((done.what == ack::settled));
  BOOST_TEST(name_of(done.settled) == "a");
  BOOST_TEST((session.on_pubcomp(1).what == ack::unknown));
  BOOST_TEST((session.on_pubrec(1, false).what == ack::unknown));
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_of_the_wrong_kind_settles_nothing) {
  auto session = session_with({});
  session.start(item("a", qos::at_least_once));
  session.start(item("b", qos::exactly_once));
  BOOST_TEST((session.on_pubrec(1, false).what == ack::unknown));
  BOOST_TEST((session.on_pubrec(1, true).what == ack::unknown));
  BOOST_TEST((session.on_pubcomp(1).what == ack::unknown));
  BOOST_TEST((session.on_puback(2).what == ack::unknown));
  BOOST_TEST((session.on_pubcomp(2).what == ack::unknown)); // no PUBREC yet
  BOOST_TEST(session.in_flight_count() == 2U);
}

BOOST_AUTO_TEST_CASE(identifiers_that_nobody_uses_are_unknown) {
  auto session = session_with({});
  for (const std::uint16_t id : {0, 1, 2, 65'535}) {
    BOOST_TEST((session.on_puback(id).what == ack::unknown));
    BOOST_TEST((session.on_pubrec(id, false).what == ack::unknown));
    BOOST_TEST((session.on_pubcomp(id).what == ack::unknown));
  }
  session.start(item("a"));
  for (const std::uint16_t id : {0, 2, 65'535})
    BOOST_TEST((session.on_puback(id).what == ack::unknown));
}

// ---- QoS 2, inbound --------------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_10_a_repeated_publish_is_a_duplicate) {
  auto session = session_with({});
  BOOST_TEST((session.on_publish_qos2(7) == inbound::fresh));
  BOOST_TEST((session.on_publish_qos2(7) == inbound::duplicate));
  BOOST_TEST(session.on_pubrel(7));
  BOOST_TEST(!session.on_pubrel(7));
  BOOST_TEST((session.on_publish_qos2(7) == inbound::fresh));
}

BOOST_AUTO_TEST_CASE(publications_that_await_release_are_bounded) {
  auto session = session_with({.awaiting_release_max = 2});
  session.on_publish_qos2(1);
  session.on_publish_qos2(2);
  BOOST_TEST((session.on_publish_qos2(3) == inbound::too_many));
  BOOST_TEST((session.on_publish_qos2(2) == inbound::duplicate));
  session.on_pubrel(1);
  BOOST_TEST((session.on_publish_qos2(3) == inbound::fresh));
  BOOST_TEST(session.awaiting_release() == (ids{2, 3}), each);
}

BOOST_AUTO_TEST_CASE(no_bound_of_what_awaits_release_is_zero) {
  auto session = session_with({.awaiting_release_max = 0});
  for (std::uint16_t id = 1; id < 1'000; ++id)
    BOOST_REQUIRE((session.on_publish_qos2(id) == inbound::fresh));
}

BOOST_AUTO_TEST_CASE(the_duplicate_filter_survives_the_connection) {
  auto session = session_with({});
  session.restore_awaiting_release({5, 9});
  BOOST_TEST((session.on_publish_qos2(9) == inbound::duplicate));
  BOOST_TEST(session.on_pubrel(5));
}

// ---- an earlier connection -------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_4_4_0_1_sends_again_in_order_before_anything_new) {
  auto session = session_with({.send_quota = 10});
  session.restore(earlier(4, "a"));
  session.restore(earlier(5, "b", in_flight::state::released));
  session.restore(earlier(8, "c", in_flight::state::sent, qos::at_least_once));
  BOOST_TEST(!session.may_send()); // something waits to be sent again
  BOOST_TEST(in_flight_of(session) == (names{"a", "b", "c"}), each);
  const auto* first = session.take_resend();
  BOOST_REQUIRE(first != nullptr);
  BOOST_TEST(first->packet_identifier == 4);
  BOOST_TEST(name_of(first->what) == "a");
  const auto* second = session.take_resend();
  BOOST_REQUIRE(second != nullptr);
  BOOST_TEST(second->packet_identifier == 8);
  BOOST_TEST((session.take_resend() == nullptr));
  BOOST_TEST(session.may_send());
  BOOST_TEST(session.start(item("d")) == 9);
  // The holes are nobody's.
  for (const std::uint16_t id : {6, 7})
    BOOST_TEST((session.on_puback(id).what == ack::unknown));
  BOOST_TEST((session.on_pubcomp(5).what == ack::settled));
  BOOST_TEST((session.on_puback(8).what == ack::settled));
  BOOST_TEST((session.on_pubrec(4, false).what == ack::release));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_11_3_resends_no_more_than_a_smaller_quota) {
  auto session = session_with({.send_quota = 2});
  for (std::uint16_t id = 1; id <= 5; ++id)
    session.restore(earlier(id, std::to_string(id), in_flight::state::sent,
                            qos::at_least_once));
  BOOST_TEST(session.in_flight_count() == 5U);
  BOOST_TEST(session.unacknowledged() == 0U);
  names sent;
  while (const auto* x = session.take_resend())
    sent.push_back(name_of(x->what));
  BOOST_TEST(sent == (names{"1", "2"}), each);
  // What has not been sent on this connection cannot be acknowledged on it.
  BOOST_TEST((session.on_puback(4).what == ack::unknown));
  session.on_puback(2);
  BOOST_TEST(name_of(session.take_resend()->what) == "3");
  BOOST_TEST((session.take_resend() == nullptr));
  session.on_puback(1);
  session.on_puback(3);
  BOOST_TEST(name_of(session.take_resend()->what) == "4");
  BOOST_TEST(!session.may_send());
  BOOST_TEST(name_of(session.take_resend()->what) == "5");
  BOOST_TEST(!session.may_send());
  session.on_puback(4);
  BOOST_TEST(session.may_send());
}

BOOST_AUTO_TEST_CASE(a_pubrel_of_before_needs_no_quota) {
  auto session = session_with({.send_quota = 1});
  session.restore(earlier(1, "a", in_flight::state::released));
  session.restore(earlier(2, "b", in_flight::state::released));
  BOOST_TEST(session.may_send());
  session.start(item("c"));
  BOOST_TEST((session.on_pubcomp(1).what == ack::settled));
  BOOST_TEST(session.unacknowledged() == 1U);
  BOOST_TEST(!session.may_send());
}

BOOST_AUTO_TEST_CASE(identifiers_of_before_may_wrap) {
  auto session = session_with({.send_quota = 10});
  session.restore(
    earlier(65'534, "a", in_flight::state::sent, qos::at_least_once));
  session.restore(earlier(2, "b", in_flight::state::sent, qos::at_least_once));
  while (session.take_resend() != nullptr) {
  }
  BOOST_TEST(session.start(item("c")) == 3);
  BOOST_TEST(name_of(session.on_puback(2).settled) == "b");
  BOOST_TEST((session.on_puback(65'535).what == ack::unknown));
  BOOST_TEST(name_of(session.on_puback(65'534).settled) == "a");
  BOOST_TEST(name_of(session.on_puback(3).settled) == "c");
}
