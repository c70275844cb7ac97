// What waits for a slow client, and what gives way.

#include "tests/rules/support.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::test;

namespace {

const auto each = boost::test_tools::per_element();

/// Puts messages into the queue: "name" with QoS 1, "name0" with QoS 0.
names fill(client_session& session, const names& all) {
  losses lost;
  for (const auto& name : all)
    session.enqueue(
      item(name, name.ends_with('0') ? qos::at_most_once : qos::at_least_once),
      lost);
  return lost.all;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_oldest_gives_way_when_the_queue_is_full) {
  auto session = session_with({.queue_max = 2});
  BOOST_TEST(fill(session, {"a", "b"}).empty());
  BOOST_TEST(session.queue_full());
  BOOST_TEST(fill(session, {"c"}) == names{"a full"}, each);
  BOOST_TEST(queued_of(session) == (names{"b", "c"}), each);
}

BOOST_AUTO_TEST_CASE(the_oldest_qos_0_message_gives_way_first) {
  auto session = session_with({.queue_max = 3});
  BOOST_TEST(fill(session, {"a", "b0", "c0", "d", "e0"})
               == (names{"b0 slow", "c0 slow"}),
             each);
  BOOST_TEST(queued_of(session) == (names{"a", "d", "e0"}), each);
  BOOST_TEST(fill(session, {"f", "g"}) == (names{"e0 slow", "a full"}), each);
}

BOOST_AUTO_TEST_CASE(a_qos_0_message_pushes_no_other_one_out) {
  auto session = session_with({.queue_max = 2});
  BOOST_TEST(fill(session, {"a", "b", "c0"}) == names{"c0 slow"}, each);
  BOOST_TEST(queued_of(session) == (names{"a", "b"}), each);
}

BOOST_AUTO_TEST_CASE(qos_0_need_not_be_queued) {
  auto session = session_with({.queue_qos0 = false});
  BOOST_TEST(fill(session, {"a0", "b"}) == names{"a0 slow"}, each);
  BOOST_TEST(queued_of(session) == names{"b"}, each);
}

BOOST_AUTO_TEST_CASE(the_queue_is_bounded_by_bytes) {
  const auto size = item("a").message->memory();
  auto session = session_with({.queue_max = 0, .queue_bytes_max = 3 * size});
  BOOST_TEST(fill(session, {"a", "b", "c"}).empty());
  BOOST_TEST(session.queued_bytes() == 3 * size);
  BOOST_TEST(fill(session, {"d"}) == names{"a full"}, each);
  BOOST_TEST(session.queued_bytes() == 3 * size);
}

BOOST_AUTO_TEST_CASE(large_messages_do_not_grow_the_queue_over_its_bytes) {
  const std::size_t bytes = 2'000;
  auto session = session_with({.queue_max = 0, .queue_bytes_max = bytes});
  losses lost;
  for (int i = 0; i < 20; ++i)
    session.enqueue(item("small"), lost);
  std::size_t entered = 20;
  for (int i = 0; i < 20; ++i) {
    session.enqueue(item("large", qos::at_least_once, 900), lost);
    ++entered;
    // One message beyond the bound at most: the one that came last.
    BOOST_TEST(session.queued_bytes()
               < bytes
                   + item("large", qos::at_least_once, 900).message->memory());
    BOOST_TEST(session.queued() + lost.all.size() == entered);
  }
}

BOOST_AUTO_TEST_CASE(a_message_larger_than_the_queue_still_passes_alone) {
  auto session = session_with({.queue_max = 0, .queue_bytes_max = 100});
  losses lost;
  session.enqueue(item("large", qos::at_least_once, 5'000), lost);
  BOOST_TEST(lost.all.empty());
  outbound out;
  BOOST_TEST(session.take_queued(out));
  BOOST_TEST(name_of(out) == "large");
  BOOST_TEST(session.queued_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(no_bound_is_zero) {
  auto session = session_with({.queue_max = 0, .queue_bytes_max = 0});
  losses lost;
  for (int i = 0; i < 20'000; ++i)
    session.enqueue(item("a"), lost);
  BOOST_TEST(session.queued() == 20'000U);
  BOOST_TEST(lost.all.empty());
  BOOST_TEST(!session.queue_full());
  session.clear_queue();
  BOOST_TEST(session.queued_bytes() == 0U);
  session.shrink();
  BOOST_TEST(session.queued() == 0U);
}

BOOST_AUTO_TEST_CASE(a_cleared_queue_has_forgotten_its_qos_0_messages) {
  auto session = session_with({.queue_max = 2});
  fill(session, {"a0", "b0"});
  session.clear_queue();
  BOOST_TEST(fill(session, {"c", "d", "e"}) == names{"c full"}, each);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_6_0_6_what_waits_goes_out_in_its_order) {
  auto session = session_with({.send_quota = 1});
  fill(session, {"a", "b0", "c", "d0"});
  outbound out;
  names sent;
  while (session.take_queued(out)) {
    sent.push_back(name_of(out));
    if (out.qos != qos::at_most_once)
      session.start(std::move(out));
  }
  BOOST_TEST(sent == (names{"a", "b0"}), each); // "c" has to wait, "d0" behind
  session.on_puback(1);
  while (session.take_queued(out)) {
    sent.push_back(name_of(out));
    if (out.qos != qos::at_most_once)
      session.start(std::move(out));
  }
  BOOST_TEST(sent == (names{"a", "b0", "c", "d0"}), each);
}
